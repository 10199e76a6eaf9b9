import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseLayerID } from '../../cache/index.ts';
import { hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Layer } from '../../src/solve/layer.ts';
import { itUnless } from '../support/missing.ts';
import { whyNot } from '../support/run-fixture.ts';
import { withDirectory } from '../support/temporary.ts';
import { lines } from './copying.ts';
import {
  BLOB,
  copyStep,
  DIRECTORY,
  entriesOf,
  execute,
  PLAIN,
  type StepFixture,
  textOf,
  withSteps,
} from './step-fixture.ts';

const itAsRoot = itUnless(whyNot('root'));

/** A layer with `etc/passwd`. */
async function passwdLayer({ context, write }: StepFixture, wanted = PLAIN): Promise<Layer> {
  await write({ passwd: 'root:x:0:0::/root:\n' });
  const step = copyStep(['passwd'], '/etc/', { chown: '7:8' });
  return (await execute(context, step, { wanted })).layer;
}

describe('Layers', () => {
  it('names temporary files, no two alike', async () => {
    await withSteps(async ({ context: { layers } }) => {
      assert.notEqual(layers.temporary('x'), layers.temporary('x'));
    });
  });

  it('compresses a layer that is a plain blob when an image needs it', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const layer = await passwdLayer(fixture);
      const [plain] = (await store.facts(layer.id))?.blobs ?? [];
      assert.equal(plain?.mediaType, MEDIA_TYPE.layerTar);
      const [blob, same] = await Promise.all([layers.blob(layer), layers.blob(layer)]);
      assert.equal(blob, same);
      assert.equal(blob.descriptor.mediaType, MEDIA_TYPE.layerGzip);
      const bytes = await readFile(blob.path);
      assert.equal(digestOf(bytes), blob.descriptor.digest);
      assert.equal(digestOf(gunzipSync(bytes)), blob.diffID);
      assert.equal(plain.digest, blob.diffID);
    });
  });

  it('takes a compressed blob that is there', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const layer = await passwdLayer(fixture, BLOB);
      const facts = await store.facts(layer.id);
      assert.deepEqual((await layers.blob(layer)).descriptor, facts?.blobs[0]);
      assert.equal(facts?.blobs.length, 1);
    });
  });

  itAsRoot('makes a directory of a blob, and the same blob of a directory', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const layer = await passwdLayer(fixture, BLOB);
      const blob = await layers.blob(layer);
      const directory = await layers.directory(layer);
      assert.equal(await readFile(join(directory, 'etc/passwd'), 'utf8'), 'root:x:0:0::/root:\n');
      assert.equal(directory, store.directoryPath(layer.id, 'owned'));
      await withSteps(async (other) => {
        // Another store, where it is a directory first.
        const again = await passwdLayer(other, DIRECTORY);
        assert.equal(again.id, layer.id);
        assert.equal(await other.context.store.facts(again.id), undefined);
        const recomposed = await other.context.layers.blob(again);
        assert.equal(
          lines(await entriesOf(other.context, again)).join(),
          lines(await entriesOf(fixture.context, layer)).join(),
        );
        assert.equal(recomposed.descriptor.mediaType, blob.descriptor.mediaType);
      });
    });
  });

  itAsRoot('keeps a built layer’s index when a directory is made of its blob', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const layer = await passwdLayer(fixture, BLOB);
      const before = await readFile(store.indexPath(layer.id));
      await layers.directory(layer);
      assert.deepEqual(await readFile(store.indexPath(layer.id)), before);
    });
  });

  itAsRoot('reads files of a directory', async () => {
    await withSteps(async (fixture) => {
      const layer = await passwdLayer(fixture, DIRECTORY);
      assert.equal((await fixture.context.layers.content(layer)).kind, 'directory');
      assert.equal(await textOf(fixture.context, [layer], 'etc/passwd'), 'root:x:0:0::/root:\n');
    });
  });

  for (const [name, wanted] of [
    ['a plain blob', PLAIN],
    ['a compressed blob', BLOB],
  ] as const) {
    it(`reads files of ${name}, without a sandbox`, async () => {
      await withSteps(async (fixture) => {
        const { context, session } = fixture;
        const layer = await passwdLayer(fixture, wanted);
        assert.equal(await textOf(context, [layer], 'etc/passwd'), 'root:x:0:0::/root:\n');
        assert.equal(await textOf(context, [layer], 'etc/group'), undefined);
        assert.equal(await textOf(context, [layer], 'etc'), undefined);
        assert.equal(session.helpers.hasSandbox, false);
      });
    });
  }

  it('reads the topmost file', async () => {
    await withSteps(async (fixture) => {
      const { context, write } = fixture;
      await write({ other: 'new\n' });
      const lower = await passwdLayer(fixture);
      const step = copyStep(['other'], '/etc/passwd');
      const { layer } = await execute(context, step, { parent: [lower] });
      assert.equal(await textOf(context, [lower, layer], 'etc/passwd'), 'new\n');
    });
  });

  it('knows whether a layer is still whole', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const unknown: Layer = { id: parseLayerID(digestOf('unknown')), pulled: undefined };
      assert.equal(await layers.isComplete(unknown), false);
      const layer = await passwdLayer(fixture);
      assert.equal(await layers.isComplete(layer), true);
      await rm(join(store.path, 'blobs'), { recursive: true });
      assert.equal(await layers.isComplete(layer), false);
    });
  });

  itAsRoot('makes a layer again that is only there as another rung unpacks it', async () => {
    await withDirectory(async (store) => {
      await withSteps(
        async (fixture) => {
          const { store: layout } = fixture.context;
          const { id } = await passwdLayer(fixture, DIRECTORY);
          const wrappers = (['owned', 'single'] as const).map((flavor) =>
            dirname(layout.directoryPath(id, flavor)),
          );
          await rename(...(wrappers as [string, string]));
        },
        { store },
      );
      await withSteps(
        async (fixture) => {
          const { context, session } = fixture;
          const layer = await passwdLayer(fixture);
          assert.equal(session.helpers.hasSandbox, false);
          assert.equal(await textOf(context, [layer], 'etc/passwd'), 'root:x:0:0::/root:\n');
        },
        { store },
      );
    });
  });

  it('rejects a layer whose bytes somebody removed, and says to build again', async () => {
    await withSteps(async (fixture) => {
      const { layers, store } = fixture.context;
      const layer = await passwdLayer(fixture);
      await rm(join(store.path, 'blobs'), { recursive: true });
      const isLost = (error: unknown) =>
        hasCode(error, 'ERR_LAYER_INVALID') &&
        error.details.layer === layer.id &&
        error.hint?.endsWith('Build again.') === true;
      await assert.rejects(layers.content(layer), isLost);
      await assert.rejects(layers.blob(layer), isLost);
      await assert.rejects(textOf(fixture.context, [layer], 'etc/passwd'), isLost);
    });
  });

  itAsRoot('rejects with what became of the helper that should read a directory', async () => {
    await withDirectory(async (store) => {
      let layer: Layer | undefined;
      await withSteps(
        async (fixture) => {
          layer = await passwdLayer(fixture, DIRECTORY);
        },
        { store },
      );
      await withSteps(
        async ({ context: { layers } }) => {
          const content = layers.content(layer ?? assert.fail());
          await assert.rejects(content, (error) => hasCode(error, 'ERR_HELPER_MISSING'));
        },
        { store, helper: join(store, 'none') },
      );
    });
  });
});

describe('openSession()', () => {
  it('leaves nothing of a build in the store but what is finished', async () => {
    await withDirectory(async (store) => {
      await withSteps(
        async (fixture) => {
          const layer = await passwdLayer(fixture);
          await fixture.context.layers.content(layer);
          assert.notDeepEqual(await readdir(fixture.session.workspace.path), []);
        },
        { store },
      );
      assert.deepEqual(await readdir(join(store, 'v1', 'tmp')), []);
    });
  });
});
