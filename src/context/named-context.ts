/** `--build-context NAME=VALUE`: what the value is (CTX-6). */

import { TsbuildError } from '../errors.ts';
import { type ContextSource, parseContext } from './source.ts';

export type NamedContextValue =
  | { readonly kind: 'files'; readonly source: ContextSource }
  | { readonly kind: 'oci-layout'; readonly location: string }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'scratch' };

/**
 * Reads a value; nothing is looked at. It is one source: an image's name in it is a registry's, and
 * no other named context's, so that there is no cycle to run into.
 * @throws ERR_CONTEXT_UNSUPPORTED for what only `bake` or another build can give, ERR_GIT_INVALID
 */
export function parseNamedContext(name: string, value: string): NamedContextValue {
  if (value.startsWith('oci-layout:')) return { kind: 'oci-layout', location: value };
  if (value.startsWith('docker-image:')) {
    const reference = value.slice('docker-image:'.length).replace(/^\/\//, '');
    return reference === 'scratch' ? { kind: 'scratch' } : { kind: 'image', reference };
  }
  const [, scheme] = /^(target|input):/.exec(value) ?? [];
  if (scheme !== undefined) throw onlyForBake(name, value, scheme);
  return { kind: 'files', source: parseContext(value) };
}

function onlyForBake(name: string, value: string, scheme: string): TsbuildError {
  return new TsbuildError('ERR_CONTEXT_UNSUPPORTED', {
    message: `Cannot use "${value}" as the build context "${name}": "${scheme}:" names ${
      scheme === 'target' ? 'a target of "docker buildx bake"' : 'the result of another build'
    }`,
    details: { context: value },
    hint: 'Build that image into an OCI layout first, then use oci-layout://PATH.',
  });
}
