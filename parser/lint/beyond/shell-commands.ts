/**
 * A shell script as a flat list of its simple commands: enough to see what is called and with which
 * words, in `if`, loops and subshells too. What is computed (`$x`, `$(…)`) is not looked into.
 */

/** A word of a command. Offsets are into the script. */
export interface ShellWord {
  /** As written, quotes included. */
  readonly text: string;
  /** Without quotes; undefined when the shell computes some of it. */
  readonly value: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** What stands behind a command; '' at the end of the script. */
export type Operator = '' | '&&' | '||' | ';' | '|' | '&' | '\n' | '(' | ')';

export interface ShellCommand {
  /** Without assignments, redirections and words like `if` and `do`. Never empty. */
  readonly words: readonly ShellWord[];
  /** `NAME=value` in front. */
  readonly assignments: readonly ShellWord[];
  readonly next: Operator;
  /** 0 outside of subshells, groups, conditions and loops. */
  readonly depth: number;
}

export interface ShellScript {
  readonly commands: readonly ShellCommand[];
  /** Behind the last character that is no white space. */
  readonly end: number;
  /** More can be added with `&&`: it ends in a command, not in an operator or a comment. */
  readonly isExtendable: boolean;
}

/** Splits a script; undefined when its quotes or brackets do not close. */
export function splitScript(text: string): ShellScript | undefined {
  const scanner = new Scanner(text);
  return scanner.scan() ? scanner : undefined;
}

const OPERATORS = ['&&', '||', ';;', '|&', ';', '|', '&', '\n', '(', ')'] as const;
/** Reserved words that another command may follow, and how they nest. */
const KEYWORDS: ReadonlyMap<string, number> = new Map([
  ['!', 0],
  ['time', 0],
  ['if', 1],
  ['then', 0],
  ['elif', 0],
  ['else', 0],
  ['fi', -1],
  ['while', 0],
  ['until', 0],
  ['do', 1],
  ['done', -1],
  ['{', 1],
  ['}', -1],
  ['esac', -1],
]);
const MAX_NESTING = 100;

class Scanner implements ShellScript {
  readonly commands: ShellCommand[] = [];
  readonly #text: string;
  #at = 0;
  #words: ShellWord[] = [];
  #assignments: ShellWord[] = [];
  #depth = 0;
  /** How deep the `case`s are in which we are: there, `)` ends a pattern. */
  readonly #cases: number[] = [];
  /** Heredocs of the script itself, whose bodies follow the line. */
  #heredocs: { readonly name: string; readonly chomp: boolean }[] = [];
  end = 0;
  isExtendable = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** False when it cannot be understood. */
  scan(): boolean {
    const text = this.#text;
    while (this.#at < text.length) {
      const blank = /^(?:[ \t\r\v\f]|\\\r?\n)/.exec(text.slice(this.#at, this.#at + 3));
      if (blank !== null) this.#at += blank[0].length;
      else if (text[this.#at] === '#') this.#skipComment();
      else if (!this.#scanToken()) return false;
    }
    this.#endCommand('');
    return true;
  }

  #skipComment(): void {
    const newline = this.#text.indexOf('\n', this.#at);
    this.#at = newline < 0 ? this.#text.length : newline;
    this.end = this.#at;
    this.isExtendable = false;
  }

  #scanToken(): boolean {
    const text = this.#text;
    const redirection = /^(?:\d*(?:<<<|<<-?|<>|>>|>\||[<>]&?)|&>>?)(?!\()/.exec(
      text.slice(this.#at, this.#at + 12),
    );
    if (redirection !== null) return this.#scanRedirection(redirection[0]);
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, this.#at));
    if (operator !== undefined) {
      this.#at += operator.length;
      this.#scanOperator(operator);
      return true;
    }
    const word = this.#scanWord();
    if (word === undefined) return false;
    this.#addWord(word);
    return true;
  }

  #scanRedirection(operator: string): boolean {
    this.#at += operator.length;
    while (/[ \t]/.test(this.#text[this.#at] ?? '')) this.#at++;
    const target = this.#scanWord();
    if (target === undefined || target.text === '') return false;
    if (/<<-?$/.test(operator) && !operator.endsWith('<<<')) {
      this.#heredocs.push({ name: target.value ?? target.text, chomp: operator.endsWith('-') });
    }
    this.end = this.#at;
    this.isExtendable = true;
    return true;
  }

  #scanOperator(operator: (typeof OPERATORS)[number]): void {
    const isPattern = operator === ')' && this.#cases.at(-1) === this.#depth;
    this.#endCommand(operator === ';;' ? ';' : operator === '|&' ? '|' : operator);
    if (operator === '(') this.#depth++;
    if (operator === ')' && !isPattern) this.#depth = Math.max(0, this.#depth - 1);
    if (operator === '\n') {
      this.#skipHeredocs();
      return;
    }
    this.end = this.#at;
    this.isExtendable = operator === ')' && !isPattern;
  }

  /** Without a terminator, the rest of the script is the body. */
  #skipHeredocs(): void {
    for (const { name, chomp } of this.#heredocs) {
      for (;;) {
        if (this.#at >= this.#text.length) break;
        const newline = this.#text.indexOf('\n', this.#at);
        const end = newline < 0 ? this.#text.length : newline;
        const line = this.#text.slice(this.#at, end).replace(/\r$/, '');
        this.#at = Math.min(end + 1, this.#text.length);
        if ((chomp ? line.replace(/^\t+/, '') : line) === name) break;
      }
    }
    this.#heredocs = [];
  }

  #addWord(word: ShellWord): void {
    this.end = word.end;
    this.isExtendable = true;
    const isFirst = this.#words.length === 0;
    const nesting = isFirst ? KEYWORDS.get(word.text) : undefined;
    if (nesting !== undefined && this.#assignments.length === 0) {
      if (word.text === 'esac') this.#cases.pop();
      this.#depth = Math.max(0, this.#depth + nesting);
      return;
    }
    if (isFirst && /^[A-Za-z_]\w*\+?=/.test(word.text)) {
      this.#assignments.push(word);
      return;
    }
    this.#words.push(word);
    if (isFirst && word.text === 'case') this.#cases.push(++this.#depth);
  }

  #endCommand(next: Operator): void {
    const [words, assignments] = [this.#words, this.#assignments];
    this.#words = [];
    this.#assignments = [];
    if (words.length > 0) {
      this.commands.push({ words, assignments, next, depth: this.#depth });
    }
  }

  /** From here to the next separator; undefined when something in it does not close. */
  #scanWord(): ShellWord | undefined {
    const text = this.#text;
    const start = this.#at;
    let value: string | undefined = '';
    while (this.#at < text.length && !/[\s;&|<>()]/.test(text[this.#at] ?? '')) {
      const part = scanPart(text, this.#at);
      if (part === undefined) return undefined;
      value = value === undefined || part.value === undefined ? undefined : value + part.value;
      this.#at = part.end;
    }
    // `<(…)`, or a bracket where none belongs.
    if (this.#at === start && this.#at < text.length) {
      const end = /^[<>]\(/.test(text.slice(start)) ? closing(text, start + 1, 0) : undefined;
      if (end === undefined) return undefined;
      this.#at = end;
      value = undefined;
    }
    return { text: text.slice(start, this.#at), value, start, end: this.#at };
  }
}

interface Part {
  readonly value: string | undefined;
  readonly end: number;
}

/** One character, escape, quotation or expansion. */
function scanPart(text: string, at: number): Part | undefined {
  const character = text[at] ?? '';
  switch (character) {
    case '\\': {
      const next = text.slice(at + 1, at + 2);
      return { value: next === '\n' ? '' : next, end: Math.min(at + 2, text.length) };
    }
    case "'": {
      const end = text.indexOf("'", at + 1);
      return end < 0 ? undefined : { value: text.slice(at + 1, end), end: end + 1 };
    }
    case '"':
      return scanDoubleQuotes(text, at);
    case '$':
    case '`': {
      const end = closing(text, at, 0);
      return end === undefined ? undefined : { value: undefined, end };
    }
    default:
      return { value: character, end: at + 1 };
  }
}

function scanDoubleQuotes(text: string, start: number): Part | undefined {
  let value: string | undefined = '';
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    const character = text[at] ?? '';
    if (character === '\\') {
      const next = text[at + 1] ?? '';
      const escaped = /[$`"\\]/.test(next) ? next : next === '\n' ? '' : `\\${next}`;
      value = value === undefined ? undefined : value + escaped;
      at += 2;
    } else if (character === '$' || character === '`') {
      const end = closing(text, at, 0);
      if (end === undefined) return undefined;
      value = undefined;
      at = end;
    } else {
      value = value === undefined ? undefined : value + character;
      at++;
    }
  }
  return at < text.length ? { value, end: at + 1 } : undefined;
}

/** Behind an expansion, or behind the brackets that begin at `start`. */
function closing(text: string, start: number, nesting: number): number | undefined {
  if (nesting > MAX_NESTING) return undefined;
  if (text[start] === '`') {
    const end = /^`(?:[^`\\]|\\[^])*`/.exec(text.slice(start))?.[0].length;
    return end === undefined ? undefined : start + end;
  }
  const open = text[start] === '$' ? start + 1 : start;
  const bracket = text[open];
  if (bracket === "'" && open > start) return text.indexOf("'", open + 1) + 1 || undefined;
  if (bracket !== '(' && bracket !== '{') {
    const name = /^(?:\w+|[@*#?$!-])?/.exec(text.slice(open, open + 200))?.[0] ?? '';
    return open + name.length;
  }
  const close = bracket === '(' ? ')' : '}';
  for (let at = open + 1; at < text.length; ) {
    const character = text[at];
    if (character === close) return at + 1;
    if (character === bracket) {
      const end = closing(text, at, nesting + 1);
      if (end === undefined) return undefined;
      at = end;
    } else if (character === '$' || character === '`') {
      const end = closing(text, at, nesting + 1);
      if (end === undefined) return undefined;
      at = end;
    } else if (character === '"') {
      const end = quoteEnd(text, at, nesting + 1);
      if (end === undefined) return undefined;
      at = end;
    } else if (character === "'" && bracket === '(') {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return undefined;
      at = end + 1;
    } else {
      at += character === '\\' ? 2 : 1;
    }
  }
  return undefined;
}

/** Quotes inside of an expansion nest with it. */
function quoteEnd(text: string, start: number, nesting: number): number | undefined {
  for (let at = start + 1; at < text.length; ) {
    const character = text[at];
    if (character === '"') return at + 1;
    if (character === '$' || character === '`') {
      const end = closing(text, at, nesting);
      if (end === undefined) return undefined;
      at = end;
    } else {
      at += character === '\\' ? 2 : 1;
    }
  }
  return undefined;
}
