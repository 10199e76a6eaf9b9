/** `--secret` to bytes. */

import { readFile } from 'node:fs/promises';
import { TsbuildError } from '../index.ts';
import { usage } from './argv.ts';
import type { Environment } from './environment.ts';
import { parseFields } from './values.ts';

/** BuildKit's limit (LIM-2). */
const MAX_BYTES = 500 * 1024;
const KEYS = ['id', 'src', 'source', 'env', 'type', 'cache', 'guard'];

/**
 * `id=X,src=FILE`, `id=X,env=VARIABLE`, or `id=X` alone: the variable X if there is one, else the
 * file X (BXS-5). `cache=rotate`: another value runs the steps again (T-54); `guard=off`: it may be in
 * the image (T-55). @throws ERR_USAGE, ERR_SECRET_MISSING
 */
export async function readSecrets(
  flags: readonly string[],
  environment: Environment,
): Promise<Secrets> {
  const secrets: Record<string, Uint8Array> = {};
  const sources = flags.map((flag) => parseSecret(flag, environment));
  for (const { id, variable, file } of sources) {
    const bytes =
      file === undefined ? readVariable(id, variable, environment) : await readSource(id, file);
    if (bytes.length > MAX_BYTES) throw usage(`Cannot use the secret "${id}": it is over 500 KiB`);
    secrets[id] = bytes;
  }
  const idsOf = (isWanted: (source: SecretSource) => boolean): readonly string[] | undefined => {
    const ids = sources.filter(isWanted).map(({ id }) => id);
    return ids.length === 0 ? undefined : ids;
  };
  return {
    secrets,
    rotatingSecrets: idsOf(({ rotates }) => rotates),
    unguardedSecrets: idsOf(({ isGuarded }) => !isGuarded),
  };
}

interface Secrets {
  readonly secrets: Readonly<Record<string, Uint8Array>>;
  readonly rotatingSecrets: readonly string[] | undefined;
  readonly unguardedSecrets: readonly string[] | undefined;
}

interface SecretSource {
  readonly id: string;
  readonly variable: string;
  /** Undefined: the variable has it. */
  readonly file: string | undefined;
  readonly rotates: boolean;
  readonly isGuarded: boolean;
}

function parseSecret(flag: string, environment: Environment): SecretSource {
  const fields = parseFields(flag);
  const unknown = [...fields.keys()].find((key) => !KEYS.includes(key));
  const id = fields.get('id') ?? '';
  const type = fields.get('type') ?? '';
  const { cache = '', guard = '' } = Object.fromEntries(fields);
  const isOwn = ['', 'rotate'].includes(cache) && ['', 'on', 'off'].includes(guard);
  if (unknown !== undefined || id === '' || !['', 'file', 'env'].includes(type) || !isOwn) {
    throw usage(
      `Cannot use the secret "${flag}"`,
      'Write "id=NAME,src=FILE" or "id=NAME,env=VARIABLE".',
    );
  }
  const source = fields.get('src') ?? fields.get('source');
  // type=env without env=: what would be the file is the variable.
  const variable = fields.get('env') ?? (type === 'env' ? (source ?? id) : undefined);
  const own = { rotates: cache === 'rotate', isGuarded: guard !== 'off' };
  if (variable !== undefined) return { id, variable, file: undefined, ...own };
  const isVariable = source === undefined && type === '' && environment[id] !== undefined;
  return { id, variable: id, file: isVariable ? undefined : (source ?? id), ...own };
}

function readVariable(id: string, variable: string, environment: Environment): Uint8Array {
  const value = environment[variable];
  if (value === undefined) {
    throw missing(id, `there is no environment variable "${variable}"`, undefined);
  }
  return new TextEncoder().encode(value);
}

async function readSource(id: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw missing(id, `the file "${file}" cannot be read`, cause);
  }
}

function missing(id: string, why: string, cause: unknown): TsbuildError {
  return new TsbuildError('ERR_SECRET_MISSING', {
    message: `Cannot read the secret "${id}": ${why}`,
    details: { id },
    cause,
  });
}
