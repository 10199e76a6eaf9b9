/** What `replay_api.mjs` of the corpus calls: our parser in the words of BuildKit's. */

import {
  expandWord as expand,
  expandWords as expandAll,
  detectSyntax,
  lint as lintDockerfile,
  parseDockerfile,
  parsePorts,
} from '../../parser/index.ts';
import { decodeFlag } from '../../parser/flags.ts';
import type { ParsedArguments, ParsedLine } from '../../parser/grammar.ts';
import { readInstructions } from '../../parser/nodes.ts';
import { trimSpace } from '../../parser/whitespace.ts';
import { createIgnore, readIgnore } from '../../src/context/ignore.ts';

export { readIgnore } from '../../src/context/ignore.ts';

/** Parses as far as BuildKit's `parser.Parse` does; `dump` is its `Node.Dump`. */
export function parse(text: string): object {
  const { nodes, escape, warnings } = readInstructions(text, 'Dockerfile');
  return {
    dump: nodes.map((node) => `(${dumpLine(node.parsed)})`).join('\n'),
    nodes: nodes.map((node) => ({
      start: node.line.firstLine,
      end: node.range.end.line,
      heredocs: node.heredocs.map(({ name, content, expand, chomp, fileDescriptor }) => ({
        name,
        content,
        expand,
        chomp,
        fd: fileDescriptor,
      })),
    })),
    escape,
    warnings: warnings.map(({ message, range }) => ({ message, line: range.start.line })),
    syntax: detectSyntax(text),
  };
}

/** Whether ignore patterns match a path. */
export function match(patterns: readonly string[], path: string): boolean {
  return createIgnore(patterns)(path);
}

export function instructions(text: string): void {
  parseDockerfile(text);
}

export function expandWord(word: string, env: readonly string[]): string {
  return expand(word, lookupIn(env), { escape: '\\' });
}

export function expandWords(word: string, env: readonly string[]): readonly string[] {
  return expandAll(word, lookupIn(env), { escape: '\\' });
}

export function ports(specs: readonly string[]): readonly string[] {
  return parsePorts(specs);
}

interface LintCase {
  readonly dockerfile: string;
  readonly dockerignore?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** A snippet of BuildKit's documentation: not always a whole Dockerfile. */
  readonly docExample?: boolean;
}

/** The warnings of a check run for the default target. */
export function lint({ dockerfile, dockerignore, buildArgs, docExample }: LintCase): object[] {
  const text = docExample === true ? completeExample(dockerfile) : dockerfile;
  // The page of CopyIgnoredFile gives its ignore file apart from the Dockerfiles.
  const patterns = readIgnore(dockerignore ?? (docExample === true ? 'tmp' : ''));
  const warnings = lintDockerfile(parseDockerfile(text), {
    buildArgs,
    target: '',
    dockerignore: { patterns, matches: createIgnore(patterns) },
  });
  return warnings.map(({ range, ...warning }) => ({ ...warning, line: range.start.line }));
}

/** With a FROM where the documentation leaves it out, without its `...`, and with every check on. */
function completeExample(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '...');
  const start = /^\s*from\s/im.test(text) ? '' : 'FROM scratch\n';
  return `# check=experimental=all\n${start}${lines.join('\n')}`;
}

function lookupIn(env: readonly string[]): (name: string) => string | undefined {
  const values = new Map(
    env.map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
  return (name) => values.get(name);
}

function dumpLine(line: ParsedLine): string {
  const flags = line.flags.map((flag) => quote(decodeFlag(flag.text)));
  const parts = [
    line.keyword.text.toLowerCase(),
    ...(flags.length === 0 ? [] : [`[${flags.join(' ')}]`]),
    ...dumpArguments(line.arguments),
  ];
  return trimSpace(parts.join(' '));
}

function dumpArguments(args: ParsedArguments): readonly string[] {
  switch (args.shape) {
    case 'none':
      return [];
    case 'unknown':
      return ['""'];
    case 'words':
    case 'arguments':
      return args.words.map((word) => quote(word.text));
    case 'array':
      return args.values.map((value) => quote(value.text));
    case 'text':
      return [quote(args.text.text)];
    case 'pairs':
      return args.words.flatMap(({ text }) => {
        const equals = text.indexOf('=');
        return [quote(text.slice(0, equals)), quote(text.slice(equals + 1)), '"="'];
      });
    case 'legacy':
      return [quote(args.name.text), quote(args.value.text), '""'];
    case 'health':
      return [quote(args.type.text), ...dumpArguments(args.command)];
    case 'trigger':
      return [`(${dumpLine(args.line)})`];
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Go's `strconv.Quote`. */
function quote(text: string): string {
  const quoted = Array.from(text, (character) => {
    const escape = ESCAPES[character];
    if (escape !== undefined) return escape;
    if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
    return `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${quoted.join('')}"`;
}
