/** Packages of pip and its relatives: the metadata of what is installed. */

import { formatPurl } from '../purl.ts';
import { oneLine, readRecords } from './fields.ts';
import type { FoundPackage, PackageReader } from './found-package.ts';

/** Longer ones are the text of the license, not its name. */
const LONGEST_LICENSE = 120;

export const python: PackageReader = {
  lists: /(?:^|\/)[^/]+\.(?:dist-info\/METADATA|egg-info\/PKG-INFO|egg-info)$/,
  parse: ({ bytes }): FoundPackage[] => {
    // The first record; a description follows.
    const [fields] = readRecords(bytes.toString('utf8'));
    const [name, version] = [oneLine(fields?.get('Name')), oneLine(fields?.get('Version'))];
    if (fields === undefined || name === undefined || version === undefined) return [];
    const license = fields.get('License-Expression') ?? oneLine(fields.get('License'));
    const email = oneLine(fields.get('Author-email'));
    return [
      {
        name,
        version,
        purl: formatPurl({ type: 'pypi', name, version }),
        license: license !== undefined && license.length <= LONGEST_LICENSE ? license : undefined,
        homepage: oneLine(fields.get('Home-page')),
        supplier: oneLine(fields.get('Author')) ?? email,
      },
    ];
  },
};
