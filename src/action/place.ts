/** Where the runner shows a message: a file of the repository, and its lines. */

import { join, relative, resolve } from 'node:path';
import { dockerfilePath } from '../cli/dockerfile-path.ts';
import type { Environment } from '../cli/environment.ts';
import type { BuildOptions, SourceLocation, SourceRange } from '../index.ts';
import { isOwnRepository } from './default-context.ts';
import type { CommandProperties } from './runner.ts';

/** Undefined for a file that the runner does not have, or that is not in its workspace. */
export type PathOf = (file: string) => string | undefined;

/** Names of messages to paths in the workspace, or in the repository, where that is the context. */
export function createPathOf(
  options: Pick<BuildOptions, 'context' | 'dockerfile'>,
  workspace: string,
  environment: Environment,
): PathOf {
  const { context } = options;
  if (typeof context === 'string' && isOwnRepository(context, environment)) {
    const [, directory = ''] = /#[^:]*:(.*)$/.exec(context) ?? [];
    return (file) => join(directory, file);
  }
  return (file) => {
    const path = dockerfilePath(file, options);
    if (path === undefined) return undefined;
    const inside = relative(resolve(workspace), path);
    return inside.startsWith('..') ? undefined : inside;
  };
}

/** The properties of an annotation. */
export function placeOf(
  location: Pick<SourceLocation, 'file' | 'range'> | undefined,
  pathOf: PathOf,
): CommandProperties {
  const file = location && pathOf(location.file);
  if (location === undefined || file === undefined) return {};
  return { file, line: location.range.start.line, endLine: lastLine(location.range) };
}

/** A range that ends where a line begins does not include it. */
function lastLine({ start, end }: SourceRange): number | undefined {
  const last = end.column === 0 ? end.line - 1 : end.line;
  return last > start.line ? last : undefined;
}
