import assert from 'node:assert/strict';
import { array, assert as check, constantFrom, property } from 'fast-check';
import { splitScript } from '../../../parser/lint/beyond/shell-commands.ts';

/** `depth:words next` of each command; `?` for a word that the shell computes. */
function split(text: string): readonly string[] | undefined {
  return splitScript(text)?.commands.map(({ words, next, depth }) => {
    const values = words.map(({ value }) => value ?? '?');
    return `${depth}:${values.join(' ')}${next === '' ? '' : ` ${JSON.stringify(next)}`}`;
  });
}

const CASES: readonly (readonly [string, readonly string[] | undefined])[] = [
  ['a b && c || d; e', ['0:a b "&&"', '0:c "||"', '0:d ";"', '0:e']],
  ['a|b |& c & d', ['0:a "|"', '0:b "|"', '0:c "&"', '0:d']],
  [`a 'b c' "d 'e'" f\\ g h\\'i`, [`0:a b c d 'e' f g h'i`]],
  ['a "$b" ${c:-"}"} $(d "e)") `f` $((1 + 2)) g$h', ['0:a ? ? ? ? ? ?']],
  ['a > b 2>&1 <c >>"d e" f', ['0:a f']],
  ['A=1 B="x y" a C=2', ['0:a C=2']],
  ['a # b && c\nd#e', ['0:a "\\n"', '0:d#e']],
  [
    'if a; then b; elif c; then d; else e; fi; f',
    ['1:a ";"', '1:b ";"', '1:c ";"', '1:d ";"', '1:e ";"', '0:f'],
  ],
  ['while a; do b; done && c', ['0:a ";"', '1:b ";"', '0:c']],
  ['{ a; } && (b; c) && ! d', ['1:a ";"', '1:b ";"', '1:c ")"', '0:d']],
  [
    'case $x in a|b) c ;; *) d;; esac; e',
    ['1:case ? in a "|"', '1:b ")"', '1:c ";"', '1:* ")"', '1:d ";"', '0:e'],
  ],
  ['a <<X <<-Y\nb && c\nX\n\td\n\tY\ne', ['0:a "\\n"', '0:e']],
  ['a \\\n  b \\\r\n  c', ['0:a b c']],
  ['diff <(a) >(b)', ['0:diff ? ?']],
  ['a "b', undefined],
  ["a 'b", undefined],
  ['a $(b', undefined],
  ['a `b', undefined],
  ['', []],
];

describe('splitScript', () => {
  for (const [text, expected] of CASES) {
    it(`splits ${JSON.stringify(text)}`, () => assert.deepEqual(split(text), expected));
  }

  it('says where words are, and where the script can go on', () => {
    const text = ' a  "b c" ';
    const script = splitScript(text);
    const words = script?.commands[0]?.words ?? [];
    assert.deepEqual(
      words.map(({ start, end }) => text.slice(start, end)),
      ['a', '"b c"'],
    );
    assert.deepEqual([script?.end, script?.isExtendable], [9, true]);
    for (const open of ['a &&', 'a;', 'a & ', 'a # b', 'a |']) {
      assert.equal(splitScript(open)?.isExtendable, false, open);
    }
    for (const closed of ['a', 'a > b', '(a)', '{ a; }', 'if a; then b; fi']) {
      assert.equal(splitScript(closed)?.isExtendable, true, closed);
    }
  });

  it('ends for any text, with words at their places', () => {
    const parts = [
      ' ',
      'a',
      '"',
      "'",
      '\\',
      '$',
      '(',
      ')',
      '{',
      '}',
      '`',
      '<<',
      '>',
      '|',
      '&',
      ';',
      '\n',
      '#',
      'case',
      'esac',
      'in',
    ];
    check(
      property(array(constantFrom(...parts), { maxLength: 40 }), (chosen) => {
        const text = chosen.join('');
        for (const { words } of splitScript(text)?.commands ?? []) {
          for (const word of words) assert.equal(text.slice(word.start, word.end), word.text);
        }
      }),
    );
  });

  it('takes long and deep texts', () => {
    assert.equal(splitScript('a && '.repeat(50_000))?.commands.length, 50_000);
    assert.equal(splitScript('$('.repeat(100_000)), undefined);
    assert.equal(splitScript(`a ${'"$(b)" '.repeat(20_000)}`)?.commands.length, 1);
  });
});
