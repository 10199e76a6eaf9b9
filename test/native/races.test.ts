import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Helper } from '../../native/index.ts';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { entriesOf, signal, withHelper, writeList } from '../support/data-plane.ts';

const SECRET = 'what lies outside';
const ROUNDS = 60;

/** What somebody does to a context again and again, until it is told to end. */
const MISCHIEF = {
  'a directory becomes a symlink that leads out': `
    fs.renameSync('d', 'd.old'); fs.symlinkSync('../outside', 'd');
    fs.unlinkSync('d'); fs.renameSync('d.old', 'd');`,
  'a file becomes a symlink that leads out': `
    fs.renameSync('d/file', 'd/old'); fs.symlinkSync('../../outside/file', 'd/file');
    fs.unlinkSync('d/file'); fs.renameSync('d/old', 'd/file');`,
  'a file becomes a FIFO': `
    fs.renameSync('d/file', 'd/old'); fs.linkSync('fifo', 'd/file');
    fs.unlinkSync('d/file'); fs.renameSync('d/old', 'd/file');`,
  'a file goes and comes': `
    fs.unlinkSync('d/file'); fs.writeFileSync('d/file', 'inside');`,
  'a file grows and shrinks': `
    fs.appendFileSync('d/file', 'x'.repeat(100000)); fs.truncateSync('d/file', 6);`,
  'a file keeps its size': `
    fs.writeFileSync('d/file', 'within'); fs.writeFileSync('d/file', 'inside');`,
  'a directory goes and comes': `
    fs.renameSync('d', '../away'); fs.renameSync('../away', 'd');`,
};

const FIFO = `require('node:child_process').execFileSync('mkfifo', ['fifo']);`;

/** Runs `use` while another process does mischief in a directory. */
async function withMischief(directory: string, deed: string, use: () => Promise<void>) {
  const script = `const fs = require('node:fs'); ${FIFO}
    process.stdout.write('begun'); for (;;) { ${deed} }`;
  const child = spawn(process.execPath, ['-e', script], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    await use();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

/** Scans, and composes what was found; undefined when something was changed meanwhile. */
async function copyOnce(
  helper: Helper,
  directory: string,
): Promise<{ readonly entries: readonly Entry[]; readonly tar: string } | undefined> {
  const at = (name: string): string => join(directory, name);
  const root = at('context');
  try {
    const source = { kind: 'directory', path: root, format: 'context', ignore: [] } as const;
    const statCache = at('stat');
    await helper.scan({ source: { ...source, statCache }, index: at('index') }, { signal });
    const entries = await entriesOf(at('index'));
    const list = await writeList(
      at('list'),
      entries.map((entry) =>
        entry.type === 'file'
          ? { ...entry, source: { kind: 'path', root: 0, path: entry.path } }
          : entry,
      ),
    );
    const blob = { path: at('blob'), compression: 'none' } as const;
    await helper.compose({ list, roots: [root], files: [], blob }, { signal });
    return { entries, tar: await readFile(at('blob'), 'latin1') };
  } catch (error) {
    assert.ok(hasCode(error, 'ERR_CONTEXT_CHANGED'), String(error));
    assert.ok(error instanceof TsbuildError && error.message.includes(root), String(error));
    return undefined;
  }
}

describe('a context that somebody changes while it is copied', function () {
  this.timeout(120_000);

  for (const [what, deed] of Object.entries(MISCHIEF)) {
    it(`is copied as it was or refused, and never what is not in it, when ${what}`, async () => {
      await withHelper(async (helper, directory) => {
        const context = join(directory, 'context');
        for (const name of ['context', 'context/d', 'outside']) await mkdir(join(directory, name));
        await writeFile(join(context, 'd/file'), 'inside');
        await writeFile(join(directory, 'outside/file'), SECRET);
        await withMischief(context, deed, async () => {
          for (let round = 0; round < ROUNDS; round++) {
            const copied = await copyOnce(helper, directory);
            assert.ok(!copied?.tar.includes(SECRET));
          }
        });
        const left = (await readdir(directory)).filter((name) => name.includes('.tmp'));
        assert.deepEqual(left, []);
      });
    });
  }
});
