import assert from 'node:assert/strict';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, parseDiffID } from '../../src/oci/digest.ts';
import type { History } from '../../src/oci/image.ts';
import type { PlannedStage } from '../../src/plan/step.ts';
import { assembleImage, assembleIndex, type AssembleOptions } from '../../src/solve/assemble.ts';
import type { BaseImage } from '../../src/solve/layer.ts';
import type { LayerBlob } from '../../src/solve/layer-blobs.ts';
import { configStep, imageOf, LAYER, stageOf, stepOf, workdirStep } from './stage.ts';

const BLOB = blobOf('layer', MEDIA_TYPE.layerGzip);
const BASE: readonly History[] = [
  { created: '2001-01-01T00:00:00Z', created_by: 'base' },
  { created_by: 'undated', empty_layer: true },
];

function blobOf(text: string, mediaType: string): LayerBlob {
  const descriptor = { mediaType, digest: digestOf(text), size: text.length };
  return { descriptor, diffID: parseDiffID(digestOf(`${text}.tar`)), path: '/dev/null' };
}

/** When each step's layer was made; undefined for those without. */
type Times = readonly (number | undefined)[];

function assemble(
  target: PlannedStage<BaseImage>,
  times: readonly (readonly [stage: PlannedStage<BaseImage>, times: Times])[],
  changes: Partial<AssembleOptions> = {},
) {
  return assembleImage({
    target,
    solved: new Map(
      times.map(([stage, created]) => [
        stage,
        { layers: [], steps: created.map((time) => ({ layer: undefined, created: time })) },
      ]),
    ),
    blobs: [BLOB],
    labels: {},
    platform: { os: 'linux', architecture: 'amd64' },
    epoch: undefined,
    ...changes,
  });
}

function createdOf(times: Times, epoch?: number): (string | undefined)[] {
  const stage = stageOf(times.map((_, number) => configStep(`step ${number}`)));
  const { config } = assemble(stage, [[stage, times]], { epoch });
  return config.history.map(({ created }) => created);
}

