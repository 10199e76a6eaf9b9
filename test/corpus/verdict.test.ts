import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { complaints, readExceptions, readVerdicts } from './verdict.ts';

const CASES = [{ name: 'one' }, { name: 'two' }, { name: 'three', peersDisagree: 'they do' }];
const PAGE = `| case | here | why |
|---|---|---|
| \`two\` | fails | because |
| \`three\` | passes | as BuildKit has it |
`;
const OUTPUT = `ok   one
FAIL two
      /a: missing
soft three
      MESSAGE: other words
2 passed, 1 failed, 0 skipped
`;

describe('complaints()', () => {
  it('has none about what the page tells of', () => {
    assert.deepEqual(about(OUTPUT), []);
  });

  it('has one about a case that fails, and one about a listed one that passes', () => {
    const other = OUTPUT.replace('ok   one', 'FAIL one').replace('FAIL two', 'ok   two');
    assert.deepEqual(about(other), [
      '"one" fails',
      '"two" passes, and is listed as one that fails',
    ]);
  });

  it('has one about a disputed case that is not listed, and one about a name that is no case', () => {
    assert.deepEqual(about(OUTPUT, PAGE.replace('three', 'four')), [
      '"three", about which builders disagree, is not listed',
      '"four" is listed, and there is no such case',
    ]);
  });
});

describe('docs/corpus.md', () => {
  it('has rows that are understood', async () => {
    const page = await readFile(new URL('../../docs/corpus.md', import.meta.url), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    assert.equal(readExceptions(page).length, rows.length);
    assert.ok(rows.length > 0);
  });
});

function about(output: string, page = PAGE): readonly string[] {
  return complaints(readVerdicts(output), CASES, readExceptions(page));
}
