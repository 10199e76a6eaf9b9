/** `--secret` to bytes. */

import { readFile } from 'node:fs/promises';
import { TsbuildError } from '../index.ts';
import { usage } from './argv.ts';
import type { Environment } from './environment.ts';
import { parseFields } from './values.ts';

/** BuildKit's limit (LIM-2). */
const MAX_BYTES = 500 * 1024;
const KEYS = ['id', 'src', 'source', 'env', 'type'];

/**
 * `id=X,src=FILE`, `id=X,env=VARIABLE`, or `id=X` alone: the variable X if there is one, else the
 * file X (BXS-5). @throws ERR_USAGE, ERR_SECRET_MISSING
 */
export async function readSecrets(
  flags: readonly string[],
  environment: Environment,
): Promise<Readonly<Record<string, Uint8Array>>> {
  const secrets: Record<string, Uint8Array> = {};
  for (const flag of flags) {
    const { id, variable, file } = parseSecret(flag, environment);
    const bytes =
      file === undefined ? readVariable(id, variable, environment) : await readSource(id, file);
    if (bytes.length > MAX_BYTES) throw usage(`Cannot use the secret "${id}": it is over 500 KiB`);
    secrets[id] = bytes;
  }
  return secrets;
}

interface SecretSource {
  readonly id: string;
  readonly variable: string;
  /** Undefined: the variable has it. */
  readonly file: string | undefined;
}

function parseSecret(flag: string, environment: Environment): SecretSource {
  const fields = parseFields(flag);
  const unknown = [...fields.keys()].find((key) => !KEYS.includes(key));
  const id = fields.get('id') ?? '';
  const type = fields.get('type') ?? '';
  if (unknown !== undefined || id === '' || !['', 'file', 'env'].includes(type)) {
    throw usage(
      `Cannot use the secret "${flag}"`,
      'Write "id=NAME,src=FILE" or "id=NAME,env=VARIABLE".',
    );
  }
  const source = fields.get('src') ?? fields.get('source');
  // type=env without env=: what would be the file is the variable.
  const variable = fields.get('env') ?? (type === 'env' ? (source ?? id) : undefined);
  if (variable !== undefined) return { id, variable, file: undefined };
  const isVariable = source === undefined && type === '' && environment[id] !== undefined;
  return { id, variable: id, file: isVariable ? undefined : (source ?? id) };
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
