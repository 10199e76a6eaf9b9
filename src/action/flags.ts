/** Inputs to a command line's flags, so that an input means what its flag means. */

import { usage } from '../cli/argv.ts';
import type { Environment } from '../cli/environment.ts';
import {
  defaultContext,
  hasPlaceholder,
  isOwnRepository,
  replacePlaceholder,
  runUrl,
  serverHost,
} from './default-context.ts';
import { type Inputs, LINES, plainFlags } from './inputs.ts';
import { readList } from './list.ts';
import { readNamed } from './naming.ts';
import {
  givesGitToken,
  SECRET_INPUTS,
  type SecretInput,
  secretFlags,
  tokenFlags,
} from './secret-inputs.ts';

/** All inputs as flags, and what to tell. */
export interface ActionFlags {
  readonly context: string;
  /** By the inputs' names. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** The step's, with values that no flag may have. */
  readonly environment: Environment;
  readonly warnings: readonly string[];
}

/** @throws ERR_USAGE for what cannot be read */
export async function toFlags(inputs: Inputs, environment: Environment): Promise<ActionFlags> {
  const given = await withDefaultContext(inputs, environment);
  const context = given.get('context') ?? '.';
  for (const name of ['context', 'file']) {
    if (given.get(name) === '-')
      throw usage(`Cannot use "-" as ${name}: an action has no standard input`);
  }
  const flags = new Map(
    [...given].map(([name, value]) => [
      name,
      readNamed(name, () => flagsOf(name, value, given, environment)),
    ]),
  );
  const secrets: (SecretInput & { readonly name: string })[] = SECRET_INPUTS.flatMap((name) => {
    const text = given.get(name);
    return text === undefined ? [] : [{ name, ...readNamed(name, () => secretFlags(name, text)) }];
  });
  const token = given.get('github-token');
  // ACT-4: the token opens the repository that the workflow runs for.
  if (token !== undefined && isOwnRepository(context, environment) && !givesGitToken(secrets)) {
    secrets.push({ name: 'github-token', ...tokenFlags(serverHost(environment), token) });
  }
  for (const secret of secrets) flags.set(secret.name, secret.flags);
  return {
    context,
    flags,
    environment: secrets.reduce((all, { variables }) => ({ ...all, ...variables }), environment),
    warnings: secrets
      .flatMap(({ empty }) => empty)
      .map((id) => `The secret "${id}" is empty: the build does not get it`),
  };
}

/** The inputs with the repository's address in its place (ACT-3). Without the input, the workspace is the context. */
async function withDefaultContext(inputs: Inputs, environment: Environment): Promise<Inputs> {
  const replaced = new Map(inputs);
  for (const name of ['context', 'build-contexts']) {
    const text = inputs.get(name);
    if (text === undefined || !hasPlaceholder(text)) continue;
    replaced.set(name, replacePlaceholder(text, await defaultContext(environment)));
  }
  return replaced;
}

function flagsOf(
  name: string,
  value: string,
  given: Inputs,
  environment: Environment,
): readonly string[] {
  switch (name) {
    case 'attests':
      return readList(value, LINES)
        .filter(
          (item) => !['provenance', 'sbom'].some((type) => given.has(type) && isOfType(item, type)),
        )
        .map((item) => `--attest=${item}`);
    case 'provenance':
      return [`--provenance=${withBuilder(value, runUrl(environment))}`];
    default:
      return plainFlags(name, value);
  }
}

function isOfType(attest: string, type: string): boolean {
  return attest.split(',').includes(`type=${type}`);
}

/** ACT-5: who built it is this run, unless it says otherwise. */
function withBuilder(value: string, url: string | undefined): string {
  if (url === undefined || /^(?:false|0|f)$/i.test(value)) return value;
  if (/(?:^|,)(?:builder-id|disabled)=/.test(value)) return value;
  return /^(?:true|1|t)$/i.test(value) ? `builder-id=${url}` : `${value},builder-id=${url}`;
}
