/** `# check=…`: which checks run, for a file and for single instructions (DIR-7, DIR-8). */

import { type SourceLocation, TsbuildError } from '../../src/errors.ts';
import type { Comment, Dockerfile } from '../ast.ts';
import type { LintConfig } from './options.ts';

/**
 * The checks that a file asks for; BUILDKIT_DOCKERFILE_CHECK among the build arguments goes before
 * the directive (DIR-8). Throws ERR_INSTRUCTION_INVALID, with a location if the file is at fault.
 */
export function lintConfigOf(
  dockerfile: Dockerfile,
  buildArgs: Readonly<Record<string, string>> = {},
): LintConfig {
  const override = buildArgs['BUILDKIT_DOCKERFILE_CHECK'];
  if (override !== undefined) return parseConfig(override, undefined);
  const directive = dockerfile.directives.find(({ name }) => name === 'check');
  if (directive === undefined) return NOTHING;
  const { file, source } = dockerfile;
  return parseConfig(directive.value, { file, source, range: directive.range });
}

/**
 * Tells whether a check is turned off, for the file or by the comments directly above the instruction at
 * a line (DIR-7, DIR-8). Throws what `lintConfigOf()` throws.
 */
export function readSkips(
  dockerfile: Dockerfile,
  buildArgs?: Readonly<Record<string, string>>,
): (rule: string, line: number | undefined) => boolean {
  const config = lintConfigOf(dockerfile, buildArgs);
  return (rule, line) => {
    const at = dockerfile.instructions.find(({ range }) => range.start.line === line);
    const { skip, skipAll } = mergeComments(config, at?.leadingComments ?? []);
    return skipAll || skip.has(rule);
  };
}

/** With what the comments directly above an instruction add; `error=` has no effect there. */
export function mergeComments(config: LintConfig, comments: readonly Comment[]): LintConfig {
  let merged = config;
  for (const { text } of comments) {
    const match = /^\s*check\s*=\s*(\S+)/i.exec(text);
    const own = match?.[1] === undefined ? undefined : tryParse(match[1]);
    if (own === undefined) continue;
    merged = {
      skip: new Set([...merged.skip, ...own.skip]),
      skipAll: merged.skipAll || own.skipAll,
      experimental: new Set([...merged.experimental, ...own.experimental]),
      experimentalAll: merged.experimentalAll || own.experimentalAll,
      error: config.error,
    };
  }
  return merged;
}

const NOTHING: LintConfig = {
  skip: new Set(),
  skipAll: false,
  experimental: new Set(),
  experimentalAll: false,
  error: false,
};

/** A comment that happens to begin like one is only a comment. */
function tryParse(text: string): LintConfig | undefined {
  try {
    return parseConfig(text, undefined);
  } catch {
    return undefined;
  }
}

const MAX_PARTS = 3;

function parseConfig(text: string, location: SourceLocation | undefined): LintConfig {
  let config = NOTHING;
  if (text.trim() === '') return config;
  for (const part of splitParts(text.trim())) {
    const equals = part.indexOf('=');
    if (equals < 0) return fail(part, location);
    const value = part.slice(equals + 1).trim();
    const key = part.slice(0, equals).trim();
    if (key === 'skip') {
      config = { ...config, ...(value === 'all' ? { skipAll: true } : { skip: names(value) }) };
    } else if (key === 'experimental') {
      const chosen = value === 'all' ? { experimentalAll: true } : { experimental: names(value) };
      config = { ...config, ...chosen };
    } else if (key === 'error') {
      if (!/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)) fail(part, location);
      config = { ...config, error: /^[1t]/i.test(value) };
    } else {
      return fail(key, location);
    }
  }
  return config;
}

/** The last part takes whatever follows. */
function splitParts(text: string): readonly string[] {
  const parts = text.split(';');
  if (parts.length <= MAX_PARTS) return parts;
  return [...parts.slice(0, MAX_PARTS - 1), parts.slice(MAX_PARTS - 1).join(';')];
}

function names(text: string): ReadonlySet<string> {
  return new Set(text.split(',').map((name) => name.trim()));
}

function fail(option: string, location: SourceLocation | undefined): never {
  throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot read the check options: invalid check option "${option}"`,
    details: undefined,
    location,
    hint: 'The options are skip=Rule,…, experimental=Rule,… and error=true, separated by ";".',
  });
}
