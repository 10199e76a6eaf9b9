/** The inputs that give secrets, as `--secret` flags and variables that these read. */

import { usage } from '../cli/argv.ts';
import type { Environment } from '../cli/environment.ts';
import { splitPair } from '../cli/values.ts';
import { LINES } from './inputs.ts';
import { readList } from './list.ts';

export interface SecretInput {
  readonly flags: readonly string[];
  readonly ids: readonly string[];
  /** Values that are in no file and in no variable of the step's own. */
  readonly variables: Environment;
  /** Ids of secrets without a value. */
  readonly empty: readonly string[];
}

export const SECRET_INPUTS = ['secrets', 'secret-envs', 'secret-files'] as const;

const FORMS = { secrets: 'VALUE', 'secret-envs': 'VARIABLE', 'secret-files': 'FILE' } as const;

/**
 * `secrets` has `ID=VALUE`, `secret-envs` `ID=VARIABLE`, `secret-files` `ID=FILE`. No value is ever in a flag, and
 * so in no message. @throws ERR_USAGE for what is no such pair
 */
export function secretFlags(name: (typeof SECRET_INPUTS)[number], text: string): SecretInput {
  const items = readList(text, { ...LINES, commas: name !== 'secrets' });
  const pairs = items.map((item) => splitPair(item));
  if (items.some((item) => !/^[^=]+=/.test(item))) {
    throw usage(
      `Cannot use an item of the input "${name}": it is not ID=${FORMS[name]}`,
      'A value of several lines is one item when "…" is around all of it, its name too.',
    );
  }
  const given = pairs.filter(([, value]) => value !== '');
  const values = given.map(([, value], index): [string, string] => [variable(index), value]);
  const sourceOf = (value: string, index: number): string => {
    if (name === 'secrets') return field('env', variable(index));
    return field(name === 'secret-envs' ? 'env' : 'src', value);
  };
  return {
    flags: given.map(([id, value], at) => `--secret=${field('id', id)},${sourceOf(value, at)}`),
    ids: pairs.map(([id]) => id),
    variables: name === 'secrets' ? Object.fromEntries(values) : {},
    // A workflow that may not see a secret, as for a fork's pull request, has an empty one.
    empty: pairs.filter(([, value]) => value === '').map(([id]) => id),
  };
}

/** The workflow's token, for git on the workflow's server (ACT-4). */
export function tokenFlags(host: string, token: string): SecretInput {
  const id = `GIT_AUTH_TOKEN.${host}`;
  const flags = [`--secret=${field('id', id)},env=${TOKEN_VARIABLE}`];
  return { flags, ids: [id], variables: { [TOKEN_VARIABLE]: token }, empty: [] };
}

/** Whether the user has given something that opens git repositories. */
export function givesGitToken(secrets: readonly SecretInput[]): boolean {
  return secrets.flatMap(({ ids }) => ids).some((id) => /^GIT_AUTH_(?:TOKEN|HEADER)\b/.test(id));
}

const TOKEN_VARIABLE = 'TSBUILD_TOKEN_INPUT';

function variable(index: number): string {
  return `TSBUILD_SECRET_INPUT_${index}`;
}

/** A field of a flag, quoted: a path may have commas in it. */
function field(key: string, value: string): string {
  return `"${key}=${value.replaceAll('"', '""')}"`;
}