describe('assembleImage()', () => {
  it('writes these bytes (CFG-1, HIST-1)', () => {
    const stage = stageOf([configStep('ENV A=b'), workdirStep('/w')], undefined, {
      WorkingDir: '/w',
      Env: ['A=b'],
      Labels: { b: '1' },
    });
    const image = assemble(stage, [[stage, [undefined, 1_700_000_000]]], {
      labels: { a: '2', b: '3' },
    });
    assert.equal(
      Buffer.from(image.configBytes).toString(),
      `{"architecture":"amd64","config":{"Env":["A=b"],"Labels":{"a":"2","b":"3"},"WorkingDir":"/w"},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"ENV A=b","empty_layer":true},{"created":"2023-11-14T22:13:20Z","created_by":"WORKDIR /w"}],"os":"linux","rootfs":{"diff_ids":["${BLOB.diffID}"],"type":"layers"}}`,
    );
    assert.equal(
      Buffer.from(image.manifestBytes).toString(),
      `{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "${digestOf(image.configBytes)}",
    "size": ${image.configBytes.length}
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "${BLOB.descriptor.digest}",
      "size": 5
    }
  ]
}`,
    );
    assert.deepEqual(image.descriptor, {
      mediaType: MEDIA_TYPE.manifest,
      digest: digestOf(image.manifestBytes),
      size: image.manifestBytes.length,
      platform: { os: 'linux', architecture: 'amd64' },
    });
  });

  it('writes the same bytes whenever the steps ran, given an epoch (CFG-7)', () => {
    const stage = stageOf([configStep('ENV A=b'), workdirStep('/w')]);
    const of = (times: Times) => assemble(stage, [[stage, times]], { epoch: 50 }).manifestBytes;
    assert.deepEqual(of([undefined, 10]), of([undefined, 99]));
  });

  it('writes what only Docker’s image spec has, in an OCI image too (HC-2)', () => {
    const config = {
      ArgsEscaped: true,
      Healthcheck: { Test: ['CMD', 'a'], Interval: 1e9, StartInterval: 2e9 },
      OnBuild: ['RUN x'],
      Shell: ['/bin/bash', '-c'],
    };
    const image = assemble(stageOf([], undefined, config), []);
    assert.equal(image.manifest.config.mediaType, 'application/vnd.oci.image.config.v1+json');
    assert.deepEqual(JSON.parse(Buffer.from(image.configBytes).toString()).config, config);
  });

  it('puts nothing of builders into the config (CFG-1, CFG-3, CFG-5)', () => {
    const image = {
      ...imageOf(BASE, BLOB.descriptor),
      manifest: {
        schemaVersion: 2,
        config: BLOB.descriptor,
        layers: [],
        annotations: { a: 'of the base' },
      },
    } as const;
    const target = stageOf([workdirStep('/a')], { kind: 'image', image, reference: 'x' });
    const { config, manifest } = assemble(target, [[target, [10]]]);
    assert.deepEqual(Object.keys(config).sort(), [
      'architecture',
      'config',
      'created',
      'history',
      'os',
      'rootfs',
    ]);
    assert.equal('annotations' in manifest, false);
  });

  it('adds labels as given to the target alone, over those of the Dockerfile (CFG-5, ENV-3)', () => {
    const lower = stageOf([], undefined, { Labels: { a: '1' } });
    const target = stageOf([], { kind: 'stage', stage: lower }, { Labels: { a: '1', c: '3' } });
    const { config } = assemble(target, [], { labels: { a: '$2', b: '' } });
    assert.deepEqual(config.config.Labels, { a: '$2', b: '', c: '3' });
    assert.deepEqual(lower.config.config.Labels, { a: '1' });
  });

  it('writes the same bytes for labels in any order', () => {
    const stage = stageOf([]);
    const of = (labels: Record<string, string>) => assemble(stage, [], { labels }).configBytes;
    assert.deepEqual(of({ x: '1', a: '2' }), of({ a: '2', x: '1' }));
  });

  it('tells an index what the config knows of the platform, and no more (MP-1)', () => {
    const platform = { os: 'windows', architecture: 'amd64' };
    const version = { 'os.version': '10.0.20348.1', 'os.features': ['win32k'] };
    const base = stageOf([]);
    const windows = assemble({ ...base, config: { ...base.config, ...platform, ...version } }, [], {
      platform,
    });
    assert.deepEqual(windows.descriptor.platform, { ...platform, ...version });
    const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const images = [
      assemble({ ...base, config: { ...base.config, ...arm } }, [], { platform: arm }),
      windows,
    ];
    const { bytes, descriptor } = assembleIndex(images.map((image) => image.descriptor));
    const text = new TextDecoder().decode(bytes);
    assert.deepEqual(descriptor, {
      mediaType: MEDIA_TYPE.index,
      digest: digestOf(text),
      size: bytes.length,
    });
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests: images.map((image) => image.descriptor),
    };
    assert.equal(text, JSON.stringify(index, null, 2), 'LAY-7');
    assert.deepEqual(images[0]?.descriptor.platform, arm);
  });

  it('says nothing of labels or times that there are not', () => {
    const { config } = assemble(stageOf([configStep('CMD a')]), []);
    assert.deepEqual(config.config, {});
    assert.equal('created' in config, false);
    assert.deepEqual(config.history, [{ created_by: 'CMD a', empty_layer: true }]);
  });

  it('writes Docker’s media type of layers as OCI’s', () => {
    const docker = blobOf('docker', MEDIA_TYPE.dockerLayerGzip);
    const zstd = blobOf('zstd', MEDIA_TYPE.layerZstd);
    const { manifest } = assemble(stageOf([]), [], { blobs: [docker, zstd] });
    assert.deepEqual(
      manifest.layers.map(({ mediaType }) => mediaType),
      [MEDIA_TYPE.layerGzip, MEDIA_TYPE.layerZstd],
    );
  });

  describe('history', () => {
    const A = '1970-01-01T00:00:10Z';
    const B = '1970-01-01T00:00:20Z';
    const cases: readonly (readonly [times: Times, created: readonly (string | undefined)[]])[] = [
      [
        [undefined, 10],
        [A, A],
      ],
      [
        [10, undefined, 20],
        [A, B, B],
      ],
      [
        [10, undefined, undefined],
        [A, A, A],
      ],
      [
        [undefined, 10, undefined, 20, undefined],
        [A, A, A, B, B],
      ],
      [
        [10, undefined, 20, undefined, 10],
        [A, B, B, B, A],
      ],
      [
        [undefined, undefined],
        [undefined, undefined],
      ],
    ];
    for (const [times, created] of cases) {
      it(`dates steps made at ${times.map((time) => time ?? 'no time').join(', ')} like the first new layer, then like the one before (HIST-4)`, () => {
        assert.deepEqual(createdOf(times), created);
      });
    }

    it('is dated by the epoch, whenever its layers were made (HIST-4, CFG-2)', () => {
      assert.deepEqual(createdOf([5, undefined, 20], 10), [A, A, A]);
      assert.deepEqual(createdOf([undefined], 10), [A]);
      const stage = stageOf([workdirStep('/a')]);
      const { config } = assemble(stage, [[stage, [20]]], { epoch: 10 });
      assert.equal(config.created, A);
    });

    it('keeps the times of a base that is newer than the epoch, but dates the image by it (CFG-2)', () => {
      const image = imageOf([{ created: B, created_by: 'base' }], BLOB.descriptor);
      const base = { kind: 'image', image, reference: 'x' } as const;
      const { config } = assemble(stageOf([], base), [], { epoch: 10 });
      assert.deepEqual([config.history[0]?.created, config.created], [B, A]);
      const later = assemble(stageOf([], base), [], { epoch: 30 });
      assert.equal(later.config.created, B);
    });

    it('keeps the base’s as it is, then lists stage by stage (HIST-1, HIST-4)', () => {
      const image = imageOf(BASE, BLOB.descriptor);
      const lower = stageOf([workdirStep('/a')], { kind: 'image', image, reference: 'x' });
      const none = { kind: 'config', ...stepOf() } as const;
      const target = stageOf([configStep('CMD a'), none], { kind: 'stage', stage: lower });
      const { config } = assemble(target, [
        [lower, [10]],
        [target, [undefined, undefined]],
      ]);
      const created = A;
      assert.deepEqual(config.history, [
        ...BASE,
        { created, created_by: 'WORKDIR /a' },
        { created, created_by: 'CMD a', empty_layer: true },
      ]);
      assert.equal(config.created, created);
    });

    it('dates what makes no layer like the base’s last entry when nothing makes one (HIST-4)', () => {
      const image = imageOf(BASE, BLOB.descriptor);
      const stage = stageOf([configStep('CMD a')], { kind: 'image', image, reference: 'x' });
      const { config } = assemble(stage, [[stage, [undefined]]]);
      const created = '2001-01-01T00:00:00Z';
      assert.deepEqual(config.history, [
        ...BASE,
        { created, created_by: 'CMD a', empty_layer: true },
      ]);
    });

    it('has an entry for each of the base’s layers, and no more (HIST-5)', () => {
      const withLayers = (count: number, history: readonly History[]) => {
        const image = {
          ...imageOf(history, BLOB.descriptor),
          layers: Array.from({ length: count }, () => LAYER),
        };
        return assemble(stageOf([], { kind: 'image', image, reference: 'x' }), []).config.history;
      };
      const comment = 'tsbuild.dockerfile.v0';
      assert.deepEqual(withLayers(3, BASE), [...BASE, { comment }, { comment }]);
      const [first = {}, ...rest] = BASE;
      assert.deepEqual(withLayers(1, [first, first, ...rest]), [
        first,
        { ...first, empty_layer: true },
        ...rest,
      ]);
    });

    it('takes the image’s time from its last dated entry, not from the base’s config (CFG-2)', () => {
      const image = imageOf([{ created: A, created_by: 'base' }], BLOB.descriptor);
      const stage = stageOf([configStep('CMD a')], { kind: 'image', image, reference: 'x' });
      const { config } = assemble(stage, [[stage, [undefined]]]);
      assert.equal(config.created, A);
    });
  });
});
