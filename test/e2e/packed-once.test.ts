/** No layer is compressed twice, however many outputs, builds and pushes an image goes into (LAY-6). */

import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, push } from '../../src/index.ts';
import { inContext } from '../support/in-context.ts';
import { startRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';

const FILES = { Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\n', a: 'a', b: 'b' };

/** A helper that notes what it is asked for: answers its path, and how many blobs it was to make. */
async function noting(folder: string): Promise<[string, () => Promise<number>]> {
  const [helper, log] = [join(folder, 'helper'), join(folder, 'requests')];
  await writeFile(log, '');
  await writeFile(helper, `#!/bin/sh\ntee -a '${log}' | '${HELPER}' "$@"\n`);
  await chmod(helper, 0o755);
  return [
    helper,
    async () => {
      const requests = await readFile(log, 'latin1');
      return requests.match(/"compression":"/g)?.length ?? 0;
    },
  ];
}

describe('a layer', () => {
  it('is compressed once for several outputs, for later builds, and for pushes', async () => {
    const registry = await startRegistry();
    try {
      await inContext(FILES, async ({ store = '', ...options }) => {
        const folder = join(options.context, '..');
        const [helper, packed] = await noting(folder);
        const name = `${registry.host}/app:1`;
        const built = { ...options, store, helper, tags: [name] };
        const layout = (at: string) => `type=oci,tar=false,dest=${folder}/${at}`;
        const first = await build({
          ...built,
          outputs: [layout('one'), `type=oci,dest=${folder}/two.tar`, 'type=registry'],
        });
        assert.equal(await packed(), 2);
        const second = await build({ ...built, outputs: [layout('three')], push: true });
        await push({ name: `${registry.host}/other:1`, source: name, store, helper });
        assert.equal(await packed(), 2);
        assert.equal(second.digest, first.digest);
        // Another form is another blob of each layer; then it is there, too.
        const zstd = `${layout('four')},compression=zstd`;
        await build({ ...built, tags: [], outputs: [zstd] });
        await build({ ...built, tags: [], outputs: [zstd.replace('four', 'five')] });
        assert.equal(await packed(), 4);
      });
    } finally {
      await registry.close();
    }
  });
});
