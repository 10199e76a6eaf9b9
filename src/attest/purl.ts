/** Package URLs: the names of images and packages in attestations. */

import { PackageURL } from 'packageurl-js';
import { formatAll, type Platform } from '../oci/platform.ts';
import { familiarName, type Reference } from '../oci/reference.ts';

/** What a package URL is made of. */
export interface PurlParts {
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
}

/** The text of a package URL: qualifiers sorted, those without a value left out. */
export function formatPurl({ type, namespace, name, version, qualifiers = {} }: PurlParts): string {
  const given = Object.entries(qualifiers).flatMap(([key, value]) => (value ? [[key, value]] : []));
  return new PackageURL(
    type,
    namespace || null,
    name,
    version || null,
    given.length === 0 ? null : Object.fromEntries(given),
    null,
  ).toString();
}

/** An image by name, as BuildKit writes it: `pkg:docker/alpine@3.20?platform=linux%2Famd64` (ATT-5, ATT-8). */
export function imagePurl(reference: Reference, platform: Platform): string {
  const { registry, repository, tag, digest } = reference;
  const path = familiarName({ registry, repository });
  const slash = path.lastIndexOf('/');
  return formatPurl({
    type: 'docker',
    namespace: slash < 0 ? undefined : path.slice(0, slash),
    name: path.slice(slash + 1),
    version: tag ?? digest ?? 'latest',
    qualifiers: {
      digest: tag === undefined ? undefined : digest,
      platform: formatAll(platform),
    },
  });
}

/** An image of a layout directory, which has no name of its own. */
export function layoutPurl(digest: string, platform: Platform): string {
  return formatPurl({
    type: 'oci',
    name: 'layout',
    version: digest,
    qualifiers: { platform: formatAll(platform) },
  });
}
