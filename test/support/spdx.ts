/** Whether a document keeps the rules of SPDX 2.3 that this project's documents could break. */

import assert from 'node:assert/strict';
import parse from 'spdx-expression-parse';

export interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly licenseDeclared: string;
  readonly licenseConcluded: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: boolean;
  readonly supplier?: string;
  readonly homepage?: string;
  readonly externalRefs?: readonly {
    readonly referenceCategory: string;
    readonly referenceType: string;
    readonly referenceLocator: string;
  }[];
}

export interface SpdxDocument {
  readonly spdxVersion: string;
  readonly dataLicense: string;
  readonly SPDXID: string;
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly packages: readonly SpdxPackage[];
  readonly files: readonly {
    readonly SPDXID: string;
    readonly fileName: string;
    readonly checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[];
    readonly comment?: string;
  }[];
  readonly hasExtractedLicensingInfos?: readonly {
    readonly licenseId: string;
    readonly extractedText: string;
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
}

const LENGTHS: Readonly<Record<string, number>> = { SHA1: 40, SHA256: 64 };

/** @throws AssertionError */
export function checkSpdx(document: SpdxDocument): void {
  assert.equal(document.spdxVersion, 'SPDX-2.3');
  assert.equal(document.dataLicense, 'CC0-1.0');
  assert.equal(document.SPDXID, 'SPDXRef-DOCUMENT');
  assert.notEqual(document.name, '');
  assert.ok(URL.canParse(document.documentNamespace));
  assert.doesNotMatch(document.documentNamespace, /#/);
  assert.match(document.creationInfo.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  for (const creator of document.creationInfo.creators) {
    assert.match(creator, /^(?:Tool|Person|Organization): ./);
  }
  const ids = [document, ...document.packages, ...document.files].map(({ SPDXID }) => SPDXID);
  assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  for (const { spdxElementId, relatedSpdxElement } of document.relationships) {
    assert.ok(ids.includes(spdxElementId), spdxElementId);
    assert.ok(ids.includes(relatedSpdxElement), relatedSpdxElement);
  }
  const extracted = (document.hasExtractedLicensingInfos ?? []).map(({ licenseId }) => licenseId);
  for (const each of document.packages) checkPackage(each, extracted);
  for (const { fileName, checksums } of document.files) {
    assert.match(fileName, /^\.\//);
    // A file has a SHA1 always.
    assert.equal(checksums[0]?.algorithm, 'SHA1');
    for (const { algorithm, checksumValue } of checksums) {
      assert.match(checksumValue, new RegExp(`^[0-9a-f]{${LENGTHS[algorithm]}}$`));
    }
  }
}

function checkPackage(each: SpdxPackage, extracted: readonly string[]): void {
  assert.notEqual(each.name, '');
  assert.equal(each.downloadLocation, 'NOASSERTION');
  assert.equal(each.filesAnalyzed, false);
  for (const license of [each.licenseDeclared, each.licenseConcluded]) {
    if (license === 'NOASSERTION') continue;
    parse(license);
    for (const [reference] of license.matchAll(/LicenseRef-[A-Za-z0-9.-]+/g)) {
      assert.ok(extracted.includes(reference), reference);
    }
  }
  if (each.supplier !== undefined) assert.match(each.supplier, /^Organization: [^\n]+$/);
  if (each.homepage !== undefined) assert.ok(URL.canParse(each.homepage));
  for (const { referenceCategory, referenceType, referenceLocator } of each.externalRefs ?? []) {
    assert.deepEqual([referenceCategory, referenceType], ['PACKAGE-MANAGER', 'purl']);
    assert.match(referenceLocator, /^pkg:[a-z]+\/\S+$/);
  }
}
