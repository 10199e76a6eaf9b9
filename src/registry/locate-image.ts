/** What a user calls an image: a path, a name in the store, a name in a registry. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { type Digest, isDigest, parseDigest } from '../oci/digest.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import { parseLayoutLocation } from './layout-source.ts';

export type ImagePlace =
  | {
      readonly kind: 'path';
      readonly path: string;
      readonly tag?: string;
      readonly digest?: Digest;
    }
  /** An image of the store by its digest alone. */
  | { readonly kind: 'digest'; readonly digest: Digest }
  /** Looked for in the store first. */
  | { readonly kind: 'name'; readonly reference: Reference }
  | { readonly kind: 'registry'; readonly reference: Reference };

const PATH_SCHEME = /^(?:oci|oci-archive|oci-layout|docker-archive):(?:\/\/)?/;
/** A misspelt file is no reason to ask a registry. */
const LOOKS_LIKE_PATH = /^\.{0,2}\/|\.(?:tar|tgz|tar\.gz)$/;
const REGISTRY_SCHEME = /^(?:docker|registry):\/\//;

/** @throws ERR_REFERENCE_INVALID for what is neither, ERR_IMAGE_NOT_FOUND for a path that is not there */
export async function locateImage(text: string): Promise<ImagePlace> {
  if (PATH_SCHEME.test(text)) return await pathOf(text.replace(PATH_SCHEME, ''));
  if (REGISTRY_SCHEME.test(text)) {
    return { kind: 'registry', reference: parseReference(text.replace(REGISTRY_SCHEME, '')) };
  }
  if (isDigest(text)) return { kind: 'digest', digest: parseDigest(text) };
  const path = await pathOf(text);
  if (LOOKS_LIKE_PATH.test(text) || (await isImagePath(path.path))) return path;
  try {
    return { kind: 'name', reference: parseReference(text) };
  } catch (error) {
    if (!(await exists(path.path))) throw error;
    return path;
  }
}

/** A path may have colons of its own: what is there is meant as it stands. */
async function pathOf(text: string): Promise<Extract<ImagePlace, { readonly kind: 'path' }>> {
  if (text === '') throw noPath();
  if (await exists(text)) return { kind: 'path', path: text };
  const named = /^(?<path>.+?):(?<name>[\w.-]+(?::\d+)?(?:\/[\w./-]+)*:[\w.-]+)$/s.exec(
    text,
  )?.groups;
  if (named?.['path'] !== undefined && named['name'] !== undefined) {
    if (await exists(named['path']))
      return { kind: 'path', path: named['path'], tag: named['name'] };
  }
  const location = parseLayoutLocation(`oci-layout:${text}`);
  if (location === undefined) throw noPath();
  const { directory, ...rest } = location;
  return { kind: 'path', path: directory, ...rest };
}

function noPath(): TsbuildError {
  return new TsbuildError('ERR_REFERENCE_INVALID', {
    message: 'Cannot use an image without a name',
    details: { reference: '' },
    hint: 'Name a layout, an archive, or an image.',
  });
}

/** Names of images are often names of directories, too: those that are no layout are not meant. */
async function isImagePath(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return await exists(join(path, 'index.json'));
  return found !== undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
