/** What a check run takes and gives. */

import type { SourceRange } from '../../src/errors.ts';

/** Something that a check finds wrong. */
export interface LintWarning {
  /** The check's name, e.g. `FromAsCasing`. */
  readonly rule: string;
  /** A note is advice: it changes no exit status, and `# check=error=true` does not make it fatal. */
  readonly level: Level;
  readonly message: string;
  /** What the check is about, the same for each of its warnings. */
  readonly description: string;
  /** A page about the check, if it has one. */
  readonly url: string | undefined;
  readonly range: SourceRange;
  /** How to mend it, where that needs no judgement. */
  readonly fix?: Fix;
}

export type Level = 'warning' | 'note';

/** A change of the source that mends what a warning is about, and changes nothing else's meaning. */
export interface Fix {
  /** What it does, e.g. `write "as" in capitals`. */
  readonly description: string;
  /** In file order, none overlapping another. */
  readonly edits: readonly Edit[];
}

/** `text` in place of what stands in `range`. */
export interface Edit {
  readonly range: SourceRange;
  readonly text: string;
}

/** What is known of a stage's base image; env and shell silence checks. */
export interface BaseImageFacts {
  /** `NAME=value` */
  readonly env?: readonly string[] | undefined;
  readonly shell?: readonly string[] | undefined;
  /** ONBUILD triggers. */
  readonly triggers?: readonly string[] | undefined;
  readonly platform?: { readonly os: string; readonly architecture: string } | undefined;
  /** '' for root; undefined when nobody knows. */
  readonly user?: string | undefined;
  /** Empty for none; undefined when nobody knows. */
  readonly entrypoint?: readonly string[] | undefined;
}

export interface LintOptions {
  /**
   * Which of the checks run that BuildKit does not have: none (the default), those for what must
   * not be in an image, or all.
   */
  readonly beyond?: 'none' | 'severe' | 'all' | undefined;
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  /**
   * Which stages are evaluated: those that this one needs (a name, or an index; '' for the last
   * stage); undefined: all of them (CHK-1). What can be seen without evaluation is always reported.
   */
  readonly target?: string | undefined;
  /** `os/architecture[/variant]` of the image; default: `linux/amd64`. */
  readonly platform?: string | undefined;
  /** The same for what the build runs on; default: `platform`. */
  readonly buildPlatform?: string | undefined;
  /** The ignore file of the context: its patterns as read, and a function that applies them. */
  readonly dockerignore?:
    | {
        readonly patterns: readonly string[];
        readonly matches: (path: string) => boolean;
      }
    | undefined;
  /** Names that FROM and `--from` find outside of the file and of registries (CTX-6). */
  readonly buildContexts?: readonly string[] | undefined;
  /** Asked for stages that start from an image, by their index in the file. */
  readonly baseImage?: ((stage: number) => BaseImageFacts | undefined) | undefined;
}

/** What a file's `# check=` says (DIR-7). */
export interface LintConfig {
  readonly skip: ReadonlySet<string>;
  readonly skipAll: boolean;
  readonly experimental: ReadonlySet<string>;
  readonly experimentalAll: boolean;
  /** Warnings fail the build (CHK-3). */
  readonly error: boolean;
}
