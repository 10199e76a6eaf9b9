/** Packages of Alpine and its relatives: apk's list of what is installed. */

import { formatPurl } from '../purl.ts';
import { type Fields, readRecords } from './fields.ts';
import type { Distribution, FoundPackage, PackageReader } from './found-package.ts';

export const apk: PackageReader = {
  lists: /^(?:usr\/)?lib\/apk\/db\/installed$/,
  // One letter each: https://wiki.alpinelinux.org/wiki/Apk_spec
  parse: ({ bytes }, distribution) =>
    readRecords(bytes.toString('utf8'), /^([A-Za-z]):(.*)$/).flatMap((fields) =>
      packageOf(fields, distribution),
    ),
};

function packageOf(fields: Fields, { id, release }: Distribution): FoundPackage[] {
  const [name, version] = [fields.get('P'), fields.get('V')];
  if (!name || !version) return [];
  const origin = fields.get('o');
  const upstream = origin === name ? undefined : origin;
  return [
    {
      name,
      version,
      purl: formatPurl({
        type: 'apk',
        namespace: id ?? 'alpine',
        name,
        version,
        qualifiers: { arch: fields.get('A'), distro: release, upstream },
      }),
      license: fields.get('L') || undefined,
      homepage: fields.get('U') || undefined,
      supplier: fields.get('m') || undefined,
      upstream,
    },
  ];
}
