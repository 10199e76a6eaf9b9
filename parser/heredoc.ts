/** Heredoc words of an instruction: `<<EOF`, `3<<-"EOF"` (HD-1, HD-2). */

import { processWord } from './shell.ts';

/** A heredoc before its body is known. */
export interface HeredocWord {
  /** Unquoted. */
  readonly name: string;
  readonly expand: boolean;
  readonly chomp: boolean;
  readonly fileDescriptor: number;
}

/**
 * The heredocs that a logical line announces, in order. Words in quotes announce none.
 *
 * Throws ERR_VARIABLE when a delimiter's quotes are not closed.
 */
export function findHeredocs(line: string): readonly HeredocWord[] {
  if (!line.includes('<<')) return [];
  return splitShellWords(line).flatMap((word) => parseHeredoc(word) ?? []);
}

/** Reads a word as the start of a heredoc; undefined when it is none. Throws ERR_VARIABLE. */
export function parseHeredoc(word: string): HeredocWord | undefined {
  const match = HEREDOC.exec(word);
  const delimiter = match?.[3];
  if (match === null || delimiter === undefined || delimiter === '') return undefined;
  const bare = processWord(delimiter, unset, { escape: '\\', keepUnset: true }).words;
  // A delimiter is one word.
  const [name] = bare;
  if (name === undefined || bare.length > 1) return undefined;
  const quoted = processWord(delimiter, unset, { escape: '\\', keepUnset: true, keepQuotes: true });
  return {
    name,
    // Quotes that only show where they are kept did quote something.
    expand: countQuotes(name) === countQuotes(quoted.words[0] ?? ''),
    chomp: match[2] === '-',
    fileDescriptor: Number(match[1] || 0),
  };
}

/** `content` without the tabs that lead its lines (HD-2). */
export function chompTabs(content: string): string {
  return content.replace(/(^|\n)\t+/g, '$1');
}

const HEREDOC = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/;

function unset(): undefined {
  return undefined;
}

function splitShellWords(line: string): readonly string[] {
  const settings = { escape: '\\', keepUnset: true, keepQuotes: true, keepEscapes: true } as const;
  try {
    return processWord(line, unset, settings).words;
  } catch {
    // The shell's words may be beyond ours; then there are no heredocs, as in BuildKit.
    return [];
  }
}

function countQuotes(text: string): number {
  return text.match(/['"]/g)?.length ?? 0;
}
