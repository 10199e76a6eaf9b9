/**
 * Ignore patterns as regular expressions that mean the same in JavaScript (flag `u`) and in Rust.
 *
 * moby/patternmatcher turns a pattern into a Go regular expression word by word, without regard to
 * character classes: `[?]` becomes `[[^/]]`. Whoever has such patterns has tried them with
 * `docker build`, so the first step here does the same, and the second reads what came out the way
 * Go does and writes it down in the few forms that all engines read alike.
 */

/** A pattern's regular expression, to be searched for in a path. Undefined: the pattern is malformed. */
export function ignoreRegex(pattern: string): string | undefined {
  const { kind, expression } = toExpression(pattern);
  switch (kind) {
    case 'exact':
      return `^${quote(pattern)}$`;
    case 'prefix':
      return `^${quote(pattern.slice(0, -'**'.length))}`;
    case 'suffix':
      return suffixRegex(pattern.slice('**'.length));
    case 'expression':
      return toPortable(expression);
  }
}

/** A suffix that starts with a slash may also be the whole path; one without is whatever ends so. */
function suffixRegex(suffix: string): string {
  if (suffix === '') return '';
  return suffix.startsWith('/') ? `(?:^|/)${quote(suffix.slice(1))}$` : `${quote(suffix)}$`;
}

const META = /[\\^$.*+?()[\]{}|]/g;

function quote(text: string): string {
  return text.replace(META, '\\$&');
}

interface Expression {
  /** All but `expression` compare the pattern's own text. */
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'expression';
  readonly expression: string;
}

const ANY_DEPTH = '(.*/)?';
const ANY_NAME = '[^/]*';
const ANY_CHARACTER = '[^/]';

/** The first step: the Go regular expression. */
function toExpression(pattern: string): Expression {
  const characters = [...pattern];
  let kind: Expression['kind'] = 'exact';
  let out = '^';
  for (let at = 0, first = true; at < characters.length; first = false) {
    const character = characters[at++] ?? '';
    if (character === '*' && characters[at] === '*') {
      at += characters[at + 1] === '/' ? 2 : 1;
      const last = at >= characters.length;
      if (last && kind === 'exact') kind = 'prefix';
      else {
        out += last ? '.*' : ANY_DEPTH;
        kind = 'expression';
      }
      if (first) kind = 'suffix';
    } else if ('*?[]'.includes(character)) {
      out += character === '*' ? ANY_NAME : character === '?' ? ANY_CHARACTER : character;
      kind = 'expression';
    } else if (character === '\\') {
      // A last backslash ends up before the final "$" and takes its meaning.
      if (at < characters.length) kind = 'expression';
      out += `\\${characters[at++] ?? ''}`;
    } else {
      out += '.+()|{}$'.includes(character) ? `\\${character}` : character;
    }
  }
  return { kind, expression: `${out}$` };
}

/** Code points, both ends included. */
type Range = readonly [number, number];

/** What was read, and where to go on. */
interface Read<T> {
  readonly value: T;
  readonly end: number;
}

/** The second step. Undefined where Go would not compile it, or for an escape nobody means (`\b`, `\pL`). */
function toPortable(expression: string): string | undefined {
  const characters = [...expression];
  let out = '';
  for (let at = 0; at < characters.length; ) {
    const character = characters[at] ?? '';
    if (character === '(') {
      // Only our own: those of the pattern are escaped, or in a class.
      out += '(?:[^\\n]*/)?';
      at += ANY_DEPTH.length;
    } else if (character === '[') {
      const read = readClass(characters, at + 1);
      if (read === undefined) return undefined;
      out += read.value;
      at = read.end;
    } else if (character === '\\') {
      const ranges = readEscape(characters[at + 1]);
      if (ranges === undefined) return undefined;
      out += isOne(ranges)
        ? quote(String.fromCodePoint(ranges[0]?.[0] ?? 0))
        : writeClass(ranges, false);
      at += 2;
    } else {
      out +=
        character === '.' ? '[^\\n]' : '^$*'.includes(character) ? character : quote(character);
      at++;
    }
  }
  return out;
}

function isOne(ranges: readonly Range[]): boolean {
  return ranges.length === 1 && ranges[0]?.[0] === ranges[0]?.[1];
}

/** Reads a class from behind its `[`, as Go does: a first `]` is a member, `-` may stand anywhere. */
function readClass(characters: readonly string[], start: number): Read<string> | undefined {
  const negated = characters[start] === '^';
  const first = negated ? start + 1 : start;
  const ranges: Range[] = [];
  let at = first;
  while (characters[at] !== ']' || at === first) {
    const read = readNamed(characters, at) ?? readRange(characters, at);
    if (read?.value === undefined) return undefined;
    ranges.push(...read.value);
    at = read.end;
  }
  return { value: writeClass(ranges, negated), end: at + 1 };
}

