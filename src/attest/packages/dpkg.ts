/** Packages of Debian and its relatives: dpkg's status, and distroless' one file for each package. */

import { formatPurl } from '../purl.ts';
import { type Fields, oneLine, readRecords } from './fields.ts';
import type { Distribution, FoundPackage, PackageReader } from './found-package.ts';

export const dpkg: PackageReader = {
  lists: /^var\/lib\/dpkg\/(?:status|status\.d\/(?!.*\.md5sums$)[^/]+)$/,
  parse: ({ bytes }, distribution) =>
    readRecords(bytes.toString('utf8')).flatMap((fields) => packageOf(fields, distribution)),
};

function packageOf(fields: Fields, { id, release }: Distribution): FoundPackage[] {
  const [name, version] = [fields.get('Package'), fields.get('Version')];
  const status = fields.get('Status');
  // A package that is removed may have left its configuration, and its record.
  const isInstalled = status === undefined || status.split(' ').at(-1) === 'installed';
  if (!name || !version || !isInstalled) return [];
  const upstream = upstreamOf(fields.get('Source'), { name, version });
  const arch = fields.get('Architecture');
  return [
    {
      name,
      version,
      purl: formatPurl({
        type: 'deb',
        namespace: id ?? 'debian',
        name,
        version,
        qualifiers: { arch, distro: release, upstream },
      }),
      homepage: oneLine(fields.get('Homepage')),
      supplier: oneLine(fields.get('Maintainer')),
      upstream,
    },
  ];
}

/** `Source: glibc` or `Source: glibc (2.36-9)`, where that is another name or version. */
function upstreamOf(
  source: string | undefined,
  own: { readonly name: string; readonly version: string },
): string | undefined {
  const [, name, version] = /^(\S+)(?: \((.+)\))?$/.exec(source ?? '') ?? [];
  if (name === undefined) return undefined;
  if (version !== undefined && version !== own.version) return `${name}@${version}`;
  return name === own.name ? undefined : name;
}
