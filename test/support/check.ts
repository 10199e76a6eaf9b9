/** Validates an image layout directory against its own bytes. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { digestOf } from '../../src/oci/digest.ts';
import { assertMediaType, assertSchema } from './image-schemas.ts';

/** The descriptor as it stands in a document, before any parser of ours. */
export interface RawDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

interface RawDocument {
  readonly schemaVersion: number;
  readonly mediaType?: string;
  readonly manifests?: readonly RawDescriptor[];
  readonly config: RawDescriptor;
  readonly layers: readonly RawDescriptor[];
}

/** The config of what is no image. */
const EMPTY = 'application/vnd.oci.empty.v1+json';

interface RawConfig {
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/**
 * Every descriptor resolves to bytes of its size and digest, every layer unpacks to its diffID, every
 * document passes the image-spec's schema and has a media type that it knows, and there is no file that does
 * not belong. Returns the entries of index.json. `more` is what belongs there besides.
 */
export async function checkLayout(
  directory: string,
  more: readonly string[] = [],
): Promise<readonly RawDescriptor[]> {
  const names = ['blobs', 'index.json', 'oci-layout', ...more];
  assert.deepEqual((await readdir(directory)).sort(), names.sort());
  assertSchema('layout', await readJson(join(directory, 'oci-layout')));
  assert.deepEqual(await readdir(join(directory, 'blobs')), ['sha256']);
  for (const name of await readdir(join(directory, 'blobs', 'sha256'))) {
    const bytes = await readFile(join(directory, 'blobs', 'sha256', name));
    assert.equal(digestOf(bytes), `sha256:${name}`, 'a blob is named by its digest');
  }
  const index = (await readJson(join(directory, 'index.json'))) as RawDocument;
  assertSchema('index', index);
  const entries = index.manifests ?? [];
  for (const entry of entries) await checkManifest(directory, entry);
  return entries;
}

async function checkManifest(directory: string, descriptor: RawDescriptor): Promise<void> {
  const bytes = await checkBlob(directory, descriptor);
  const document = JSON.parse(bytes.toString()) as RawDocument;
  const kind = document.manifests === undefined ? 'manifest' : 'index';
  assertSchema(kind, document);
  assertMediaType(kind, descriptor.mediaType);
  assert.equal(document.mediaType ?? descriptor.mediaType, descriptor.mediaType);
  if (document.manifests !== undefined) {
    for (const entry of document.manifests) await checkManifest(directory, entry);
    return;
  }
  assertMediaType('config', document.config.mediaType);
  for (const { mediaType, annotations = {} } of document.layers) {
    assertMediaType('layer', mediaType);
    const notes = Object.keys(annotations).filter((name) => /containerd|buildkit/.test(name));
    assert.deepEqual(notes, [], "a builder's notes about layers");
  }
  const text = (await checkBlob(directory, document.config)).toString();
  if (document.config.mediaType === EMPTY) {
    assert.equal(text, '{}');
    for (const layer of document.layers) await checkBlob(directory, layer);
    return;
  }
  const config = JSON.parse(text) as RawConfig;
  assertSchema('config', config);
  const diffIDs: string[] = [];
  for (const layer of document.layers) {
    const stored = await checkBlob(directory, layer);
    diffIDs.push(digestOf(unpack(layer.mediaType, stored)));
  }
  assert.deepEqual(diffIDs, config.rootfs.diff_ids);
}

function unpack(mediaType: string, stored: Buffer): Buffer {
  if (mediaType.endsWith('gzip')) return gunzipSync(stored);
  return mediaType.endsWith('zstd') ? zstdDecompressSync(stored) : stored;
}

async function checkBlob(directory: string, descriptor: RawDescriptor): Promise<Buffer> {
  const [algorithm = '', hex = ''] = descriptor.digest.split(':');
  const bytes = await readFile(join(directory, 'blobs', algorithm, hex));
  assert.equal(bytes.length, descriptor.size);
  assert.equal(digestOf(bytes), descriptor.digest);
  return bytes;
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}
