/** Images to compare, from every kind of place (T-46). */

import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { hasCode } from '../../src/errors.ts';
import { build } from '../../src/index.ts';
import { makeIndex } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar, type TarMember } from '../support/tar.ts';
import { made } from './made-images.ts';
import { file, filesOf, groupsOf, trial, type Trial } from './trial.ts';

describe('images to compare', () => {
  it('are archives of docker, of which the image counts: plain, packed, with links and tags', async () => {
    await trial(async ({ folder, diff, layout }) => {
      const image = made({ layers: [[file('a', 'a')], [file('b', 'b')]] });
      const members: TarMember[] = [
        file('abc.json', Buffer.from(image.config.bytes).toString()),
        { name: 'one/layer.tar', content: Buffer.from(image.layers[0]?.bytes ?? []) },
        { name: 'x.tar', content: Buffer.from(image.layers[1]?.bytes ?? []) },
        { name: 'two/layer.tar', type: '2', link: '../x.tar' },
        file(
          'manifest.json',
          JSON.stringify([
            {
              Config: 'abc.json',
              RepoTags: ['docker.io/library/app:v1'],
              Layers: ['one/layer.tar', 'two/layer.tar'],
            },
            { Config: 'abc.json', RepoTags: null, Layers: ['one/layer.tar'] },
          ]),
        ),
      ];
      const archive = join(folder, 'docker.tar');
      await writeFile(archive, tar(members));
      await writeFile(join(folder, 'packed.tar.gz'), gzipSync(tar(members)));
      const other = await layout(image);
      for (const name of [`docker-archive:${archive}:app:v1`, `${folder}/packed.tar.gz:v1`]) {
        const { equal, a } = await diff(name, other);
        assert.deepEqual([equal, a.digest], [true, undefined]);
      }
      await assert.rejects(
        diff(archive, other),
        (error) =>
          hasCode(error, 'ERR_IMAGE_INVALID') &&
          /The archive has docker.io\/library\/app:v1/.test(error.hint ?? ''),
      );
    });
  });

  it('are what was built under a name, an archive of it, its digest, and what a registry has', async () => {
    const registry = await startRegistry();
    try {
      await trial(async ({ folder, diff }) => {
        const name = `${registry.host}/app:1`;
        const digests: string[] = [];
        for (const text of ['one', 'two']) {
          const { digest } = await build({
            ...{
              context: Buffer.from(`FROM scratch\nCOPY <<x /x\n${text}\nx\n`),
              tags: [name],
            },
            ...{ store: join(folder, 'store'), helper: HELPER, sourceDateEpoch: 1 },
            outputs: [`type=oci,dest=${folder}/${text}.tar`],
          });
          digests.push(digest);
        }
        const built = await diff(name, `oci:${folder}/two.tar`);
        assert.deepEqual([built.equal, built.a.digest], [true, digests[1]]);
        const older = await diff(digests[0] ?? '', name);
        assert.deepEqual(
          filesOf(older).map(({ path, first }) => [path, first?.a, first?.b]),
          [['/x', 'one', 'two']],
        );
        assert.deepEqual(registry.log, [], 'nobody was asked');

        await comparePulled(registry, { folder, diff, name });
      });
    } finally {
      await registry.close();
    }
  });

  async function comparePulled(
    registry: TestRegistry,
    { folder, diff, name }: Pick<Trial, 'folder' | 'diff'> & { readonly name: string },
  ): Promise<void> {
    const base = [file('base', 'x'.repeat(5000))];
    const images = ['1', '2'].map((text) => made({ layers: [base, [file('a', text)]] }));
    const [one, two] = images;
    assert.ok(one && two);
    registry.add('app', '1', one);
    registry.addIndex('app', '2', makeIndex([two]), [two]);
    const store = join(folder, 'other');
    const pulled = await diff(`docker://${name}`, `${registry.host}/app:2`, { store });
    assert.deepEqual(groupsOf(pulled), { layers: 1, files: 1, manifest: 1 });
    const shared = one.layers[0]?.descriptor.digest ?? '';
    assert.ok(!registry.log.some((line) => line.includes(shared)), 'the layer in common');
    registry.log.length = 0;
    const pinned = `${registry.host}/app@${two.manifest.descriptor.digest}`;
    const again = await diff(pinned, `${registry.host}/app@${one.manifest.descriptor.digest}`, {
      store,
    });
    assert.deepEqual([groupsOf(again), registry.log], [{ layers: 1, files: 1 }, []]);
  }

  it('must be there: a file, a layer, a name that nobody misspelt', async () => {
    await trial(async ({ folder, diff, layout }) => {
      const image = made({ layers: [[file('a', 'a')]] });
      const other = await layout(made({ layers: [[file('a', 'b')]] }));
      const broken = await layout(image);
      const digest = image.layers[0]?.descriptor.digest ?? '';
      await rm(join(broken, 'blobs', digest.replace(':', '/')));
      await writeFile(join(folder, 'text.tar'), 'no archive');
      const fails = async (name: string, code: 'ERR_IMAGE_NOT_FOUND' | 'ERR_IMAGE_INVALID') => {
        await assert.rejects(diff(name, other), (error) => hasCode(error, code));
      };
      await fails(broken, 'ERR_IMAGE_NOT_FOUND');
      await fails(join(folder, 'nowhere'), 'ERR_IMAGE_NOT_FOUND');
      await fails('nowhere.tar', 'ERR_IMAGE_NOT_FOUND');
      await fails(join(folder, 'text.tar'), 'ERR_IMAGE_INVALID');
      await writeFile(join(other, 'blobs', digest.replace(':', '/')), 'damaged');
      await assert.rejects(diff('', other), (error) => hasCode(error, 'ERR_REFERENCE_INVALID'));
    });
  });

  it('whose layers are not what their digests say are refused, and nothing is left', async () => {
    await trial(async ({ diff, layout }) => {
      const image = made({ layers: [[file('a', 'a')]] });
      const damaged = await layout(image);
      const digest = image.layers[0]?.descriptor.digest ?? '';
      await writeFile(join(damaged, 'blobs', digest.replace(':', '/')), tar([file('b', 'b')]));
      const other = await layout(made({ layers: [[file('a', 'b')]] }));
      await assert.rejects(diff(other, damaged), (error) => hasCode(error, 'ERR_DIGEST_MISMATCH'));
    });
  });

  it('are compared no further after an abort', async () => {
    await trial(async ({ diff, layout }) => {
      const [a, b] = [await layout(made({ layers: [[]] })), await layout(made({ layers: [[]] }))];
      const reason = new Error('enough');
      await assert.rejects(
        diff(a, b, { signal: AbortSignal.abort(reason) }),
        (error) => error === reason,
      );
    });
  });
});
