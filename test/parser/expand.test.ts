import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { expandWord, expandWords } from '../../parser/index.ts';

const VALUES: Readonly<Record<string, string>> = {
  a: 'one',
  empty: '',
  path: '/usr/local/bin/tool.tar.gz',
  stars: 'x*y?z',
  lines: 'ab\ncd',
  korean: '한국어',
  list: 'x  y z',
  한: 'unicode',
};
const lookup = (name: string): string | undefined => VALUES[name];
const escape = '\\';

const CASES: readonly (readonly [word: string, value: string, id: string])[] = [
  ['plain', 'plain', 'VAR-1'],
  ['$a', 'one', 'VAR-1'],
  ['${a}', 'one', 'VAR-1'],
  ['he$a-x', 'heone-x', 'VAR-1'],
  ['${none-word}', 'word', 'VAR-1'],
  ['${empty-word}', '', 'VAR-1'],
  ['${empty:-word}', 'word', 'VAR-2'],
  ['${a:-word}', 'one', 'VAR-2'],
  ['${none+word}', '', 'VAR-1'],
  ['${empty+word}', 'word', 'VAR-1'],
  ['${empty:+word}', '', 'VAR-2'],
  ['${a:+word}', 'word', 'VAR-2'],
  ['${empty?word}', '', 'VAR-2'],
  ['${none:-${other:-${a}}}', 'one', 'VAR-1'],
  ['${none:-"quo}ted"}', 'quo}ted', 'VAR-1'],
  ["${none:-'$a'}", '$a', 'VAR-1'],
  ['${none:-a\\}b}', 'a}b', 'VAR-6'],
  ['${path#*/}', 'usr/local/bin/tool.tar.gz', 'VAR-4'],
  ['${path##*/}', 'tool.tar.gz', 'VAR-4'],
  ['${path%.*}', '/usr/local/bin/tool.tar', 'VAR-4'],
  ['${path%%.*}', '/usr/local/bin/tool', 'VAR-4'],
  ['${path#nothing}', '/usr/local/bin/tool.tar.gz', 'VAR-4'],
  ['${stars#x\\*}', 'y?z', 'VAR-4'],
  ['${stars%\\?z}', 'x*y', 'VAR-4'],
  ['${stars#???}', '?z', 'VAR-4'],
  ['${a#[o]}', 'one', 'VAR-4'],
  ['${lines#*}', 'ab\ncd', 'VAR-4'],
  ['${lines##*}', '\ncd', 'VAR-4'],
  ['${korean#?}', '국어', 'VAR-4'],
  ['${none#x}', '', 'VAR-4'],
  ['${path/local/share}', '/usr/share/bin/tool.tar.gz', 'VAR-4'],
  ['${path/\\/usr/}', '/local/bin/tool.tar.gz', 'VAR-4'],
  ['${path//\\//_}', '_usr_local_bin_tool.tar.gz', 'VAR-4'],
  ['${path/l*l/-}', '/usr/-.tar.gz', 'VAR-4'],
  ['${a//?/x}', 'xxx', 'VAR-4'],
  ['${a//*/x}', 'x', 'VAR-4'],
  ['${a///-}', '-o-n-e-', 'VAR-4'],
  ["${a/n/'$0'}", 'o$0e', 'VAR-4'],
  ["${a//n/'<$0>'}", 'o<n>e', 'VAR-4'],
  ["${a//n/'$1x$$'}", 'o$e', 'VAR-4'],
  ['$', '$', 'VAR-5'],
  ['a$', 'a$', 'VAR-5'],
  ['$%', '$%', 'VAR-5'],
  ['$한', 'unicode', 'VAR-5'],
  ['${한}', 'unicode', 'VAR-5'],
  ['$1x$@$*$#$?$-$!', 'x', 'VAR-5'],
  ['$12x', 'x', 'VAR-5'],
  ['${10}', '', 'VAR-5'],
  ['$none.', '.', 'VAR-6'],
  ['\\$a', '$a', 'VAR-6'],
  ['\\\\$a', '\\one', 'VAR-6'],
  ['\\x', 'x', 'VAR-6'],
  ['x\\', 'x', 'VAR-6'],
  ["'$a'", '$a', 'VAR-6'],
  ["'a\\'", 'a\\', 'VAR-6'],
  ['"$a"', 'one', 'VAR-6'],
  ['"\\$a \\" \\\\ \\x"', '$a " \\ \\x', 'VAR-6'],
  ['"\'$a\'"', "'one'", 'VAR-6'],
  ['a"b c"\'d e\'', 'ab cd e', 'VAR-6'],
  ['a < b << c', 'a < b << c', 'VAR-6'],
];

