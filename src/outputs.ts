/** The outputs that options ask for, and the names of the image. */

import { TsbuildError } from './errors.ts';
import { type OutputSpec, parseOutput } from './export/index.ts';
import { parseReference, parseRepository, type Reference } from './oci/reference.ts';
import type { BuildOptions, RegistryOutputOptions } from './options.ts';

/** @throws ERR_USAGE, ERR_UNSUPPORTED, ERR_REFERENCE_INVALID */
export function readOutputs({ outputs: given = [], tags = [], push = false }: BuildOptions): {
  readonly outputs: readonly OutputSpec[];
  readonly names: readonly Reference[];
} {
  const asked = given.map((output) => parseOutput(textOf(output)));
  const outputs = push ? withPush(asked) : asked;
  const names = tags.map(parseReference);
  for (const output of outputs) {
    if (output.kind !== 'image' || !output.push) continue;
    if (output.pushByDigest) for (const tag of tags) parseRepository(tag);
    if (names.length === 0 && output.names.length === 0) throw nameless();
  }
  return { outputs, names };
}

/** As buildx: `--push` is for the outputs that are images, and is one where there is none. */
function withPush(outputs: readonly OutputSpec[]): readonly OutputSpec[] {
  const pushed = outputs.map((output) =>
    output.kind === 'image' ? { ...output, push: true } : output,
  );
  if (pushed.some(({ kind }) => kind === 'image')) return pushed;
  return [...pushed, parseOutput('type=registry')];
}

function textOf(output: string | RegistryOutputOptions): string {
  if (typeof output === 'string') return output;
  const { type, names = [], pushByDigest = false, insecure = false } = output;
  const flags = `push-by-digest=${pushByDigest},registry.insecure=${insecure}`;
  return `type=${type},"name=${names.join(',').replaceAll('"', '""')}",${flags}`;
}

function nameless(): TsbuildError {
  return new TsbuildError('ERR_USAGE', {
    message: 'Cannot push an image without a name: tag is needed when pushing to registry',
    details: undefined,
    hint: 'Name it, e.g. with "-t registry.example/app:1".',
  });
}
