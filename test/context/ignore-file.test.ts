import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { directoryFiles } from '../../src/context/context-files.ts';
import { readIgnoreFile } from '../../src/context/ignore-file.ts';
import { hasCode } from '../../src/errors.ts';
import { withDirectory } from '../support/temporary.ts';

/** Which file counts, among empty ones but for the pattern that is the file's name. */
async function winner(
  names: readonly string[],
  { named, alone = false }: { readonly named?: string; readonly alone?: boolean } = {},
): Promise<string | undefined> {
  return await withDirectory(async (base) => {
    for (const name of names) {
      await mkdir(dirname(join(base, name)), { recursive: true });
      await writeFile(join(base, name), name);
    }
    const found = await readIgnoreFile({
      files: directoryFiles(join(base, 'context')),
      dockerfile: alone ? undefined : { files: directoryFiles(base), path: 'files/Containerfile' },
      named: named && join(base, named),
    });
    return found?.patterns[0];
  });
}

describe('readIgnoreFile()', () => {
  const ORDER = [
    'files/Containerfile.dockerignore',
    'files/Containerfile.containerignore',
    'context/.dockerignore',
    'context/.containerignore',
  ];
  for (const [index, first] of ORDER.entries()) {
    const others = ORDER.slice(index);
    it(`goes by ${first} where there is ${others.join(', ')} (IGN-1, IGN-9)`, async () => {
      assert.equal(await winner(others), first);
    });
  }

  it('goes by the one that is named, whatever else there is (IGN-9)', async () => {
    assert.equal(await winner([...ORDER, 'mine'], { named: 'mine' }), 'mine');
  });

  it('goes by the context’s own for a named context (CTX-7)', async () => {
    assert.equal(await winner(ORDER, { alone: true }), 'context/.dockerignore');
  });

  it('finds none where there is none', async () => {
    assert.equal(await winner([]), undefined);
  });

  it('rejects one that is named and missing (IGN-9)', async () => {
    await assert.rejects(
      winner(ORDER, { named: 'mine' }),
      (error) =>
        hasCode(error, 'ERR_CONTEXT_MISSING') &&
        /^Cannot read the ignore file ".*\/mine": no such file$/.test(error.message),
    );
  });

  it('says in which line of which file a malformed pattern is (IGN-8)', async () => {
    await withDirectory(async (base) => {
      await writeFile(join(base, '.containerignore'), 'ok\n[\n');
      await assert.rejects(readIgnoreFile({ files: directoryFiles(base) }), (error) => {
        assert.ok(hasCode(error, 'ERR_IGNORE_PATTERN'));
        assert.equal(error.location?.file, '.containerignore');
        assert.equal(error.location.range.start.line, 2);
        return true;
      });
    });
  });

  it('counts an empty one: nothing is ignored (IGN-1)', async () => {
    await withDirectory(async (base) => {
      await writeFile(join(base, 'D.dockerignore'), '');
      await writeFile(join(base, '.dockerignore'), 'x');
      const files = directoryFiles(base);
      const found = await readIgnoreFile({ files, dockerfile: { files, path: 'D' } });
      assert.deepEqual(found?.patterns, []);
    });
  });
});