/** `[:alpha:]` inside a class. Undefined when there is none, an undefined value for an unknown name. */
function readNamed(
  characters: readonly string[],
  start: number,
): Read<readonly Range[] | undefined> | undefined {
  if (characters[start] !== '[' || characters[start + 1] !== ':') return undefined;
  const text = characters.slice(start + 2).join('');
  const length = text.indexOf(':]');
  if (length === -1) return undefined;
  const name = text.slice(0, length);
  const ranges = NAMED_CLASSES.get(name.replace(/^\^/, ''));
  const value = ranges !== undefined && name.startsWith('^') ? complement(ranges) : ranges;
  return { value, end: start + 2 + [...name].length + 2 };
}

function readRange(
  characters: readonly string[],
  start: number,
): Read<readonly Range[]> | undefined {
  const low = readMember(characters, start);
  if (low === undefined) return undefined;
  const dash = characters[low.end] === '-' && (characters[low.end + 1] ?? ']') !== ']';
  if (!dash || !isOne(low.value)) return low;
  const high = readMember(characters, low.end + 1);
  const from = low.value[0]?.[0] ?? 0;
  const to = high?.value[0]?.[1] ?? -1;
  if (high === undefined || !isOne(high.value) || to < from) return undefined;
  return { value: [[from, to]], end: high.end };
}

function readMember(characters: readonly string[], at: number): Read<readonly Range[]> | undefined {
  const character = characters[at];
  if (character === undefined) return undefined;
  if (character !== '\\') return { value: [one(character)], end: at + 1 };
  const value = readEscape(characters[at + 1]);
  return value === undefined ? undefined : { value, end: at + 2 };
}

/** What a backslash and a character stand for in Go: a class, a control character, itself. */
function readEscape(character: string | undefined): readonly Range[] | undefined {
  if (character === undefined) return undefined;
  const lower = ESCAPED_CLASSES.get(character.toLowerCase());
  if (lower !== undefined) return /[A-Z]/.test(character) ? complement(lower) : lower;
  const control = CONTROLS.get(character);
  if (control !== undefined) return [one(control)];
  return /^[0-9A-Za-z]$|[^\0-\x7f]/.test(character) ? undefined : [one(character)];
}

function one(character: string): Range {
  const code = character.codePointAt(0) ?? 0;
  return [code, code];
}

function rangesOf(...texts: readonly string[]): readonly Range[] {
  return texts.map((text) => [one(text)[0], one(text.slice(-1))[0]] as const);
}

const WORD = rangesOf('09', 'AZ', '__', 'az');
const SPACE = rangesOf('\t\n', '\f\r', '  ');

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

const ESCAPED_CLASSES: ReadonlyMap<string, readonly Range[]> = new Map([
  ['d', rangesOf('09')],
  ['s', SPACE],
  ['w', WORD],
]);

const NAMED_CLASSES: ReadonlyMap<string, readonly Range[]> = new Map([
  ['alnum', rangesOf('09', 'AZ', 'az')],
  ['alpha', rangesOf('AZ', 'az')],
  ['ascii', rangesOf('\0\x7f')],
  ['blank', rangesOf('\t', ' ')],
  ['cntrl', rangesOf('\0\x1f', '\x7f')],
  ['digit', rangesOf('09')],
  ['graph', rangesOf('!~')],
  ['lower', rangesOf('az')],
  ['print', rangesOf(' ~')],
  ['punct', rangesOf('!/', ':@', '[`', '{~')],
  ['space', rangesOf('\t\r', ' ')],
  ['upper', rangesOf('AZ')],
  ['word', WORD],
  ['xdigit', rangesOf('09', 'AF', 'af')],
]);

const LAST_CODE = 0x10ffff;

/** Of ranges in order. */
function complement(ranges: readonly Range[]): readonly Range[] {
  const starts = [0, ...ranges.map(([, to]) => to + 1)];
  const ends = [...ranges.map(([from]) => from - 1), LAST_CODE];
  return starts
    .map((start, number) => [start, ends[number] ?? LAST_CODE] as const)
    .filter(([from, to]) => from <= to);
}

function writeClass(ranges: readonly Range[], negated: boolean): string {
  const members = ranges.map(([from, to]) =>
    from === to ? writeMember(from) : `${writeMember(from)}-${writeMember(to)}`,
  );
  return `[${negated ? '^' : ''}${members.join('')}]`;
}

/** As a number unless it is plain: engines differ in which punctuation needs a backslash in a class. */
function writeMember(code: number): string {
  const character = String.fromCodePoint(code);
  return /[0-9A-Za-z/_]/.test(character) ? character : `\\u{${code.toString(16)}}`;
}
