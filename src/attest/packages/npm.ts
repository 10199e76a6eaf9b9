/** Packages of npm and its relatives: what is in node_modules. */

import { formatPurl } from '../purl.ts';
import { type FoundPackage, PackageListError, type PackageReader } from './found-package.ts';

export const npm: PackageReader = {
  lists: /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/,
  parse: ({ bytes }) => packageOf(documentIn(bytes.toString('utf8'))),
};

type Document = Readonly<Record<string, unknown>>;

function documentIn(text: string): Document {
  try {
    const document: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isObject(document) ? document : {};
  } catch {
    // Packages bring broken ones along, for their tests.
    throw new PackageListError('it is no JSON');
  }
}

/** Directories that only have a `"type"` to say have one, too. */
function packageOf(document: Document): FoundPackage[] {
  const [full, version] = [textOf(document['name']), textOf(document['version'])];
  if (full === undefined || version === undefined) return [];
  const [, scope, name = full] = /^(@[^/]+)\/([^/]+)$/.exec(full) ?? [];
  if (name.includes('/')) return [];
  return [
    {
      name: full,
      version,
      purl: formatPurl({ type: 'npm', namespace: scope, name, version }),
      license: licenseOf(document),
      homepage: textOf(document['homepage']),
      supplier: personOf(document['author']),
    },
  ];
}

/** A text, or in old packages an object or a list of them. */
function licenseOf({ license, licenses }: Document): string | undefined {
  const given = license ?? licenses;
  const names = (Array.isArray(given) ? given : [given]).flatMap((each: unknown) => {
    const name = textOf(isObject(each) ? (each['type'] ?? each['name']) : each);
    return name === undefined ? [] : [name];
  });
  return names.length === 0 ? undefined : names.join(' OR ');
}

function personOf(author: unknown): string | undefined {
  if (!isObject(author)) return textOf(author);
  const [name, email] = [textOf(author['name']), textOf(author['email'])];
  return name !== undefined && email !== undefined ? `${name} <${email}>` : name;
}

function isObject(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}
