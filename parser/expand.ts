/** Variable expansion of Dockerfile words (1.4). Pure; the caller decides what variables there are. */

import { type Lookup, processWord, type ShellSettings } from './shell.ts';

export interface ExpandOptions {
  /** The escape character of the Dockerfile (DIR-4). Ignored with `keepQuotes`. */
  readonly escape: '\\' | '`';
  /** Called with each name that `lookup` does not know, defaults or not (lint UndefinedVar). */
  readonly onUnset?: ((name: string) => void) | undefined;
  /** For bodies of heredocs: quotes are ordinary characters, the escape is a backslash (HD-6). */
  readonly keepQuotes?: boolean | undefined;
}

/**
 * The value of a word: variables replaced, quotes and escapes resolved (VAR-1 to VAR-6).
 *
 * Throws ERR_VARIABLE for a bad substitution, or for `${name?}` without a value.
 */
export function expandWord(text: string, lookup: Lookup, options: ExpandOptions): string {
  // Most words have nothing to expand.
  if (!SPECIAL.test(text)) return text;
  return processWord(text, lookup, shellSettings(options)).word;
}

/**
 * Like `expandWord()`, but split at white space that is not quoted, so that one word may become
 * none or several (EXPOSE).
 */
export function expandWords(
  text: string,
  lookup: Lookup,
  options: ExpandOptions,
): readonly string[] {
  return processWord(text, lookup, shellSettings(options)).words;
}

const SPECIAL = /[$'"\\`\uFEFF]/;

function shellSettings(options: ExpandOptions): ShellSettings {
  const isHeredoc = options.keepQuotes === true;
  return {
    escape: isHeredoc ? '\\' : options.escape,
    ignoreQuotes: isHeredoc,
    onUnset: options.onUnset,
  };
}
