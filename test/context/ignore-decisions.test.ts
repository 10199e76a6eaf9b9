import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryFiles } from '../../src/context/context-files.ts';
import { createIgnore } from '../../src/context/ignore.ts';
import { IgnoreDecisions } from '../../src/context/ignore-decisions.ts';
import { type IgnoreFile, readIgnoreFile } from '../../src/context/ignore-file.ts';
import { withDirectory } from '../support/temporary.ts';

async function ignoreFile(text: string): Promise<IgnoreFile | undefined> {
  return await withDirectory(async (folder) => {
    await writeFile(join(folder, '.dockerignore'), text);
    return await readIgnoreFile({ files: directoryFiles(folder) });
  });
}

async function decisionsOf(text: string): Promise<IgnoreDecisions> {
  return new IgnoreDecisions(await ignoreFile(text));
}

describe('IgnoreDecisions', () => {
  it('names the last rule that matches, by its line in the file (IGN-2, IGN-3)', async () => {
    const decisions = await decisionsOf('\ufeff# logs\n\n*.log\n  /tmp/  \n#no\n!keep.log\n');
    const deciding = (path: string) => decisions.deciding(path);
    const file = '.dockerignore';
    assert.deepEqual(deciding('a.log'), { file, line: 3, pattern: '*.log', keeps: false });
    assert.deepEqual(deciding('tmp/a/b'), { file, line: 4, pattern: '/tmp/', keeps: false });
    assert.deepEqual(deciding('keep.log'), { file, line: 6, pattern: '!keep.log', keeps: true });
    assert.equal(deciding('src/a.ts'), undefined);
  });

  it('tells every rule that matches, and through which directory', async () => {
    const decisions = await decisionsOf('logs\n*.txt\n!logs/a\nlogs/a/b\n');
    assert.deepEqual(
      decisions.matching('logs/a/b').map(({ rule, path }) => [rule.line, path]),
      [
        [1, 'logs'],
        [3, 'logs/a'],
        [4, 'logs/a/b'],
      ],
    );
    assert.deepEqual(decisions.matching('src'), []);
  });

  it('keeps everything without an ignore file (IGN-10)', () => {
    const decisions = new IgnoreDecisions(undefined);
    assert.deepEqual([decisions.file, decisions.deciding('.git/HEAD')], [undefined, undefined]);
  });

  it('decides as the build does (IGN-3, IGN-4, IGN-5)', async () => {
    const parts = ['a', 'b', '*', '**', 'a*', '?', '[ab]', '**/b', 'a/*', 'a/b', '.', '..', 'a/'];
    const paths = ['a', 'b', 'ab', 'c', 'a/a', 'a/b', 'a/c/b', 'b/a', 'c/b/a', 'c/d'];
    for (const [index, part] of parts.entries()) {
      for (const other of parts.slice(index).concat(parts.slice(0, 3))) {
        for (const text of [`${part}\n!${other}`, `!${part}\n${other}\n!c`, `${part}\n${other}`]) {
          const file = await ignoreFile(text);
          const isIgnored = createIgnore(file?.patterns ?? []);
          const decisions = new IgnoreDecisions(file);
          for (const path of paths) {
            const found = decisions.deciding(path)?.keeps === false;
            assert.equal(found, isIgnored(path), `${JSON.stringify(text)}: ${path}`);
          }
        }
      }
    }
  });
});
