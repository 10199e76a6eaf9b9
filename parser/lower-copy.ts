/** COPY and ADD (1.8). */

import type { AddInstruction, CopyInstruction, CopySource } from './ast.ts';
import { FLAGS, type FlagSpec, type FlagValues, readFlags } from './flags.ts';
import type { Span } from './grammar.ts';
import { parseHeredoc } from './heredoc.ts';
import {
  argumentSpans,
  failInstruction,
  instructionBase,
  type Lowering,
  spanRange,
  toHeredocs,
} from './lowering.ts';

/** CP-1, CP-2. That `--from` has no variable is for the planner to check: it is no syntax (VAR-9). */
export function lowerCopy(lowering: Lowering): CopyInstruction {
  const { common, flags } = readParts(lowering, FLAGS.copy);
  return {
    ...instructionBase(lowering),
    kind: 'copy',
    ...common,
    from: flags.text('from') || undefined,
    parents: flags.boolean('parents') ?? false,
  };
}

/** CP-1, CP-2. */
export function lowerAdd(lowering: Lowering): AddInstruction {
  const { common, flags } = readParts(lowering, FLAGS.add);
  return {
    ...instructionBase(lowering),
    kind: 'add',
    ...common,
    checksum: flags.text('checksum') || undefined,
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

interface CopyParts {
  readonly flags: FlagValues;
  readonly common: Pick<
    CopyInstruction,
    'sources' | 'destination' | 'chown' | 'chmod' | 'link' | 'exclude'
  >;
}

function readParts(lowering: Lowering, spec: FlagSpec): CopyParts {
  const words = argumentSpans(lowering.args);
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2) {
    const problem = `${lowering.name} requires at least two arguments, but only one was provided. Destination could not be determined`;
    return failInstruction(lowering, problem);
  }
  const flags = readFlags(lowering, spec);
  if (isHeredoc(destination)) {
    const problem = `${lowering.name} cannot accept a heredoc as a destination`;
    return failInstruction(lowering, problem, spanRange(lowering, destination));
  }
  return {
    flags,
    common: {
      sources: toSources(lowering, words.slice(0, -1)),
      destination: destination.text,
      chown: flags.text('chown') || undefined,
      chmod: flags.text('chmod') || undefined,
      link: flags.boolean('link') ?? false,
      exclude: flags.list('exclude'),
    },
  };
}

function isHeredoc(word: Span): boolean {
  return heredocName(word) !== undefined;
}

function heredocName(word: Span): string | undefined {
  if (!word.text.includes('<<')) return undefined;
  try {
    return parseHeredoc(word.text)?.name;
  } catch {
    // A quote that is not closed: then it is a path, as in BuildKit.
    return undefined;
  }
}

/** CP-18: a heredoc's body is found by its name; of two with the same name, the last one counts. */
function toSources(lowering: Lowering, words: readonly Span[]): readonly CopySource[] {
  const heredocs = toHeredocs(lowering);
  const sources = words.map((word): CopySource => {
    const name = heredocName(word);
    const heredoc = heredocs.findLast((candidate) => candidate.name === name);
    if (heredoc !== undefined) return heredoc;
    return Object.freeze({ kind: 'path', text: word.text, range: spanRange(lowering, word) });
  });
  return Object.freeze(sources);
}
