/** What differs between two images, group by group (T-46). */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { blob, blobsOf, makeIndex, type TestImage, writeTestLayout } from '../support/image.ts';
import { made } from './made-images.ts';
import { file, filesOf, groupsOf, ofGroup, trial } from './trial.ts';

describe('diffImages()', () => {
  it('finds nothing between images of one digest, whose layers need not be there', async () => {
    await trial(async ({ diff, layout }) => {
      const image = made({ layers: [[file('a', 'a')]] });
      const [one, two] = [await layout(image), await layout(image)];
      await rm(join(two, 'blobs', (image.layers[0]?.descriptor.digest ?? '').replace(':', '/')));
      const result = await diff(one, two);
      assert.deepEqual([result.equal, result.differences], [true, []]);
      assert.equal(result.a.digest, image.manifest.descriptor.digest);
    });
  });

  it('names keys of the config, variables and labels by name, and entries of the history', async () => {
    await trial(async ({ compare }) => {
      const layers = [[file('a', 'a')]];
      const diff = await compare(
        {
          layers,
          config: { Env: ['PATH=/bin', 'A=1', 'B=x=y'], Cmd: ['a'], Labels: { 'org.x': '1' } },
          history: [
            { created_by: 'COPY', created: '2020' },
            { created_by: 'ENV', empty_layer: true },
          ],
          more: { author: 'me' },
        },
        {
          layers,
          config: { Env: ['A=2', 'PATH=/bin', 'C='], Cmd: ['a', 'b'], Labels: { 'org.x': '2' } },
          history: [
            { created_by: 'ARG', empty_layer: true },
            { created_by: 'COPY', created: '2021' },
            { created_by: 'ENV', empty_layer: true },
          ],
        },
      );
      const told = diff.differences.map((each) =>
        'key' in each && 'a' in each
          ? [each.change, each.key, each.a, each.b]
          : Object.values(each),
      );
      assert.deepEqual(groupsOf(diff), { config: 6, history: 2 });
      assert.deepEqual(told.slice(0, 4), [
        ['changed', 'config.Env.A', '1', '2'],
        ['removed', 'config.Env.B', 'x=y', undefined],
        ['config', 'added', 'config.Env.C', '', 'linux/amd64'],
        ['changed', 'config.Cmd', ['a'], ['a', 'b']],
      ]);
      assert.deepEqual(told.slice(4), [
        ['changed', 'config.Labels["org.x"]', '1', '2'],
        ['removed', 'author', 'me', undefined],
        ['history', 'added', 'history[0]', { created_by: 'ARG', empty_layer: true }, 'linux/amd64'],
        ['changed', 'history[0].created', '2020', '2021'],
      ]);
    });
  });

  it('names files by what of them differs, and where contents part', async () => {
    await trial(async ({ compare }) => {
      const base = [file('kept', 'kept'), file('etc/passwd', 'root\n'), file('etc/old', 'old')];
      const long = 'x'.repeat(600_000);
      const diff = await compare(
        {
          level: 6,
          layers: [
            base,
            [
              file('text', 'one\ntwo\nthree\n'),
              file('binary', `\0${long}1`),
              file('longer', long),
              file('mode', '', { mode: 0o644, mtime: 1 }),
              file('owner', '', { uid: 1 }),
              file('xattr', '', { pax: { 'SCHILY.xattr.user.x': '1' } }),
              file('time', '', { mtime: 1 }),
              file('type', ''),
              { name: 'link', type: '2', link: 'a' },
              { name: 'device', type: '3', device: [1, 3] },
            ],
          ],
        },
        {
          layers: [
            base,
            [
              file('text', 'one\ntwo too\nthree\n'),
              file('binary', `\0${long}2`),
              file('longer', `${long}y`),
              file('mode', '', { mode: 0o600, mtime: 2 }),
              file('owner', '', { uid: 2 }),
              file('xattr', '', { pax: { 'SCHILY.xattr.user.x': '2' } }),
              file('time', '', { mtime: 2 }),
              { name: 'type', type: '5' },
              { name: 'link', type: '2', link: 'b' },
              { name: 'device', type: '3', device: [1, 5] },
              file('etc/.wh.old', ''),
              file('etc/passwd', 'root\n'),
              file('etc/new', 'new'),
            ],
          ],
        },
      );
      const told = filesOf(diff).map(({ change, path, fields, first, inLayer }) => [
        ...[path, fields.join() || change],
        ...(first === undefined ? [] : [first.offset, first.line]),
        ...(inLayer ? ['in a layer alone'] : []),
      ]);
      assert.deepEqual(told, [
        ['/binary', 'content', 600_001, undefined],
        ['/device', 'device'],
        ['/etc/new', 'added'],
        ['/etc/old', 'removed'],
        ['/link', 'target'],
        ['/longer', 'content', 600_000, 1],
        ['/text', 'content', 7, 2],
        ['/type', 'type'],
        ['/etc/passwd', 'added', 'in a layer alone'],
        ['/mode', 'mode,mtime'],
        ['/owner', 'owner'],
        ['/xattr', 'xattrs'],
        ['/time', 'mtime'],
      ]);
      const text = filesOf(diff).find(({ path }) => path === '/text');
      assert.deepEqual([text?.first?.a, text?.first?.b], ['two', 'two too']);
      assert.deepEqual([text?.a?.size, text?.a?.layer, text?.b?.layer], [14, 1, 1]);
      assert.deepEqual(groupsOf(diff), { layers: 1, files: 9, metadata: 3, times: 1, bytes: 1 });
      const [layer] = ofGroup(diff, 'layers');
      assert.ok(layer?.group === 'layers');
      assert.deepEqual(
        [layer.change, layer.entries, layer.a?.createdBy],
        ['changed', 13, 'step 1'],
      );
    });
  });

  it('puts layers side by side, and counts the entries of those without a partner', async () => {
    await trial(async ({ compare }) => {
      const layers = ['a', 'b', 'c'].map((name) => [file(name, name)]);
      const history = ['A', 'B', 'C'].map((text) => ({ created_by: text }));
      const without = { layers: layers.toSpliced(1, 1), history: history.toSpliced(1, 1) };
      const diff = await compare({ layers, history }, without);
      assert.deepEqual(groupsOf(diff), { history: 1, layers: 1, files: 1 });
      const [layer] = ofGroup(diff, 'layers');
      assert.ok(layer?.group === 'layers');
      assert.deepEqual([layer.change, layer.a?.index, layer.entries], ['removed', 1, 1]);
      assert.deepEqual(
        filesOf(diff).map(({ path, change }) => [path, change]),
        [['/b', 'removed']],
      );
    });
  });

  it('tells files that later layers hide: they are in the image, and nobody sees them', async () => {
    await trial(async ({ compare }) => {
      const top = [file('a', 'new'), file('.wh.gone', '')];
      const diff = await compare(
        { layers: [[file('a', 'old 1'), file('gone', '1')], top] },
        { layers: [[file('a', 'old 2'), file('gone', '2')], top] },
      );
      assert.deepEqual(
        filesOf(diff).map(({ path, inLayer, a, first }) => [
          path,
          inLayer,
          a?.layer,
          first?.offset,
        ]),
        [
          ['/a', true, 0, 4],
          ['/gone', true, 0, 0],
        ],
      );
    });
  });

  it('tells the same said with other bytes: a compression, the order of a tar, spaces', async () => {
    await trial(async ({ compare }) => {
      const [a, b] = [file('a', 'a'), file('b', 'b')];
      const packed = await compare({ layers: [[a]] }, { layers: [[a]], level: 9 });
      assert.deepEqual(groupsOf(packed), { bytes: 1 });
      const [layer] = ofGroup(packed, 'bytes');
      assert.ok(layer?.group === 'bytes');
      const { key, a: x, b: y } = layer;
      assert.deepEqual(
        [key, x.mediaType, y.mediaType],
        ['layers[0]', MEDIA_TYPE.layerTar, MEDIA_TYPE.layerGzip],
      );

      const ordered = await compare({ layers: [[a, b]] }, { layers: [[b, a]] });
      assert.deepEqual(groupsOf(ordered), { bytes: 1 });
      const [order] = ofGroup(ordered, 'bytes');
      assert.deepEqual(order?.group === 'bytes' && [order.key, order.offset], ['layers[0].tar', 0]);

      const spaced = await compare({ layers: [[a]] }, { layers: [[a]], indent: 1 });
      assert.deepEqual(groupsOf(spaced), { bytes: 1 });
      const annotated = await compare(
        { layers: [[a]] },
        { layers: [[a]], manifest: { annotations: { x: '1' } } },
      );
      assert.deepEqual(groupsOf(annotated), { manifest: 1 });
    });
  });

  it('leaves out what is to be ignored, and keeps no more than asked for', async () => {
    await trial(async ({ compare }) => {
      const dated = (mtime: number) => ({
        layers: [[1, 2, 3].map((name) => file(`${name}`, '', { mtime }))],
      });
      const limited = await compare(dated(1), dated(2), { limit: 2 });
      assert.deepEqual([limited.counts.times, ofGroup(limited, 'times').length], [3, 2]);
      const ignored = await compare(dated(1), dated(2), { ignore: ['times'] });
      assert.deepEqual([ignored.equal, groupsOf(ignored)], [true, {}]);
    });
  });

  it('lists a directory that only one image has once, when asked to', async () => {
    await trial(async ({ compare }) => {
      const kept = file('e', 'e');
      const directories = ['a', 'a/b'].map((name) => ({ name, type: '5' }));
      const b = {
        layers: [[...directories, file('a/b/c', 'c'), file('a/b/d', 'd'), file('a-', ''), kept]],
      };
      const a = { layers: [[kept]] };
      const diff = await compare(a, b, { collapse: true, limit: 2 });
      assert.deepEqual(
        filesOf(diff).map(({ path, below }) => [path, below]),
        [
          ['/a', 3],
          ['/a-', undefined],
        ],
      );
      assert.equal(diff.counts.files, 5);
    });
  });

  it('compares indexes platform by platform, with what is said about the images', async () => {
    await trial(async ({ folder, diff }) => {
      const imageOf = (architecture: string, content: string): TestImage =>
        made({ architecture, layers: [[file('a', content)]] });
      const [amd64, arm64, other, s390x] = [
        imageOf('amd64', 'a'),
        imageOf('arm64', 'a'),
        imageOf('arm64', 'b'),
        imageOf('s390x', 'a'),
      ];
      const indexOf = async (name: string, images: readonly TestImage[], predicate: string) => {
        const statement = blob(
          'application/vnd.in-toto+json',
          Buffer.from(JSON.stringify({ subject: [predicate], predicate: { builder: predicate } })),
        );
        const annotations = { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' };
        const layers = [{ ...statement.descriptor, annotations }];
        const about = made({ layers: [], manifest: { layers } });
        const attestation = {
          ...about.manifest.descriptor,
          platform: { os: 'unknown', architecture: 'unknown' },
          annotations: {
            'vnd.docker.reference.type': 'attestation-manifest',
            'vnd.docker.reference.digest': images[0]?.manifest.descriptor.digest ?? '',
          },
        };
        const index = makeIndex(images, [attestation]);
        const blobs = [...images.flatMap(blobsOf), ...blobsOf(about), statement, index];
        await writeTestLayout(join(folder, name), [index.descriptor], blobs);
        return join(folder, name);
      };
      const one = await indexOf('one', [amd64, arm64], 'one');
      const two = await indexOf('two', [amd64, other, s390x], 'two');
      const result = await diff(one, two);
      const { platforms, attestations, files } = result.counts;
      assert.deepEqual([platforms, attestations, files], [1, 1, 1]);
      const [platform] = ofGroup(result, 'platforms');
      assert.deepEqual(platform?.group === 'platforms' && [platform.change, platform.key], [
        'added',
        'linux/s390x',
      ]);
      const [said] = ofGroup(result, 'attestations');
      assert.deepEqual(said?.group === 'attestations' && [said.key, said.a, said.b], [
        'linux/amd64 https://slsa.dev/provenance/v1.predicate.builder',
        'one',
        'two',
      ]);
      assert.deepEqual(
        filesOf(result).map((each) => [each.platform, each.path]),
        [['linux/arm64', '/a']],
      );
      const amd = await diff(one, two, { platform: 'linux/amd64' });
      assert.ok(amd.equal);
      await assert.rejects(
        diff(one, two, { platform: 'linux/s390x' }),
        (error) => hasCode(error, 'ERR_PLATFORM_MISSING') && error.hint?.includes('linux/arm64'),
      );
    });
  });
});
