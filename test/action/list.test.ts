import assert from 'node:assert/strict';
import { readList } from '../../src/action/list.ts';
import { hasCode } from '../../src/index.ts';

const BOTH = { commas: true, quotes: true };
const LINES = { commas: false, quotes: true };

describe('readList() (ACT-2)', () => {
  const cases: readonly (readonly [string, string, readonly string[], typeof BOTH])[] = [
    ['splits at commas and lines', 'a,b\nc', ['a', 'b', 'c'], BOTH],
    ['takes any line end', 'a\r\nb\rc', ['a', 'b', 'c'], BOTH],
    ['drops empty items, and blanks around the others', ' a , ,b \n\n  \nc', ['a', 'b', 'c'], BOTH],
    ['keeps commas where only lines count', 'K=a,b\nL=c', ['K=a,b', 'L=c'], LINES],
    ['takes what is in quotes as it is', '"a,b",c\n"d\ne"', ['a,b', 'c', 'd\ne'], BOTH],
    ['takes two quotes for one', '"K=say ""hi""\nL=2"', ['K=say "hi"\nL=2'], LINES],
    [
      'keeps quotes inside of an item',
      'K=say "hi"\nL={"a": "b"}',
      ['K=say "hi"', 'L={"a": "b"}'],
      LINES,
    ],
    ['keeps quotes that end before the item does', '"a"b\n"c,d" e', ['"a"b', '"c,d" e'], LINES],
    ['knows no comments', '#a\nb #c', ['#a', 'b #c'], BOTH],
    [
      'keeps every quote where they mean nothing',
      '"a,b"\nc"',
      ['"a,b"', 'c"'],
      { commas: false, quotes: false },
    ],
  ];
  for (const [what, text, items, syntax] of cases) {
    it(what, () => assert.deepEqual(readList(text, syntax), items));
  }

  it('rejects a quote that is not closed, and does not tell what is in it', () => {
    assert.throws(
      () => readList('a\n"TOKEN=hunter22\nb', LINES),
      (error) => hasCode(error, 'ERR_USAGE') && !error.message.includes('hunter22'),
    );
  });

  it('reads half a megabyte in quotes', () => {
    const value = `KEY=${'line ""of"" text\n'.repeat(32_000)}`;
    const [item = ''] = readList(`"${value}"`, LINES);
    assert.equal(item.length, value.trim().length - 4 * 32_000 + 2 * 32_000);
  });
});
