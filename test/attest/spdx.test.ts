import assert from 'node:assert/strict';
import { sbomOf } from '../../src/attest/index.ts';
import type { ScannedPackage } from '../../src/attest/packages/scan.ts';
import { checkSpdx, type SpdxDocument } from '../support/spdx.ts';

const LIST = {
  path: 'lib/apk/db/installed',
  layer: 1,
  sha1: 'a'.repeat(40),
  sha256: 'b'.repeat(64),
};

function found(name: string, more: Partial<ScannedPackage> = {}): ScannedPackage {
  return { name, version: '1', purl: `pkg:apk/alpine/${name}@1`, lists: [LIST], ...more };
}

const OPTIONS: Parameters<typeof sbomOf>[1] = {
  ...{ name: 'docker.io/library/app:1', version: `sha256:${'c'.repeat(64)}` },
  ...{ purl: 'pkg:docker/app@1', created: 1_700_000_000, builderVersion: '1.2.3' },
  purpose: 'CONTAINER',
  ...{ layers: ['sha256:low', 'sha256:top'], filename: 'sbom.spdx.json' },
};

function documentOf(packages: readonly ScannedPackage[], options = OPTIONS): SpdxDocument {
  return sbomOf({ packages, notes: [] }, options).predicate as SpdxDocument;
}

describe('sbomOf()', () => {
  it('is a document of an image that contains packages, each evident by a file (ATT-10)', () => {
    const document = documentOf([found('musl', { license: 'MIT' }), found('zlib')]);
    checkSpdx(document);
    assert.equal(document.creationInfo.created, '2023-11-14T22:13:20Z');
    assert.deepEqual(document.creationInfo.creators, ['Tool: tsbuild-1.2.3']);
    assert.deepEqual(
      document.packages.map(({ name, licenseDeclared }) => [name, licenseDeclared]),
      [
        ['docker.io/library/app:1', 'NOASSERTION'],
        ['musl', 'MIT'],
        ['zlib', 'NOASSERTION'],
      ],
    );
    assert.deepEqual(
      document.files.map(({ fileName, comment }) => [fileName, comment]),
      [['./lib/apk/db/installed', 'layerID: sha256:top']],
    );
    const [describes, contains, evident] = document.relationships;
    assert.equal(describes?.relationshipType, 'DESCRIBES');
    assert.equal(contains?.relationshipType, 'CONTAINS');
    assert.equal(evident?.relationshipType, 'OTHER');
  });

  it('explains a license that is no SPDX expression (ATT-10)', () => {
    const odd = ['GPLv2+ and LGPLv2+', 'LicenseRef-elsewhere', 'MIT AND GPLv2+'];
    const document = documentOf(
      odd.map((license, number) => found(`p${number}`, { license, supplier: 'A (b) <c@d>\n' })),
    );
    checkSpdx(document);
    const texts = document.hasExtractedLicensingInfos?.map(({ extractedText }) => extractedText);
    assert.deepEqual(texts?.toSorted(), odd.toSorted());
  });

  it('is valid whatever a package says of itself', () => {
    const document = documentOf([
      found('@scope/näme', { homepage: 'no address', supplier: '<>', license: ' ' }),
      found('x'.repeat(300), { homepage: 'https://a.example/', supplier: 'A'.repeat(10_000) }),
    ]);
    checkSpdx(document);
  });

  it('is the same for the same packages, and has another namespace for others', () => {
    assert.deepEqual(documentOf([found('musl')]), documentOf([found('musl')]));
    const namespaces = [
      documentOf([found('musl')]),
      documentOf([found('zlib')]),
      documentOf([found('musl')], { ...OPTIONS, created: 1 }),
    ].map(({ documentNamespace }) => documentNamespace);
    assert.equal(new Set(namespaces).size, 3);
  });
});
