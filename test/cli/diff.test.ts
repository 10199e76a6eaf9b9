import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from '../../src/cli/args.ts';
import { diffText } from '../../src/cli/diff-text.ts';
import { hasCode } from '../../src/errors.ts';
import type { ImageDiff } from '../../src/index.ts';
import { made } from '../diff/made-images.ts';
import { file, trial } from '../diff/trial.ts';
import { blobsOf, type TestImage, writeTestLayout } from '../support/image.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

describe('the command line of tsbuild diff', () => {
  it('takes two images, and what does not count', () => {
    const argv = ['diff', '--ignore', 'times,bytes', '--json', 'app:1', '--ignore=layers', 'a.tar'];
    assert.deepEqual(parseArgs(argv), {
      kind: 'diff',
      flags: {
        ...{ a: 'app:1', b: 'a.tar', platform: undefined, insecureRegistries: [] },
        ignore: ['times', 'bytes', 'layers'],
        ...{ json: true, all: false, quiet: false },
      },
    });
  });

  const refused: readonly (readonly [argv: string, message: RegExp, hint: RegExp])[] = [
    ['a', /^Cannot compare one image$/, /write "tsbuild \.\/diff"/],
    ['a b c', /^Cannot compare 3 images$/, /"tsbuild diff A B"/],
    ['a b --ignore time', /^Cannot ignore "time"/, /Did you mean "times"\?/],
  ];
  for (const [argv, message, hint] of refused) {
    it(`refuses "diff ${argv}", with the way out`, () => {
      assert.throws(
        () => parseArgs(['diff', ...argv.split(' ')]),
        (error) => {
          assert.ok(hasCode(error, 'ERR_USAGE'));
          assert.match(error.message, message);
          assert.match(error.hint ?? '', hint);
          return true;
        },
      );
    });
  }
});

describe('tsbuild diff', () => {
  const image = (content: string, mtime: number): TestImage =>
    made({ layers: [[file('etc/conf', content, { mtime }), file('etc/old', '', { mtime })]] });

  it('prints nothing and ends with 0 for equals, with 1 for others, with 2 for what is not there', async () => {
    await withDirectory(async (folder) => {
      const layout = async (name: string, one: TestImage): Promise<string> => {
        await writeTestLayout(join(folder, name), [one.manifest.descriptor], blobsOf(one));
        return join(folder, name);
      };
      const a = await layout('a', image('one\n', 1));
      const same = await layout('same', image('one\n', 1));
      const b = await layout('b', image('two\n', 2));
      const run = async (...argv: readonly string[]) => {
        const child = spawn(process.execPath, ['src/cli/entry.ts', 'diff', ...argv], {
          env: {
            PATH: process.env['PATH'],
            TSBUILD_STORE: join(folder, 'store'),
            TSBUILD_HELPER: HELPER,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        const ended = once(child, 'close');
        const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
        await ended;
        return { code: child.exitCode, stdout, stderr };
      };
      assert.deepEqual(await run(a, same), { code: 0, stdout: '', stderr: '' });
      const differ = await run(a, b);
      assert.deepEqual([differ.code, differ.stderr], [1, '']);
      assert.match(
        differ.stdout,
        /\n {2}~ \/etc\/conf {2}content \(4 bytes\); first difference at offset 0, line 1:\n {6}- one\n {6}\+ two\n/,
      );
      assert.deepEqual(await run('-q', a, b), { code: 1, stdout: '', stderr: '' });
      const json = JSON.parse((await run('--json', a, b)).stdout) as ImageDiff;
      assert.deepEqual([json.equal, json.counts.files, json.counts.times], [false, 1, 1]);
      const gone = await run(a, join(folder, 'gone'));
      assert.deepEqual([gone.code, gone.stdout], [2, '']);
      assert.match(gone.stderr, /ERR_IMAGE_NOT_FOUND/);
    });
  });

  it('says how many it leaves out, and lets no name of a file move the cursor', async () => {
    await trial(async ({ compare }) => {
      const dated = (mtime: number) => ({
        layers: [['a\u001B[2J', 'b', 'c'].map((name) => file(name, '', { mtime }))],
      });
      const diff = await compare(dated(1), dated(2), { limit: 1 });
      const lines = diffText(diff).split('\n');
      assert.deepEqual(lines.slice(lines.indexOf('times: nothing but the time')), [
        'times: nothing but the time',
        String.raw`  ~ /a\u001b[2J  mtime 1970-01-01T00:00:01Z → 1970-01-01T00:00:02Z`,
        '  … and 2 more (--all)',
        '',
      ]);
    });
  });
});
