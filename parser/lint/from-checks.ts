/** Checks of FROM with the global ARGs (VAR-8). */

import { suggest } from '../../src/errors.ts';
import type { Dockerfile } from '../ast.ts';
import { expandWord } from '../expand.ts';
import type { GlobalVariables } from './global-args.ts';
import { dropPlatform } from './fixes-from.ts';
import type { Fix } from './options.ts';
import { readPlatform } from './platforms.ts';
import type { Reporter, Warn } from './reporter.ts';
import { RULES } from './rules.ts';
import type { SourceLines } from './source-lines.ts';
import type { LintStage } from './stages.ts';

export interface FromChecks {
  readonly dockerfile: Dockerfile;
  readonly globals: GlobalVariables;
  /** As they are without `--build-arg`. */
  readonly defaults: GlobalVariables;
  readonly reporter: Reporter;
  readonly lines: SourceLines;
}

/** Reports on a stage's image name and platform. */
export function checkFrom(
  stage: LintStage,
  { dockerfile, globals, defaults, reporter, lines }: FromChecks,
): void {
  const { from } = stage;
  const warn = reporter.at(from);
  const image = expand(from.image.text, defaults.values, dockerfile);
  if (image !== undefined && !isReference(image.text)) {
    warn(RULES.InvalidDefaultArgInFrom, from.image.text);
  }
  warnUndeclared(expand(from.image.text, globals.values, dockerfile), globals, warn);
  if (from.platform === undefined) return;
  const platform = expand(from.platform, globals.values, dockerfile);
  if (platform === undefined) return;
  warnUndeclared(platform, globals, warn);
  if (platform.unset.size > 0) return;
  const [only] = platform.used;
  if (only === undefined) {
    if (isForeign(platform.text, stage.name)) {
      warn(RULES.FromPlatformFlagConstDisallowed, platform.text);
    }
  } else if (
    platform.used.size === 1 &&
    only === 'TARGETPLATFORM' &&
    platform.text === globals.values.get(only)
  ) {
    const fix = (): Fix | undefined => dropPlatform(from, lines);
    reporter.fixable(from, fix)(RULES.RedundantTargetPlatform, from.platform);
  }
}

interface Expanded {
  readonly text: string;
  /** Names of variables with a value, and without one. */
  readonly used: ReadonlySet<string>;
  readonly unset: ReadonlySet<string>;
}

/** Undefined when it cannot be expanded: then the build fails there anyway. */
function expand(
  written: string,
  values: ReadonlyMap<string, string>,
  { escape }: Dockerfile,
): Expanded | undefined {
  const used = new Set<string>();
  const unset = new Set<string>();
  const lookup = (name: string): string | undefined => {
    const value = values.get(name);
    (value === undefined ? unset : used).add(name);
    return value;
  };
  try {
    return { text: expandWord(written, lookup, { escape }), used, unset };
  } catch {
    return undefined;
  }
}

function warnUndeclared(
  expanded: Expanded | undefined,
  { declared }: GlobalVariables,
  warn: Warn,
): void {
  for (const name of expanded?.unset ?? []) {
    if (declared.has(name)) continue;
    const close = suggest(name, declared, { exactCase: true }) ?? '';
    warn(RULES.UndefinedArgInFrom, name, close);
  }
}

/** A constant platform that the stage's name does not tell of. What is no platform fails in the build. */
function isForeign(text: string, stage: string): boolean {
  const platform = readPlatform(text);
  if (platform === undefined) return false;
  const { os, architecture } = platform;
  return !stage.includes(os) && (architecture === undefined || !stage.includes(architecture));
}

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = `(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?`;
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REFERENCE = new RegExp(
  `^(?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/** Whether an image could have this name. */
function isReference(text: string): boolean {
  // An id is none, and a very long one only costs time.
  return text.length <= 1024 && REFERENCE.test(text) && !/^[0-9a-f]{64}$/.test(text);
}
