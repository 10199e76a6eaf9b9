import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';

/** The codes as they are written down, so that none is a matter of memory. */
function codesIn(file: string, pattern: RegExp): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, code = '']) => code);
}

const codes = codesIn('src/errors.ts', /^ {2}(ERR_\w+):/gm);

describe('error codes', () => {
  it('each have one row in src/README.md, in the same order', () => {
    assert.ok(codes.length > 30);
    assert.deepEqual(codesIn('src/README.md', /^\| `(ERR_\w+)` +\|/gm), codes);
  });

  it('are raised somewhere', () => {
    const files = ['src', 'parser', 'cache', 'native'].flatMap((folder) => sources(folder));
    const text = files
      .filter((file) => !/src\/(errors|cli\/exit-code)\.ts$/.test(file))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    assert.deepEqual(
      codes.filter((code) => !text.includes(`'${code}'`)),
      [],
    );
  });
});

function sources(folder: string): readonly string[] {
  return globSync(`${folder}/**/*.ts`, { exclude: ['native/target/**'] });
}
