/** ADD: what is an archive, and what becomes of one that is broken or comes from a URL (CP-21 to CP-24). */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { hasCode } from '../../src/errors.ts';
import type { PlannedSource } from '../../src/plan/step.ts';
import { copyRunner } from '../../src/solve/copy.ts';
import { itUnless, missing } from '../support/missing.ts';
import { tar } from '../support/tar.ts';
import { lines } from './copying.ts';
import { type CopyChanges, copyStep, entriesOf, execute, withSteps } from './step-fixture.ts';

const ARCHIVE = tar([{ name: 'member', content: randomBytes(2_500_000), mode: 0o640 }]);
const MEMBER = 'file 640 0:0 to/member';

/** The layer of `ADD file /to/`. */
async function add(bytes: Buffer, changes: CopyChanges = {}): Promise<readonly string[]> {
  let added: readonly string[] = [];
  await withSteps(async ({ context, write }) => {
    await write({ file: bytes });
    const step = copyStep(['file'], '/to/', { add: true, ...changes });
    added = lines(await entriesOf(context, (await execute(context, step, {})).layer));
  });
  return added;
}

describe('ADD', () => {
  for (const name of ['gzip', 'bzip2', 'xz', 'zstd']) {
    // Enough for more than one block of each format.
    itUnless(missing(name))(
      `unpacks ${name} by its content, and fails for what is cut off (CP-21)`,
      async () => {
        const packed = execFileSync(name, ['-c'], {
          input: ARCHIVE,
          maxBuffer: 1 << 24,
          stdio: ['pipe', 'pipe', 'ignore'],
        });
        assert.deepEqual(await add(packed), ['directory 755 0:0 to', MEMBER]);
        await assert.rejects(
          add(packed.subarray(0, -100_000)),
          (error) =>
            hasCode(error, 'ERR_LAYER_INVALID') && /corrupt or cut off/.test(error.message),
        );
      },
    );
  }

  const files: Readonly<Record<string, Buffer>> = {
    'an empty file': Buffer.alloc(0),
    'a file of zeros': Buffer.alloc(10_240),
    'text that is packed': gzipSync('text'),
    'what only starts like gzip': Buffer.from('\x1f\x8b\x08and so on', 'latin1'),
    text: Buffer.from('text'),
  };
  for (const [title, bytes] of Object.entries(files)) {
    it(`copies ${title} as it is (CP-21)`, async () => {
      assert.deepEqual(await add(bytes), ['directory 755 0:0 to', 'file 644 0:0 to/file']);
    });
  }

  for (const [what, bytes] of [
    ['another archive', tar([{ name: 'other', content: 'x' }])],
    ['a broken one', ARCHIVE.subarray(0, 1000)],
  ] as const) {
    it(`fails for an archive that has become ${what} since its key was made`, async () => {
      await withSteps(async ({ context, write }) => {
        await write({ file: ARCHIVE });
        const step = copyStep(['file'], '/to/', { add: true });
        await copyRunner(step, [], context).inputs();
        await write({ file: bytes });
        await assert.rejects(
          execute(context, step, {}),
          (error) => hasCode(error, 'ERR_CONTEXT_CHANGED') && error.details.path.endsWith('file'),
        );
      });
    });
  }

  it('unpacks an archive whose name is no UTF-8, and copies such a file (CP-21)', async () => {
    await withSteps(async ({ context, directory }) => {
      const at = (name: string) => Buffer.from(`${directory}/${name}`, 'latin1');
      await writeFile(at('\xff.tar'), tar([{ name: 'member', content: 'x' }]));
      await writeFile(at('\xfe'), 'no archive');
      const { layer } = await execute(context, copyStep(['*'], '/', { add: true }), {});
      const names = (await entriesOf(context, layer)).map(({ path }) => path);
      assert.deepEqual(names, ['member', '\xfe']);
    });
  });

  it('gives members the owner of --chown, not the mode of --chmod (CP-21, CP-22)', async () => {
    const chmod = { kind: 'octal', mode: 0o777 } as const;
    assert.deepEqual(await add(ARCHIVE, { chmod, chown: '5:6' }), [
      'directory 755 5:6 to',
      'file 640 5:6 to/member',
    ]);
  });

  it('unpacks a URL only when asked to; --chmod is for a file (CP-22, CP-23)', async () => {
    const server = createServer((_, response) => response.end(gzipSync(ARCHIVE)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const url = `http://127.0.0.1:${address.port}/a.tgz`;
    const source = { kind: 'url', url, name: 'a.tgz', checksum: undefined } as const;
    const added = async (unpack: boolean, changes: CopyChanges = {}) => {
      let found: readonly string[] = [];
      await withSteps(async ({ context }) => {
        const planned: PlannedSource = { ...source, unpack };
        const step = copyStep([planned], '/to/', { add: true, ...changes });
        found = lines(await entriesOf(context, (await execute(context, step, {})).layer));
      });
      return found;
    };
    try {
      assert.deepEqual(await added(true), ['directory 755 0:0 to', MEMBER]);
      assert.deepEqual(await added(false), ['directory 755 0:0 to', 'file 600 0:0 to/a.tgz']);
      const chmod = { kind: 'octal', mode: 0o755 } as const;
      assert.deepEqual(await added(false, { chmod, chown: '5:6' }), [
        'directory 755 5:6 to',
        'file 755 5:6 to/a.tgz',
      ]);
    } finally {
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    }
  });
});
