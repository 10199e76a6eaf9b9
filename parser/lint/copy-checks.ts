/** COPY and ADD: variables in their words, and sources that the ignore file leaves out. */

import type { AddInstruction, CopyInstruction } from '../ast.ts';
import { expandReporting, type InstructionContext } from './context.ts';
import { RULES } from './rules.ts';

/** `--exclude` and `--from` are not expanded (VAR-9). */
export function checkCopy(
  instruction: CopyInstruction | AddInstruction,
  context: InstructionContext,
): void {
  const { chown, chmod, destination, sources } = instruction;
  const checksum = instruction.kind === 'add' ? instruction.checksum : undefined;
  for (const word of [chown, chmod, checksum]) {
    if (word !== undefined) expandReporting(word, context);
  }
  const paths = sources.flatMap((source) =>
    source.kind === 'path' ? expandReporting(source.text, context) : [],
  );
  expandReporting(destination, context);
  for (const source of sources) {
    if (source.kind === 'heredoc' && source.expand) {
      expandReporting(source.content, context, { keepQuotes: true });
    }
  }
  if (instruction.kind === 'copy' && instruction.from !== undefined) return;
  const verb = instruction.kind === 'add' ? 'Add' : 'Copy';
  for (const path of paths) {
    if (!isRemote(path)) checkIgnored(path, verb, context);
  }
}

function isRemote(path: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@/.test(path);
}

function checkIgnored(source: string, verb: string, { options, warn }: InstructionContext): void {
  const { dockerignore } = options;
  // With exceptions, a directory may be left out and a file in it not.
  if (dockerignore === undefined) return;
  const { patterns, matches } = dockerignore;
  if (patterns.some((pattern) => pattern.startsWith('!'))) return;
  const path = clean(source);
  const isRoot = path === '.' || path === '/';
  const isIgnored = isRoot
    ? patterns.some((pattern) => EVERYTHING.includes(pattern))
    : matches(path);
  if (isIgnored) warn(RULES.CopyIgnoredFile, verb, path);
}

const EVERYTHING = ['*', '**', '**/*'];

/** Go's `filepath.Clean`. */
function clean(path: string): string {
  const isAbsolute = path.startsWith('/');
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.length > 0 && names.at(-1) !== '..') names.pop();
    else if (!isAbsolute) names.push(name);
  }
  return (isAbsolute ? '/' : '') + names.join('/') || '.';
}
