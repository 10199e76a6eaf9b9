/** What is true at one point of a stage (VAR-7, ARG-3). */

import type { SourceRange } from '../../src/errors.ts';
import type { Dockerfile } from '../ast.ts';
import type { BaseImageFacts } from './options.ts';

interface ScopeStart {
  readonly parent: StageScope | undefined;
  readonly facts: BaseImageFacts | undefined;
  readonly escape: Dockerfile['escape'];
}

/** Changes from instruction to instruction. */
export class StageScope {
  readonly escape: Dockerfile['escape'];
  /** Values of ENV and ARG, in the order in which they were set. */
  readonly variables: Map<string, string>;
  /** ARGs with or without a value. */
  readonly declared: Set<string>;
  /** A SHELL was set, here or in the base. */
  hasShell: boolean;
  /** A WORKDIR came before, in this file. */
  hasWorkdir: boolean;
  /** Where the last CMD, ENTRYPOINT and HEALTHCHECK of this stage are. */
  readonly lastOf = new Map<'cmd' | 'entrypoint' | 'healthcheck', SourceRange>();

  constructor({ parent, facts, escape }: ScopeStart) {
    this.escape = escape;
    this.variables = new Map(parent?.variables ?? pairsOf(facts?.env ?? []));
    if (!this.variables.has('PATH')) this.variables.set('PATH', '');
    this.declared = new Set(parent?.declared);
    this.hasShell = parent?.hasShell ?? (facts?.shell?.length ?? 0) > 0;
    this.hasWorkdir = parent?.hasWorkdir ?? false;
  }
}

function pairsOf(env: readonly string[]): readonly (readonly [string, string])[] {
  return env.map((entry) => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });
}