const ERRORS: readonly (readonly [word: string, problem: string, id: string])[] = [
  ['${', "syntax error: missing '}'", 'VAR-3'],
  ['${a', "syntax error: missing '}'", 'VAR-3'],
  ['${a:-b', "syntax error: missing '}'", 'VAR-3'],
  ['${a/b', "syntax error: missing '/' in ${}", 'VAR-3'],
  ['${a/b/c', "syntax error: missing '}'", 'VAR-3'],
  ['${}', 'syntax error: bad substitution', 'VAR-3'],
  ['${:x}', 'syntax error: bad substitution', 'VAR-3'],
  ['${{a}', 'syntax error: bad substitution', 'VAR-3'],
  ['${a:#b}', 'unsupported modifier (:#) in substitution', 'VAR-3'],
  ['${a:%b}', 'unsupported modifier (:%) in substitution', 'VAR-3'],
  ['${a:=b}', 'unsupported modifier (:=) in substitution', 'VAR-3'],
  ['${a!b}', 'unsupported modifier (!) in substitution', 'VAR-3'],
  ['${a#\\b}', "invalid pattern (\\b) in substitution: invalid escape '\\b'", 'VAR-4'],
  ['${v?}', 'v: is not allowed to be unset', 'VAR-2'],
  ['${v:?}', 'v: is not allowed to be unset', 'VAR-2'],
  ['${empty:?}', 'empty: is not allowed to be empty', 'VAR-2'],
  ['${v:?"my error"}', 'v: my error', 'VAR-2'],
  ['${a:-${v?}}', 'v: is not allowed to be unset', 'VAR-2'],
  ["'x", 'looking for matching single-quote', 'VAR-6'],
  ['"x', 'looking for matching double-quote', 'VAR-6'],
];

describe('expandWord()', () => {
  for (const [word, value, id] of CASES) {
    it(`${id}: turns ${word} into ${JSON.stringify(value)}`, () => {
      assert.equal(expandWord(word, lookup, { escape }), value);
    });
  }

  for (const [word, problem, id] of ERRORS) {
    it(`${id}: rejects ${word}`, () => {
      assert.throws(
        () => expandWord(word, lookup, { escape }),
        (error) => hasCode(error, 'ERR_VARIABLE') && error.message.includes(problem),
      );
    });
  }

  it('VAR-6: takes a backtick as the escape, and a backslash as itself', () => {
    assert.equal(expandWord('`$a c:\\$a "`$a"', lookup, { escape: '`' }), '$a c:\\one $a');
  });

  it('VAR-4: reads the pattern of % backwards, as BuildKit does: its last backslash escapes what is before it', () => {
    const paths = (name: string): string | undefined => ({ p: 'C:\\a*', star: '*\\' })[name];
    assert.equal(expandWord('${p%*\\}', paths, { escape: '`' }), 'C:\\a');
    assert.equal(expandWord('${p%$star}', paths, { escape }), 'C:\\a');
    assert.throws(
      () => expandWord('${p%a\\}', paths, { escape: '`' }),
      (error) => hasCode(error, 'ERR_VARIABLE') && error.message.includes("invalid escape '\\a'"),
    );
  });

  it('HD-6: keeps quotes in heredoc bodies, and expands inside them', () => {
    const body = `it's "$a" '$a' \\$a \`$a\`\n`;
    const value = expandWord(body, lookup, { escape: '`', keepQuotes: true });
    assert.equal(value, `it's "one" 'one' $a \`one\`\n`);
  });

  it('VAR-6: tells of each name without a value', () => {
    const names: string[] = [];
    const onUnset = (name: string): number => names.push(name);
    expandWord('$a $b ${c:-x} ${d+x}', lookup, { escape, onUnset });
    assert.deepEqual(names, ['b', 'c', 'd']);
  });

  it('refuses absurd nesting instead of running out of stack', () => {
    const word = '${x:-'.repeat(50_000) + '}'.repeat(50_000);
    assert.throws(
      () => expandWord(word, lookup, { escape }),
      (error) => hasCode(error, 'ERR_VARIABLE'),
    );
  });

  it('matches patterns that make regular expressions backtrack in linear time', () => {
    const value = 'a'.repeat(20_000);
    const pattern = '*a'.repeat(30);
    const start = performance.now();
    assert.equal(
      expandWord(`\${v%${pattern}b}`, () => value, { escape }),
      value,
    );
    assert.equal(
      expandWord(`\${v//${pattern}b/x}`, () => value, { escape }),
      value,
    );
    assert.ok(performance.now() - start < 8000);
  });
});

describe('expandWords()', () => {
  const words = (text: string): readonly string[] => expandWords(text, lookup, { escape });

  it('splits at white space that is not quoted', () => {
    assert.deepEqual(words('  a "b c" d\\ e \'f g\' '), ['a', 'b c', 'd e', 'f g']);
  });

  it('splits the value of a variable, but not in quotes', () => {
    assert.deepEqual(words('1$list "$list"'), ['1x', 'y', 'z', 'x  y z']);
  });

  it('HD-1: does not split at the blanks behind <<, but at other white space there', () => {
    assert.deepEqual(words('<< \t\ra <<\vb <<\nc'), ['<< \t\ra', '<<', 'b', '<<', 'c']);
  });

  it('drops words that come out empty', () => {
    assert.deepEqual(words('$none "" \'\' a'), ['a']);
  });
});
