/** Which credentials would be used, and where they come from: everything but the secrets. */

import { credentialEntries } from './auth.ts';
import type { CredentialFile } from './settings/places.ts';

/** Credentials of one registry, or of all that none are named for. */
export interface CredentialSource {
  /** With a namespace, where the file has one; undefined: every registry without an entry of its own. */
  readonly registry: string | undefined;
  /** A program `docker-credential-…`; undefined: the file itself has them. */
  readonly helper: string | undefined;
  readonly kind: 'password' | 'token' | 'helper' | 'nothing';
}

/** What a file says. @throws ERR_USAGE when it cannot be read */
export async function describeCredentials(
  file: CredentialFile,
): Promise<readonly CredentialSource[]> {
  const { kept, helpers, store } = await credentialEntries(file);
  const named = new Set([...kept.keys(), ...helpers.keys()]);
  const sources = [...named].toSorted().map((registry): CredentialSource => {
    const helper = helpers.get(registry) ?? store;
    if (helper !== undefined) return { registry, helper: program(helper), kind: 'helper' };
    const kind = kindOf(kept.get(registry));
    return { registry, helper, kind };
  });
  if (store === undefined) return sources;
  return [...sources, { registry: undefined, helper: program(store), kind: 'helper' }];
}

function program(helper: string): string {
  return `docker-credential-${helper}`;
}

function kindOf(kind: string | undefined): CredentialSource['kind'] {
  if (kind === 'password') return kind;
  return kind === 'identity-token' ? 'token' : 'nothing';
}
