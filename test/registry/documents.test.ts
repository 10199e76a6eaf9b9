import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { parseConfig, parseDocument } from '../../src/registry/documents.ts';

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const DIGEST = digestOf('x');
const DESCRIPTOR = { mediaType: MEDIA_TYPE.config, digest: DIGEST, size: 1 };

function bytes(value: unknown): Uint8Array {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

describe('parseConfig()', () => {
  it('drops unknown keys, and takes null for absent', () => {
    const config = {
      architecture: '',
      os: 'linux',
      container: 'abc',
      author: null,
      config: {
        Env: null,
        Cmd: ['sh'],
        Entrypoint: [],
        Hostname: 'x',
        Volumes: { '/data': {} },
        ExposedPorts: null,
        Healthcheck: { Test: ['NONE'], Interval: 5, StartInterval: null },
        Labels: { a: 'b' },
      },
      rootfs: { type: 'layers', diff_ids: [DIGEST] },
      history: [{ created_by: 'x', empty_layer: true, extra: 1 }],
    };
    assert.deepEqual(parseConfig(bytes(config), AMD64, 'a'), {
      architecture: 'amd64',
      os: 'linux',
      config: {
        Cmd: ['sh'],
        Entrypoint: [],
        Volumes: { '/data': {} },
        Healthcheck: { Test: ['NONE'], Interval: 5 },
        Labels: { a: 'b' },
      },
      rootfs: { type: 'layers', diff_ids: [DIGEST] },
      history: [{ created_by: 'x', empty_layer: true }],
    });
  });

  it('reads a config with nothing in it', () => {
    for (const config of ['{}', '{"config":null,"rootfs":{"diff_ids":null},"history":null}']) {
      const parsed = parseConfig(bytes(config), AMD64, 'a');
      assert.deepEqual(parsed.config, {});
      assert.deepEqual(parsed.rootfs.diff_ids, []);
    }
  });

  const wrong = [
    'no json',
    '[]',
    '{"config":[]}',
    '{"config":{"Env":"A=b"}}',
    '{"config":{"Cmd":[1]}}',
    '{"config":{"Labels":{"a":1}}}',
    '{"history":[1]}',
    '{"rootfs":{"diff_ids":["sha256:12"]}}',
  ];
  for (const text of wrong) {
    it(`rejects ${text}`, () => {
      assert.throws(
        () => parseConfig(bytes(text), AMD64, 'a'),
        (error) => hasCode(error, 'ERR_IMAGE_INVALID') && error.details.reference === 'a',
      );
    });
  }
});

describe('parseDocument()', () => {
  it('believes the document before the header', () => {
    const manifest = { schemaVersion: 2, config: DESCRIPTOR, layers: null };
    const parse = (mediaType: string | undefined, more = {}): string =>
      parseDocument({ mediaType, bytes: bytes({ ...manifest, ...more }) }, 'a').mediaType;
    assert.equal(parse(undefined), MEDIA_TYPE.manifest);
    assert.equal(parse(`${MEDIA_TYPE.dockerManifest}; charset=utf-8`), MEDIA_TYPE.dockerManifest);
    assert.equal(
      parse(MEDIA_TYPE.dockerManifest, { mediaType: MEDIA_TYPE.manifest }),
      MEDIA_TYPE.manifest,
    );
  });

  it("brings an index's platforms into their normal form (MP-2)", () => {
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8', features: [] };
    const index = { schemaVersion: 2, manifests: [{ ...DESCRIPTOR, platform }] };
    const parsed = parseDocument({ mediaType: undefined, bytes: bytes(index) }, 'a');
    assert.ok(parsed.kind === 'index');
    assert.deepEqual(parsed.index.manifests[0]?.platform, { os: 'linux', architecture: 'arm64' });
  });

  const wrong: readonly (readonly [string, unknown])[] = [
    ['schema 1', { schemaVersion: 1, fsLayers: [] }],
    ['two documents in one', { schemaVersion: 2, config: DESCRIPTOR, layers: [], manifests: [] }],
    ['neither', { schemaVersion: 2 }],
    [
      'an index that says manifest',
      { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, manifests: [] },
    ],
    ['a negative size', { schemaVersion: 2, config: { ...DESCRIPTOR, size: -1 }, layers: [] }],
    ['a broken digest', { schemaVersion: 2, config: { ...DESCRIPTOR, digest: 'x' }, layers: [] }],
    [
      'a path for a digest',
      { schemaVersion: 2, config: { ...DESCRIPTOR, digest: '../x' }, layers: [] },
    ],
  ];
  for (const [title, document] of wrong) {
    it(`rejects ${title}`, () => {
      assert.throws(
        () => parseDocument({ mediaType: undefined, bytes: bytes(document) }, 'a'),
        (error) => hasCode(error, 'ERR_IMAGE_INVALID'),
      );
    });
  }
});
