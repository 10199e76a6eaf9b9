/** A process that writes into a store as fast as it can: `node writer.ts STORE ROUNDS NAME`. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheKey, openStore, parseLayerID } from '../../cache/index.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, parseDiffID } from '../../src/oci/digest.ts';

const [directory = '', rounds = '', name = ''] = process.argv.slice(2);
const store = await openStore(directory, { signal: new AbortController().signal });
const workspace = await store.openWorkspace();
console.log(workspace.path);
for (let round = 0; round < Number(rounds); round++) {
  const id = parseLayerID(digestOf(`layer ${round % 20}`));
  const diffID = parseDiffID(id);
  const blob = await store.putBytes(Buffer.alloc(200_000, round % 20));
  await store.saveFacts(id, { diffID, blobs: [{ mediaType: MEDIA_TYPE.layerTar, ...blob }] });
  const key = cacheKey('run', round % 20);
  const inputs = { padding: 'x'.repeat(50_000), name };
  await store.putRecord(key, { layer: id, inputs, created: 0, duration: round });
  const wrapper = join(workspace.path, `wrapper-${round}`);
  await mkdir(join(wrapper, 'fs'), { recursive: true });
  await writeFile(join(wrapper, 'fs/file'), name);
  await store.publishDirectory(id, 'owned', wrapper);
}
await workspace.close();
