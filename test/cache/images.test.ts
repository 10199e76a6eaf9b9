import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NamedImage, openStore, type Store } from '../../cache/index.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const NAME = 'registry.example/app:1';

function imageOf(text: string): NamedImage {
  const image = { mediaType: MEDIA_TYPE.manifest, digest: digestOf(text), size: text.length };
  return { image, origins: { [digestOf('layer')]: 'registry.example/base' }, created: 1 };
}

function withStore(use: (store: Store) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => use(await openStore(directory, { signal })));
}

describe('getImage()', () => {
  it('answers the image that was put last under a name, and nothing of another name', () =>
    withStore(async (store) => {
      assert.equal(await store.getImage(NAME), undefined);
      await store.putImage(NAME, imageOf('first'));
      await store.putImage(NAME, imageOf('second'));
      assert.deepEqual(await store.getImage(NAME), imageOf('second'));
      assert.equal(await store.getImage('registry.example/app:2'), undefined);
    }));

  it('answers nothing for a file that is torn', () =>
    withStore(async (store) => {
      await store.putImage(NAME, imageOf('first'));
      const folder = join(store.path, 'images');
      const [file = ''] = await readdir(folder);
      const text = await readFile(join(folder, file), 'utf8');
      await writeFile(join(folder, file), text.slice(0, -20));
      assert.equal(await store.getImage(NAME), undefined);
    }));
});
