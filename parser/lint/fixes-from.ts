/** Fixes of FROM: casing of `as` and of stage names, a platform that is the default anyway. */

import type { CopyInstruction, Dockerfile, Flag, FromInstruction, RunInstruction } from '../ast.ts';
import type { Edit, Fix } from './options.ts';
import type { SourceLines } from './source-lines.ts';

/** `as` in the case of `FROM`. */
export function matchAs(from: FromInstruction, lines: SourceLines): Fix | undefined {
  const match = /\s(as)\s+\S+$/i.exec(from.text);
  if (match === null) return undefined;
  const isLower = from.keyword === from.keyword.toLowerCase();
  const text = isLower ? 'as' : 'AS';
  const edit = edited(from, { start: match.index + 1, length: 2, text }, lines);
  return edit && { description: `write ${text}`, edits: [edit] };
}

/** A stage's name in lower case, with every `--from` and `from=` that names it; else nothing. */
export function renameStage(
  from: FromInstruction,
  dockerfile: Dockerfile,
  lines: SourceLines,
): Fix | undefined {
  const { name } = from;
  if (name === undefined) return undefined;
  const text = name.toLowerCase();
  const start = from.text.length - name.length;
  const edits: (Edit | undefined)[] = [edited(from, { start, length: name.length, text }, lines)];
  // Above it, the name is an image's.
  for (const instruction of usersOf(dockerfile).get(text) ?? []) {
    const isBelow = instruction.range.start.line > from.range.start.line;
    if (isBelow) edits.push(...referencesTo(text, instruction, lines));
  }
  const found = edits.filter((edit) => edit !== undefined);
  if (found.length < edits.length) return undefined;
  return { description: `write the stage's name as "${text}"`, edits: found };
}

type User = CopyInstruction | RunInstruction;

const users = new WeakMap<Dockerfile, ReadonlyMap<string, readonly User[]>>();

/** The instructions that take something from a stage, by its name in lower case; found once for all names. */
function usersOf(dockerfile: Dockerfile): ReadonlyMap<string, readonly User[]> {
  const known = users.get(dockerfile);
  if (known !== undefined) return known;
  const found = new Map<string, User[]>();
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind !== 'copy' && instruction.kind !== 'run') continue;
    const names = instruction.flags.map((flag) => nameIn(instruction, flag).written.toLowerCase());
    for (const name of new Set(names)) {
      const list = found.get(name);
      if (list === undefined) found.set(name, [instruction]);
      else list.push(instruction);
    }
  }
  users.set(dockerfile, found);
  return found;
}

/** The stage that a flag names, '' for none, and what follows it. */
function nameIn(
  { kind }: User,
  { name, value }: Flag,
): { readonly written: string; readonly rest: string } {
  const isOurs = name === (kind === 'copy' ? 'from' : 'mount');
  const pattern = kind === 'copy' ? /^(.*)()$/s : /^(?:|.*?,)\s*from\s*=([^,]*)(.*)$/is;
  const [, written = '', rest = ''] = (isOurs && pattern.exec(value ?? '')) || [];
  return { written, rest };
}

/** Those in another case; undefined for one that is not written plainly. */
function referencesTo(
  stage: string,
  instruction: User,
  lines: SourceLines,
): readonly (Edit | undefined)[] {
  return instruction.flags.flatMap((flag) => {
    const { written, rest } = nameIn(instruction, flag);
    const { name, value, range } = flag;
    if (value === undefined || written.toLowerCase() !== stage || written === stage) return [];
    const before = value.slice(0, value.length - rest.length - written.length);
    const isPlain = lines.slice(range) === `--${name}=${value}`;
    return [isPlain ? { range, text: `--${name}=${before}${stage}${rest}` } : undefined];
  });
}

/** Without `--platform`. */
export function dropPlatform(from: FromInstruction, lines: SourceLines): Fix | undefined {
  const flag = from.flags.find(({ name }) => name === 'platform');
  if (flag === undefined || from.flags.length > 1) return undefined;
  const range = { start: flag.range.start, end: from.image.range.start };
  const isAlone = !/^\S+[ \t]+$/.test(lines.slice(range));
  const edit = { range: isAlone ? flag.range : range, text: '' };
  return { description: 'leave out the platform', edits: [edit] };
}

interface Replacement {
  readonly start: number;
  readonly length: number;
  readonly text: string;
}

/** Undefined when a line ends within what is to be replaced. */
function edited(
  from: FromInstruction,
  { start, length, text }: Replacement,
  lines: SourceLines,
): Edit | undefined {
  const range = lines.locate(from, start, start + length);
  return range?.start.line === range?.end.line && range ? { range, text } : undefined;
}
