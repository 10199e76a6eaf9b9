/** Fixes of values: pairs, commands, ports. Each only where the value stays the same. */

import type { CommandInstruction, Dockerfile, PairsInstruction, Word } from '../ast.ts';
import { expandWord } from '../expand.ts';
import type { InstructionContext } from './context.ts';
import { parseLine } from './fixes-written.ts';
import type { Edit, Fix } from './options.ts';
import type { SourceLines } from './source-lines.ts';

/** `name value` as `name=value`, in quotes where it needs some. */
export function toPair(
  instruction: PairsInstruction,
  { escape }: Dockerfile,
  lines: SourceLines,
): Fix | undefined {
  const match = /^(\S+\s+)(\S+)(\s+)([^]+)$/.exec(instruction.text);
  const [, head = '', name = '', space = '', value = ''] = match ?? [];
  const [pair] = instruction.pairs;
  if (pair?.name !== name || pair.value !== value) return undefined;
  const start = head.length + name.length;
  const gap = lines.locate(instruction, start - 1, start + space.length + 1);
  const end = lines.locate(instruction, instruction.text.length - 1, instruction.text.length)?.end;
  if (gap === undefined || end === undefined || lines.slice(gap).includes('\n')) return undefined;
  const quote = ['', '"'].find((candidate) => {
    // Quotes side by side can come out right, but nobody could read them.
    if (candidate !== '' && value.includes(candidate)) return false;
    const text = `${instruction.keyword} ${name}=${candidate}${value}${candidate}`;
    const written = parseLine(text, escape);
    if (written?.kind !== instruction.kind || written.legacy) return false;
    const [own, more] = written.pairs;
    return own?.name === name && more === undefined && isSame(value, own.value, escape);
  });
  if (quote === undefined) return undefined;
  const separator = {
    start: { line: gap.start.line, column: gap.start.column + 1 },
    end: { line: gap.end.line, column: gap.end.column - 1 },
  };
  const edits: Edit[] = [{ range: separator, text: `=${quote}` }];
  if (quote !== '') edits.push({ range: { start: end, end }, text: quote });
  return { description: 'write name=value', edits };
}

/** Whatever the variables are. */
function isSame(before: string, after: string, escape: Dockerfile['escape']): boolean {
  return [undefined, '', 'a  "b" \'c\' \\d $e'].every((sample) => {
    const expand = (text: string): string | undefined => {
      try {
        return expandWord(text, () => sample, { escape });
      } catch {
        return undefined;
      }
    };
    const value = expand(before);
    return value !== undefined && value === expand(after);
  });
}

/** Words that mean the same without a shell, and commands that only a shell has. */
const PLAIN = /^[A-Za-z0-9_./:,@%+-][A-Za-z0-9_./:,@%+=-]*$/;
const BUILTIN =
  /^(?:[.:]|alias|bg|break|case|cd|command|continue|do|done|eval|exec|exit|export|fc|fg|for|function|getopts|hash|if|jobs|let|local|read|readonly|return|select|set|shift|source|time|times|trap|type|typeset|ulimit|umask|unalias|unset|until|wait|while)$/;

/**
 * The shell form as JSON. CMD and ENTRYPOINT decide together what runs, so there is none where both
 * are, nor for CMD where nobody knows the base image's entrypoint.
 */
export function toJson(
  instruction: CommandInstruction,
  { dockerfile, lines, facts }: InstructionContext,
): Fix | undefined {
  const { command, kind, text } = instruction;
  if (command.form !== 'shell' || !text.endsWith(command.line)) return undefined;
  const isAlone = !kindsIn(dockerfile).has(kind === 'cmd' ? 'entrypoint' : 'cmd');
  const isTriggered = facts?.triggers?.some((trigger) => /^\s*(?:cmd|entrypoint)\b/i.test(trigger));
  const isKnown = kind === 'entrypoint' || facts?.entrypoint?.length === 0;
  const words = [...command.line.matchAll(/[^ \t]+/g)];
  const isPlain = words.every(([word]) => PLAIN.test(word));
  const [first] = words;
  if (
    !isAlone ||
    !isKnown ||
    isTriggered === true ||
    !isPlain ||
    first === undefined ||
    BUILTIN.test(first[0])
  ) {
    return undefined;
  }
  if (first[0].includes('=')) return undefined;
  const offset = text.length - command.line.length;
  const edits = words.map(({ 0: word, index }, at): Edit | undefined => {
    const range = lines.locate(instruction, offset + index, offset + index + word.length);
    if (range === undefined || lines.slice(range) !== word) return undefined;
    const open = at === 0 ? '[' : '';
    const close = at === words.length - 1 ? ']' : ',';
    return { range, text: `${open}"${word}"${close}` };
  });
  const found = edits.filter((edit) => edit !== undefined);
  return found.length < edits.length ? undefined : { description: 'write JSON', edits: found };
}

const kinds = new WeakMap<Dockerfile, ReadonlySet<string>>();

/** The instructions of a file by keyword, triggers too; found once for all of its commands. */
function kindsIn(dockerfile: Dockerfile): ReadonlySet<string> {
  const known = kinds.get(dockerfile);
  if (known !== undefined) return known;
  const found = new Set(
    dockerfile.instructions.map((instruction) =>
      instruction.kind === 'onbuild'
        ? (/^\w*/.exec(instruction.trigger)?.[0].toLowerCase() ?? '')
        : instruction.kind,
    ),
  );
  kinds.set(dockerfile, found);
  return found;
}

/** A port's protocol in lower case, where it is no variable's. */
export function lowerProtocol({ text, range }: Word): Fix | undefined {
  if (!/^[\d.:[\]-]+\/[A-Za-z]+$/.test(text)) return undefined;
  return {
    description: 'write the protocol in lower case',
    edits: [{ range, text: text.toLowerCase() }],
  };
}
