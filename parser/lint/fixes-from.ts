/** Fixes of FROM: casing of `as` and of stage names, a platform that is the default anyway. */

import type { CopyInstruction, Dockerfile, FromInstruction, RunInstruction } from '../ast.ts';
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
  { instructions }: Dockerfile,
  lines: SourceLines,
): Fix | undefined {
  const { name } = from;
  if (name === undefined) return undefined;
  const text = name.toLowerCase();
  const start = from.text.length - name.length;
  const edits: (Edit | undefined)[] = [edited(from, { start, length: name.length, text }, lines)];
  // Above it, the name is an image's.
  for (const instruction of instructions.slice(instructions.indexOf(from))) {
    if (instruction.flags.length === 0) continue;
    if (instruction.kind !== 'copy' && instruction.kind !== 'run') continue;
    edits.push(...referencesTo(text, instruction, lines));
  }
  const found = edits.filter((edit) => edit !== undefined);
  if (found.length < edits.length) return undefined;
  return { description: `write the stage's name as "${text}"`, edits: found };
}

/** Those in another case; undefined for one that is not written plainly. */
function referencesTo(
  stage: string,
  { kind, flags }: CopyInstruction | RunInstruction,
  lines: SourceLines,
): readonly (Edit | undefined)[] {
  const pattern = kind === 'copy' ? /^(.*)()$/s : /^(?:|.*?,)\s*from\s*=([^,]*)(.*)$/is;
  const flagName = kind === 'copy' ? 'from' : 'mount';
  return flags.flatMap(({ name, value, range }) => {
    const [, written = '', rest = ''] = pattern.exec(value ?? '') ?? [];
    if (name !== flagName || value === undefined || written.toLowerCase() !== stage) return [];
    if (written === stage) return [];
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
