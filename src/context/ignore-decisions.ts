/** Why a path is in the context or is not: the rules that match it, and the last of them, which decides (IGN-3). */

import { ancestorsOf, parentOf } from '../tree/path.ts';
import type { IgnoreFile, IgnoreLine } from './ignore-file.ts';

/** A rule of an ignore file. */
export interface ContextRule extends IgnoreLine {
  /** It begins with `!`: what it matches is in the context. */
  readonly keeps: boolean;
}

/** A rule, and what it matched. */
export interface RuleMatch {
  readonly rule: ContextRule;
  /** The path itself, or the topmost directory around it that the rule matches. */
  readonly path: string;
}

/** Decides for many paths of one context; of directories it remembers what was decided. */
export class IgnoreDecisions {
  /** The ignore file's name; undefined when there is none. */
  readonly file: string | undefined;
  readonly #rules: readonly { readonly regex: RegExp; readonly rule: ContextRule }[];
  /** The place of the rule that decides, -1 for none. */
  readonly #directories = new Map<string, number>();

  constructor(file: IgnoreFile | undefined) {
    this.file = file?.name;
    this.#rules = (file?.rules ?? []).flatMap(({ regex, negated }, index) => {
      const line = file?.lines[index];
      if (line === undefined) return [];
      return [{ regex: new RegExp(regex, 'u'), rule: { ...line, keeps: negated } }];
    });
  }

  /** The rule that decides; undefined when none matches the path or a directory around it. */
  deciding(path: string): ContextRule | undefined {
    // The root itself is never ignored.
    return path === '' ? undefined : this.#rules[this.#decide(path)]?.rule;
  }

  /** Every rule that matches the path or a directory around it, in the file's order: the last decides. */
  matching(path: string): readonly RuleMatch[] {
    if (path === '') return [];
    const names = [...ancestorsOf(path), path];
    return this.#rules.flatMap(({ regex, rule }) => {
      const matched = regex.test(path) ? path : names.find((name) => regex.test(name));
      return matched === undefined ? [] : [{ rule, path: matched }];
    });
  }

  #decide(path: string): number {
    const parent = parentOf(path);
    const inherited = parent === '' ? -1 : this.#decideDirectory(parent);
    for (let at = this.#rules.length - 1; at > inherited; at--) {
      if (this.#rules[at]?.regex.test(path)) return at;
    }
    return inherited;
  }

  #decideDirectory(path: string): number {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const decided = this.#decide(path);
    this.#directories.set(path, decided);
    return decided;
  }
}
