/** `--build-context NAME=VALUE`: what the value is (CTX-6). */

import { TsbuildError } from '../errors.ts';

export type NamedContextValue =
  | { readonly kind: 'directory'; readonly directory: string }
  | { readonly kind: 'oci-layout'; readonly location: string }
  | { readonly kind: 'image'; readonly reference: string };

/** @throws ERR_UNSUPPORTED for addresses that this version does not fetch */
export function parseNamedContext(name: string, value: string): NamedContextValue {
  if (value.startsWith('oci-layout:')) return { kind: 'oci-layout', location: value };
  if (value.startsWith('docker-image://')) {
    return { kind: 'image', reference: value.slice('docker-image://'.length) };
  }
  if (/^(?:(?:https?|git|ssh|target|input):|git@)/.test(value)) {
    throw new TsbuildError('ERR_UNSUPPORTED', {
      message: `Cannot use "${value}" as the build context "${name}"`,
      details: { feature: 'remote build context' },
      hint: 'This version takes a directory, oci-layout://PATH[:tag][@digest] or docker-image://REFERENCE.',
    });
  }
  return { kind: 'directory', directory: value };
}
