/** A Debian root filesystem as an OCI layout, made by mmdebstrap from the machine's package mirror. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';

const run = promisify(execFile);

/** A layout, and the name of its one image. */
export interface BaseLayout {
  readonly folder: string;
  readonly reference: string;
}

/**
 * The layout below `cache`, made when it is not there yet (20 s). `variant` is mmdebstrap's:
 * `minbase` is small, `important` is a usual server (about 250 MB, 90 MB compressed).
 */
export async function debianLayout(
  cache: string,
  variant: 'minbase' | 'important',
): Promise<BaseLayout> {
  const layout = { folder: join(cache, `debian-${variant}`), reference: 'debian:latest' };
  if (existsSync(layout.folder)) return layout;
  const work = `${layout.folder}.${process.pid}`;
  const tar = `${work}.tar`;
  try {
    await run('mmdebstrap', [`--variant=${variant}`, '--format=tar', 'bookworm', tar], {
      maxBuffer: 1 << 26,
    });
    await writeLayout(work, tar);
    await rename(work, layout.folder);
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(tar, { force: true });
  }
  return layout;
}

/** One layer, gzip as registries serve it. */
async function writeLayout(folder: string, tar: string): Promise<void> {
  const blobs = join(folder, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const diffID = await digestOf(tar);
  const packed = join(blobs, 'layer');
  await pipeline(createReadStream(tar), createGzip({ level: 6 }), createWriteStream(packed));
  const layer = { digest: await digestOf(packed), size: (await stat(packed)).size };
  await rename(packed, join(blobs, layer.digest.slice(7)));
  const put = async (mediaType: string, document: object) => {
    const bytes = JSON.stringify(document);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const config = await put(type('config.v1+json'), {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['bash'],
    },
    rootfs: { type: 'layers', diff_ids: [diffID] },
    history: [{ created_by: 'mmdebstrap' }],
  });
  const layers = [{ mediaType: type('layer.v1.tar+gzip'), ...layer }];
  const manifest = await put(type('manifest.v1+json'), {
    schemaVersion: 2,
    mediaType: type('manifest.v1+json'),
    config,
    layers,
  });
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  await writeFile(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest('hex')}`;
}
