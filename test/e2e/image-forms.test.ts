/** What outputs say of the image itself: compression, media types, annotations, times. skopeo takes them. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { build, type BuildOptions, type BuildResult } from '../../src/index.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { checkLayout } from '../support/check.ts';
import { blobsOf, makeImage, writeTestLayout } from '../support/image.ts';
import { inContext } from '../support/in-context.ts';
import { readLayers } from '../support/layer-entries.ts';
import { itUnless, missing } from '../support/missing.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar } from '../support/tar.ts';

const run = promisify(execFile);
const { layerTar, layerGzip, layerZstd } = MEDIA_TYPE;

const TEXT = Array.from({ length: 60_000 }, (_, i) => `${i * i}\n`).join('');

interface Document {
  readonly mediaType: string;
  readonly config: { readonly mediaType: string };
  readonly layers: readonly {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  }[];
  readonly manifests: readonly { readonly annotations?: unknown; readonly digest: string }[];
  readonly annotations?: unknown;
}

/** Builds `text` on a base of two gzip layers, as often as is asked for. */
async function forms(
  use: (
    attempt: (outputs: readonly string[], more?: Partial<BuildOptions>) => Promise<BuildResult>,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  const files = { Dockerfile: 'FROM base\nCOPY text /a/text\n', text: TEXT };
  await inContext(files, async (options) => {
    const folder = join(options.context, '..');
    const image = await makeImage();
    await writeTestLayout(join(folder, 'base'), [image.manifest.descriptor], blobsOf(image));
    await use(async (outputs, more = {}) => {
      const named = { buildContexts: { base: `oci-layout://${folder}/base` } };
      return await build({ ...options, ...named, helper: HELPER, outputs, ...more });
    }, folder);
  });
}

async function blobIn(layout: string, digest: string): Promise<Document> {
  const bytes = await readFile(join(layout, 'blobs', digest.replace(':', '/')));
  return JSON.parse(bytes.toString()) as Document;
}

/** The only image of a layout, which is checked. */
async function manifestIn(layout: string): Promise<Document> {
  const [entry] = await checkLayout(layout);
  return await blobIn(layout, entry?.digest ?? '');
}

async function typesIn(layout: string): Promise<readonly string[]> {
  return (await manifestIn(layout)).layers.map(({ mediaType }) => mediaType);
}

describe('forms of images', () => {
  it('packs new layers as each output says, those of the base when forced (5.2)', async () => {
    await forms(async (attempt, folder) => {
      const layout = (name: string): string => join(folder, name);
      const output = (name: string, rest: string): string =>
        `type=oci,tar=false,dest=${layout(name)},${rest}`;
      await attempt([
        output('gzip', 'compression=gzip'),
        output('zstd', 'compression=zstd'),
        output('forced', 'compression=zstd,force-compression=true'),
        output('plain', 'compression=uncompressed,force-compression=true'),
        output('best', 'compression-level=9'),
        output('worst', 'compression-level=0,force-compression=true'),
      ]);
      assert.deepEqual(await typesIn(layout('gzip')), [layerGzip, layerGzip, layerGzip]);
      assert.deepEqual(await typesIn(layout('zstd')), [layerGzip, layerGzip, layerZstd]);
      assert.deepEqual(await typesIn(layout('forced')), [layerZstd, layerZstd, layerZstd]);
      assert.deepEqual(await typesIn(layout('plain')), [layerTar, layerTar, layerTar]);
      const sizeOf = async (name: string): Promise<number> =>
        (await manifestIn(layout(name))).layers[2]?.size ?? 0;
      const sizes = [await sizeOf('best'), await sizeOf('gzip'), await sizeOf('worst')];
      assert.deepEqual(
        sizes,
        [...new Set(sizes)].sort((a, b) => a - b),
        'smaller and smaller',
      );
      const ids = await Promise.all(
        ['gzip', 'forced', 'plain', 'best'].map(
          async (name) => (await manifestIn(layout(name))).config,
        ),
      );
      assert.equal(new Set(ids.map((id) => JSON.stringify(id))).size, 1, 'one config for all');
    });
  });

  it('gives the digest of the first image, the same whatever else the store has had (LAY-5)', async () => {
    await forms(async (attempt, folder) => {
      const output = (rest: string): string => `type=oci,dest=${folder}/x.tar,${rest}`;
      const one = { sourceDateEpoch: 1000 };
      const gzip = await attempt([output('compression=gzip')], one);
      const best = await attempt([output('compression-level=9')], one);
      const zstd = await attempt([output('compression=zstd'), output('compression=gzip')], one);
      assert.equal(new Set([gzip.digest, best.digest, zstd.digest]).size, 3);
      const other = { ...one, store: join(folder, 'other') };
      const again = [
        await attempt([output('compression=zstd')], other),
        await attempt([output('compression-level=9')], { ...other, concurrency: 1 }),
        await attempt([], other),
      ];
      const digests = [zstd, best, gzip].map(({ digest }) => digest);
      assert.deepEqual(
        again.map(({ digest }) => digest),
        digests,
      );
    });
  });

  it("uses Docker's media types where asked to, and where an archive is for docker (LAY-3, TAR-1)", async () => {
    await forms(async (attempt, folder) => {
      const { digest } = await attempt([
        `type=oci,tar=false,dest=${folder}/docker,oci-mediatypes=false`,
        `type=docker,dest=${folder}/docker.tar`,
        `type=docker,tar=false,dest=${folder}/folder`,
      ]);
      const { dockerManifest, dockerConfig, dockerLayerGzip: layer } = MEDIA_TYPE;
      const manifest = await manifestIn(join(folder, 'docker'));
      assert.deepEqual(
        [manifest.mediaType, manifest.config.mediaType],
        [dockerManifest, dockerConfig],
      );
      assert.deepEqual(await typesIn(join(folder, 'docker')), [layer, layer, layer]);
      const { stdout } = await run('tar', ['-xOf', `${folder}/docker.tar`, 'manifest.json']);
      assert.equal(stdout, await readFile(join(folder, 'folder/manifest.json'), 'utf8'));
      const [{ Layers: layers = [] } = {}] = JSON.parse(stdout) as { Layers?: string[] }[];
      assert.equal(layers.length, 3);
      assert.deepEqual((await blobIn(join(folder, 'folder'), digest)).layers, manifest.layers);
    });
  });

  it('takes no layer that Docker has no name for, where its names are demanded (LAY-3)', async () => {
    await forms(async (attempt, folder) => {
      await attempt([
        `type=oci,tar=false,dest=${folder}/zstd,compression=zstd,force-compression=true`,
      ]);
      const buildContexts = { base: `oci-layout://${folder}/zstd` };
      const dockerfile = Buffer.from('FROM base AS one\nRUN exit 1\nFROM one\nRUN exit 1\n');
      const demand = `type=oci,tar=false,dest=${folder}/docker,oci-mediatypes=false`;
      await assert.rejects(attempt([demand], { buildContexts, dockerfile }), (error) => {
        assert.ok(hasCode(error, 'ERR_USAGE'), String(error));
        assert.match(error.message, /oci-mediatypes=false: .*tar\+zstd"$/);
        return true;
      });
      const forced = `${demand},force-compression=true`;
      await attempt([forced, `type=docker,tar=false,dest=${folder}/folder`], { buildContexts });
      const layer = MEDIA_TYPE.dockerLayerGzip;
      assert.deepEqual(await typesIn(join(folder, 'docker')), [layer, layer, layer, layer]);
      // Nobody demanded it.
      await checkLayout(join(folder, 'folder'), ['manifest.json']);
    });
  });

  it('notes annotations where they were asked for (5.2)', async () => {
    await forms(async (attempt, folder) => {
      const more = { platform: 'linux/amd64', annotations: ['a=1', 'manifest-descriptor:b=2'] };
      const output = (rest = ''): string => `type=oci,tar=false,dest=${folder}/one${rest}`;
      const { digest } = await attempt([output(',annotation.c=3')], more);
      assert.deepEqual((await blobIn(`${folder}/one`, digest)).annotations, { a: '1', c: '3' });
      const [entry] = await checkLayout(`${folder}/one`);
      assert.deepEqual(entry?.annotations, { b: '2' });

      const fails = async (annotation: string, message: RegExp): Promise<void> => {
        await assert.rejects(
          attempt([output()], { ...more, annotations: [annotation] }),
          (error) => hasCode(error, 'ERR_USAGE') && message.test(error.message),
        );
      };
      await fails('index:a=1', /^index annotations not supported for single platform export$/);
      await fails('manifest[linux/arm64]:a=1', /no platform linux\/arm64 found in source$/);
      await fails('nowhere:a=1', /^Cannot understand the annotation/);
    });
  });

  it('notes annotations of an index, and of each platform (5.2)', async () => {
    await inContext('FROM scratch\nCOPY Dockerfile /\n', async (options) => {
      const layout = join(options.context, '../image');
      const { digest } = await build({
        ...{ ...options, helper: HELPER, platform: 'linux/amd64,linux/arm64' },
        outputs: [`type=oci,tar=false,dest=${layout},annotation-index-descriptor.top=1`],
        annotations: ['index,manifest:both=2', 'manifest-descriptor[linux/arm64]:arm=3'],
      });
      const index = await blobIn(layout, digest);
      assert.deepEqual(index.annotations, { both: '2' });
      const [entry] = await checkLayout(layout);
      assert.deepEqual(entry?.annotations, { top: '1' });
      const [amd64, arm64] = index.manifests;
      assert.deepEqual([amd64?.annotations, arm64?.annotations], [undefined, { arm: '3' }]);
      const { annotations } = await blobIn(layout, amd64?.digest ?? '');
      assert.deepEqual(annotations, { both: '2' });
    });
  });

  it('clamps the times of new files to SOURCE_DATE_EPOCH, not of the base (REP-1, REP-2)', async () => {
    await forms(async (attempt, folder) => {
      const layout = join(folder, 'image');
      const dockerfile = Buffer.from('FROM base\nADD files.tar /\n');
      const output = `type=oci,tar=false,dest=${layout},rewrite-timestamp=true`;
      const at = async (mtime: number, more: Partial<BuildOptions>): Promise<BuildResult> => {
        const members = [
          { name: 'old', mtime: 5e8 },
          { name: 'new', content: 'text', mtime },
          { name: 'link', type: '2', link: 'new', mtime },
        ];
        await writeFile(join(folder, 'context/files.tar'), tar(members));
        return await attempt([output], { dockerfile, sourceDateEpoch: 1e9, ...more });
      };
      const one = await at(1.5e9, { store: join(folder, 'one') });
      const { layers, diffIDs } = await readLayers(layout);
      const times = layers[2]?.map(({ name, mtime }) => [name, mtime]);
      assert.deepEqual(times, [
        ['link', 1e9],
        ['new', 1e9],
        ['old', 5e8],
      ]);
      const two = await at(1.6e9, { store: join(folder, 'two') });
      const again = await at(1.6e9, { store: join(folder, 'two') });
      assert.deepEqual([two.digest, again.digest], [one.digest, one.digest]);
      const plain = join(folder, 'plain');
      await at(1.6e9, { outputs: [`type=oci,tar=false,dest=${plain}`] });
      const asBuilt = await readLayers(plain);
      assert.deepEqual(diffIDs.slice(0, 2), asBuilt.diffIDs.slice(0, 2));
      assert.equal(asBuilt.layers[2]?.find(({ name }) => name === 'new')?.mtime, 1.6e9);
    });
  });

  it('fails when times cannot be clamped, and writes no image with others (REP-1)', async () => {
    await forms(async (attempt, folder) => {
      const dockerfile = Buffer.from('FROM base\nADD files.tar /\n');
      const one = { dockerfile, sourceDateEpoch: 1000 };
      const members = [{ name: 'text', content: TEXT, mtime: 2000 }];
      await writeFile(join(folder, 'context/files.tar'), tar(members));
      const layout = join(folder, 'as-built');
      await attempt([`type=oci,tar=false,dest=${layout}`], one);
      const { layers } = await manifestIn(layout);
      const blob = join(folder, 'store/v1/blobs', (layers[2]?.digest ?? '').replace(':', '/'));
      const bytes = await readFile(blob);
      bytes.fill(0xff, 1000, 1100);
      await rm(blob);
      await writeFile(blob, bytes);
      const output = `type=oci,dest=${folder}/clamped.tar,rewrite-timestamp=true`;
      await assert.rejects(attempt([output], one), (error) => hasCode(error, 'ERR_LAYER_INVALID'));
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.startsWith('clamped')),
        [],
      );
    });
  });

  it('tells that times cannot be clamped without SOURCE_DATE_EPOCH (REP-1)', async () => {
    await forms(async (attempt, folder) => {
      const told: string[] = [];
      await attempt([`type=oci,dest=${folder}/x.tar,rewrite-timestamp=true`], {
        onEvent: (event) => void (event.kind === 'notice' && told.push(event.message)),
      });
      assert.deepEqual(told, ['rewrite-timestamp has no effect without SOURCE_DATE_EPOCH']);
    });
  });

  itUnless(missing('skopeo'))('is accepted by skopeo in every form', async () => {
    await forms(async (attempt, folder) => {
      const kinds = ['gzip', 'zstd', 'uncompressed'];
      await attempt(
        kinds.flatMap((kind) => [
          `type=oci,dest=${folder}/oci-${kind}.tar,compression=${kind},force-compression=true`,
          `type=docker,dest=${folder}/docker-${kind}.tar,compression=${kind},annotation.a=b`,
        ]),
        { tags: ['app:v1'] },
      );
      await writeFile(
        join(folder, 'policy.json'),
        '{"default":[{"type":"insecureAcceptAnything"}]}',
      );
      const copy = async (source: string): Promise<void> => {
        const to = `dir:${folder}/copy-${source.replaceAll(/\W/g, '-')}`;
        await run('skopeo', ['--policy', join(folder, 'policy.json'), 'copy', '-q', source, to]);
      };
      for (const kind of kinds) {
        await copy(`oci-archive:${folder}/oci-${kind}.tar`);
        await copy(`docker-archive:${folder}/docker-${kind}.tar:app:v1`);
        await copy(`oci-archive:${folder}/docker-${kind}.tar`);
      }
    });
  });
});
