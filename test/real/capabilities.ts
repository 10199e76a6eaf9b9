/** What getcap tells of an image's files, once GNU tar has unpacked its layers. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** By path. Of the layers above the base, in which nothing is removed. Needs root. */
export async function capabilitiesIn(layout: string): Promise<Readonly<Record<string, string>>> {
  const root = await mkdtemp(join(tmpdir(), 'tsbuild-capabilities-'));
  try {
    const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Documents;
    const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
    const { manifests } = await read(join(layout, 'index.json'));
    const { layers } = await read(blob(manifests[0].digest));
    for (const { digest } of layers.slice(1)) {
      const flags = ['--xattrs', '--xattrs-include=*', '--overwrite', '-C', root];
      await execute('tar', [...flags, '-xzf', blob(digest)]);
    }
    const { stdout } = await execute('getcap', ['-r', root]);
    const lines = stdout.trim().split('\n');
    const pairs = lines.map((line) => line.slice(root.length + 1).split(' '));
    return Object.fromEntries(pairs.map(([path = '', value = '']) => [path, value]));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

interface Documents {
  readonly manifests: readonly [{ readonly digest: string }];
  readonly layers: readonly { readonly digest: string }[];
}
