/** The variables that FROM sees: platforms, `--build-arg`, ARGs above the first FROM (VAR-8, ARG-2, ARG-5). */

import type { Dockerfile } from '../ast.ts';
import { expandWord } from '../expand.ts';
import type { LintOptions } from './options.ts';

export interface GlobalVariables {
  readonly values: ReadonlyMap<string, string>;
  /** All that may be used without a warning, with a value or not. */
  readonly declared: ReadonlySet<string>;
}

/** Evaluates them. An ARG whose default cannot be evaluated has none: the build says why. */
export function globalVariables(
  dockerfile: Dockerfile,
  options: Pick<LintOptions, 'platform' | 'buildPlatform' | 'target'>,
  buildArgs: Readonly<Record<string, string>>,
): GlobalVariables {
  const values = platformArgs(dockerfile, options);
  const given = new Map(Object.entries(buildArgs));
  for (const [name, value] of given) if (values.has(name)) values.set(name, value);
  const declared = new Set(values.keys());
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind !== 'arg') break;
    for (const { name, default: written } of instruction.args) {
      const value = given.get(name) ?? expand(written, values, dockerfile);
      if (value !== undefined) values.set(name, value);
      declared.add(name);
    }
  }
  return { values, declared };
}

function expand(
  written: string | undefined,
  values: ReadonlyMap<string, string>,
  { escape }: Dockerfile,
): string | undefined {
  if (written === undefined) return undefined;
  try {
    return expandWord(written, (name) => values.get(name), { escape });
  } catch {
    return undefined;
  }
}

function platformArgs(
  dockerfile: Dockerfile,
  options: Pick<LintOptions, 'platform' | 'buildPlatform' | 'target'>,
): Map<string, string> {
  const { platform = DEFAULT_PLATFORM, buildPlatform = platform } = options;
  return new Map([
    ...describe('BUILD', buildPlatform),
    ...describe('TARGET', platform),
    ['TARGETSTAGE', options.target || lastStageName(dockerfile)],
  ]);
}

/** What is built for when nobody says. */
export const DEFAULT_PLATFORM = 'linux/amd64';

function describe(prefix: string, platform: string): (readonly [string, string])[] {
  const [os = '', architecture = '', variant = ''] = platform.split('/');
  return [
    [`${prefix}PLATFORM`, platform],
    [`${prefix}OS`, os],
    [`${prefix}OSVERSION`, ''],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant],
  ];
}

function lastStageName(dockerfile: Dockerfile): string {
  const last = dockerfile.instructions.findLast(({ kind }) => kind === 'from');
  return (last?.kind === 'from' && last.name?.toLowerCase()) || 'default';
}
