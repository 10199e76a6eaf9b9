/** What a build has taken from the network besides images: noted as it comes, for the provenance. */

import type { GitSource } from '../context/git-url.ts';
import { redactUrl } from '../context/url-credentials.ts';

/** A file or a commit; addresses are without users and passwords. */
export type FetchedMaterial =
  | { readonly kind: 'file'; readonly uri: string; readonly sha256: string }
  | { readonly kind: 'commit'; readonly uri: string; readonly commit: string };

export class Materials {
  readonly #found: FetchedMaterial[] = [];

  addFile(url: string, sha256: string): void {
    this.#found.push({ kind: 'file', uri: redactUrl(url), sha256 });
  }

  addCommit(source: GitSource, commit: string): void {
    this.#found.push({ kind: 'commit', uri: gitUri(source), commit });
  }

  /** As they came: what several steps take comes several times. */
  get found(): readonly FetchedMaterial[] {
    return this.#found;
  }
}

/** A repository as an address, and the ref that was asked for (ATT-8). */
export function gitUri({ shown, ref }: Pick<GitSource, 'shown' | 'ref'>): string {
  // scp's form is no URI.
  const [, host, path] = /^([\w-]+@[\w.-]+):(.+)$/s.exec(shown) ?? [];
  const address = host === undefined ? shown : `ssh://${host}/${(path ?? '').replace(/^\/+/, '')}`;
  return ref === undefined ? address : `${address}#${ref}`;
}
