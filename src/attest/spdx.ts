/** The SBOM of an image as an SPDX 2.3 document (https://spdx.github.io/spdx-spec/v2.3/). Pure. */

import { createHash } from 'node:crypto';
import { declaredLicense } from './licenses.ts';
import type { Scan, ScannedList, ScannedPackage } from './packages/scan.ts';
import { type Attestation, PREDICATE } from './statement.ts';

export interface SpdxOptions {
  /** What the document is about: an image's name, or a stage's. */
  readonly name: string;
  /** Of the image, if it has a digest. */
  readonly version?: string | undefined;
  readonly purl?: string | undefined;
  readonly purpose: 'CONTAINER' | 'SOURCE';
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly builderVersion: string;
  /** The digests of the layers, lowest first, where they are known. */
  readonly layers: readonly string[];
  /** In outputs of files. */
  readonly filename: string;
}

const ROOT = 'SPDXRef-Image';
const DOCUMENT = 'SPDXRef-DOCUMENT';
const NOTHING = 'NOASSERTION';
const MAX_SUPPLIER = 300;

/** The document: equal for equal packages and options. */
export function sbomOf({ packages }: Scan, options: SpdxOptions): Attestation {
  const { name, created, builderVersion, filename } = options;
  const lists = new Map(packages.flatMap((each) => each.lists).map((list) => [list.path, list]));
  const files = [...lists.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const licenses = packages.map(({ license }) => declaredLicense(license).extracted);
  const extracted = new Map(licenses.flatMap((each) => (each ? [[each.licenseId, each]] : [])));
  const content = {
    packages: [rootPackage(options), ...packages.map(packageEntry)],
    files: files.map((list) => fileEntry(list, options.layers)),
    ...(extracted.size > 0 && {
      hasExtractedLicensingInfos: [...extracted.values()].sort((a, b) =>
        a.licenseId < b.licenseId ? -1 : 1,
      ),
    }),
    relationships: [
      relationship(DOCUMENT, 'DESCRIBES', ROOT),
      ...packages.flatMap((each) => [
        relationship(ROOT, 'CONTAINS', packageID(each)),
        ...each.lists.map((list) => ({
          ...relationship(packageID(each), 'OTHER', fileID(list)),
          comment: "evident-by: the package's existence is evident by the given file",
        })),
      ]),
    ],
  };
  const predicate = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: DOCUMENT,
    name,
    documentNamespace: `urn:uuid:${uuidOf(JSON.stringify([name, created, content]))}`,
    creationInfo: {
      created: new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
      creators: [`Tool: tsbuild-${builderVersion}`],
    },
    ...content,
  };
  return { predicateType: PREDICATE.sbom, predicate, filename };
}

function rootPackage({ name, version, purpose, purl }: SpdxOptions): object {
  return {
    SPDXID: ROOT,
    name,
    ...(version !== undefined && { versionInfo: version }),
    downloadLocation: NOTHING,
    filesAnalyzed: false,
    licenseConcluded: NOTHING,
    licenseDeclared: NOTHING,
    copyrightText: NOTHING,
    primaryPackagePurpose: purpose,
    ...(purl !== undefined && { externalRefs: [purlReference(purl)] }),
  };
}

function packageEntry(found: ScannedPackage): object {
  const { name, version, purl, license, homepage, supplier, upstream } = found;
  return {
    SPDXID: packageID(found),
    name,
    versionInfo: version,
    ...(supplier !== undefined && { supplier: supplierOf(supplier) }),
    downloadLocation: NOTHING,
    ...(homepage !== undefined && URL.canParse(homepage) && { homepage }),
    filesAnalyzed: false,
    ...(upstream !== undefined && { sourceInfo: `built from ${upstream}` }),
    licenseConcluded: NOTHING,
    licenseDeclared: declaredLicense(license).expression,
    copyrightText: NOTHING,
    externalRefs: [purlReference(purl)],
  };
}

/** `Organization: name (address)`; whether it is a person is not known. */
function supplierOf(text: string): string {
  const supplier = text.slice(0, MAX_SUPPLIER);
  const [, name = supplier, address] = /^([^<>]*)<([^<>]*)>/.exec(supplier) ?? [];
  const shown = name.replaceAll(/[()\n]/g, ' ').trim();
  return `Organization: ${shown || NOTHING}${address ? ` (${address})` : ''}`;
}

function purlReference(purl: string): object {
  return {
    referenceCategory: 'PACKAGE-MANAGER',
    referenceType: 'purl',
    referenceLocator: purl,
  };
}

/** With the layer that the file is in, as BuildKit notes it (ATT-10). */
function fileEntry(list: ScannedList, layers: readonly string[]): object {
  const layer = layers[list.layer];
  return {
    SPDXID: fileID(list),
    fileName: `./${list.path}`,
    checksums: [
      { algorithm: 'SHA1', checksumValue: list.sha1 },
      { algorithm: 'SHA256', checksumValue: list.sha256 },
    ],
    licenseConcluded: NOTHING,
    licenseInfoInFiles: [NOTHING],
    copyrightText: NOTHING,
    ...(layer !== undefined && { comment: `layerID: ${layer}` }),
  };
}

function relationship(from: string, type: string, to: string): object {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}

function packageID({ name, purl }: ScannedPackage): string {
  return `SPDXRef-Package-${plain(name)}-${short(purl)}`;
}

function fileID({ path }: ScannedList): string {
  return `SPDXRef-File-${plain(path.slice(path.lastIndexOf('/') + 1))}-${short(path)}`;
}

/** Letters, digits, "." and "-": what ids are made of. */
function plain(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9.-]+/g, '-').slice(0, 60);
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** A UUID of version 8: made from what it names. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}
