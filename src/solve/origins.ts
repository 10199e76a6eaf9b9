/** What COPY and mounts take files from: contexts, stages, images and inline files, as one kind of tree. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type {
  ScannedArchive,
  ScannedContext,
  ScannedDirectory,
} from '../context/scanned-context.ts';
import { TsbuildError } from '../errors.ts';
import type { CopyOrigin, PlannedStage } from '../plan/step.ts';
import type { EntrySource, FileEntry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { encodeIndex } from '../tree/index-codec.ts';
import { indexFromBytes, type LayerIndex } from '../tree/layer-index.ts';
import { toBytes, toText } from '../tree/path.ts';
import type { SourceTree } from './content-origin.ts';
import type { BaseImage, Layer } from './layer.ts';
import type { Layers } from './layers.ts';
import { memberBytes } from './member-bytes.ts';
import type { Places } from './places.ts';

/** A source tree and the way to its files' bytes. */
export interface Origin extends SourceTree {
  /** What it holds, as a cache key sees it: readable, equal for equal content. */
  readonly identity: string;
  /** Layers, for those that have them: what a mount can be made of. */
  readonly layers: readonly Layer[] | undefined;
  /** A file of a context as one of this machine, for ADD to look into. */
  readonly hostFile: ((path: string) => Promise<string | undefined>) | undefined;
  /** Whether something is at a path of a context that its ignore file leaves out. */
  readonly isIgnored: ((path: string) => Promise<boolean>) | undefined;
  /** Byte strings of what is not in the tree because this user may not read it. */
  readonly unreadable: readonly string[];
  /** What its times are of, where they matter: a layer of it is another for another one. */
  readonly datedBy: string | undefined;
  /** Makes the bytes of these layers' files reachable for compose. */
  open(layer: number, places: Places): Promise<(entry: FileEntry) => EntrySource>;
}

export interface OriginsOptions {
  readonly layers: Layers;
  /** The build context, scanned when first asked for. */
  readonly context: () => Promise<ScannedContext>;
  readonly namedContext: (name: string) => Promise<ScannedContext>;
  readonly stage: (stage: PlannedStage<BaseImage>) => Promise<readonly Layer[]>;
}

export class Origins {
  readonly #options: OriginsOptions;
  readonly #contexts = new Map<string, LayerIndex>();

  constructor(options: OriginsOptions) {
    this.#options = options;
  }

  /** What a cache key needs to know of an origin; no index is read for it. */
  async identity(origin: CopyOrigin<BaseImage>): Promise<string> {
    switch (origin.kind) {
      case 'context':
        return (await this.#options.context()).identity;
      case 'named-context':
        return (await this.#options.namedContext(origin.name)).identity;
      case 'stage':
        return identityOf(await this.#options.stage(origin.stage));
      case 'image':
        return identityOf(origin.image.layers);
    }
  }

  /** The tree of an origin. */
  async open(origin: CopyOrigin<BaseImage>): Promise<Origin> {
    switch (origin.kind) {
      case 'context':
        return this.#fromContext(await this.#options.context());
      case 'named-context':
        return this.#fromContext(await this.#options.namedContext(origin.name));
      case 'stage':
        return await layersOrigin(await this.#options.stage(origin.stage), this.#options.layers);
      case 'image':
        return await layersOrigin(origin.image.layers, this.#options.layers);
    }
  }

  #fromContext(context: ScannedContext): Origin {
    const index =
      this.#contexts.get(context.index) ?? this.#options.layers.openIndex(context.index);
    this.#contexts.set(context.index, index);
    const temporary = (): string => this.#options.layers.temporary('member');
    return context.kind === 'directory'
      ? directoryOrigin(index, context, temporary)
      : archiveOrigin(index, context, temporary);
  }
}

/** The root filesystem of layers, lowest first. */
export async function layersOrigin(list: readonly Layer[], layers: Layers): Promise<Origin> {
  return {
    tree: await layers.tree(list, { directories: false }),
    resetOwner: false,
    identity: identityOf(list),
    layers: list,
    hostFile: undefined,
    isIgnored: undefined,
    unreadable: [],
    datedBy: undefined,
    open: async (number, places) => {
      const layer = list[number];
      if (layer === undefined) throw new TypeError(`No layer ${number}`);
      const content = await layers.content(layer);
      if (content.kind === 'directory') {
        places.directories = true;
        const root = places.root(content.path);
        return ({ path }) => ({ kind: 'path', root, path });
      }
      const file = places.file(content.path);
      return ({ path }) => sourceIn(content.index, path, file);
    },
  };
}

/** Files of this machine: they become root's (CP-12). */
export function directoryOrigin(
  index: LayerIndex,
  { directory, identity, unreadable, datedBy }: ScannedDirectory,
  temporary: () => string,
): Origin {
  const pathOf = (path: string): Buffer => Buffer.from(`${toBytes(directory)}/${path}`, 'latin1');
  return {
    tree: new ImageTree([index]),
    resetOwner: true,
    identity,
    layers: undefined,
    hostFile: async (path) => {
      const text = toText(path);
      if (toBytes(text) === path) return join(directory, text);
      // The helper is told paths in JSON, which cannot say this one.
      const to = temporary();
      await copyFile(pathOf(path), to).catch((cause) => {
        throw goneFile(join(directory, text), cause);
      });
      return to;
    },
    isIgnored: async (path) => {
      if (index.get(path) !== undefined) return false;
      return await lstat(pathOf(path)).then(
        // It is left out for what it is: whoever builds was told so.
        (found) => !found.isSocket(),
        () => false,
      );
    },
    unreadable,
    datedBy,
    open: async (_, places) => {
      const root = places.root(directory);
      return ({ path }) => ({ kind: 'path', root, path });
    },
  };
}

function goneFile(path: string, cause: unknown): TsbuildError {
  return new TsbuildError('ERR_CONTEXT_CHANGED', {
    message: `Cannot read "${path}": it changed while the build was running`,
    details: { path },
    cause,
  });
}

/** Members of a tar: they keep their owners, as in BuildKit (CP-12). */
function archiveOrigin(
  index: LayerIndex,
  { file, identity, isIgnored }: ScannedArchive,
  temporary: () => string,
): Origin {
  return {
    ...fileOrigin(index, identity, file),
    isIgnored: async (path) => isIgnored(path),
    hostFile: async (path) => {
      const entry = index.get(path);
      const name = entry?.type === 'hardlink' ? entry.target : path;
      const to = temporary();
      return await copyMember(index, name, { file, to });
    },
  };
}

/** A member's bytes as a file; undefined for what is no file. */
async function copyMember(
  index: LayerIndex,
  path: string,
  { file, to }: { readonly file: string; readonly to: string },
): Promise<string | undefined> {
  const entry = index.get(path);
  if (entry?.type !== 'file') return undefined;
  const source = sourceIn(index, path, 0);
  await pipeline(memberBytes(file, source, entry.size), createWriteStream(to, { flags: 'wx' }));
  return to;
}

/** The layers' identities: what a root filesystem is, to a key. */
export function identityOf(layers: readonly Layer[]): string {
  return layers.map(({ id }) => id).join(' ');
}

/** A tree of one file given in the Dockerfile (CP-18): 0644, root's. */
export function inlineOrigin(name: string, content: string, mtime: number): Origin {
  const bytes = Buffer.from(content, 'utf8');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const path = toBytes(name);
  const metadata = { path, mode: 0o644, uid: 0, gid: 0, mtime, mtimeNsec: 0 };
  const { bytes: index, identity } = encodeIndex([
    { ...metadata, type: 'file', size: bytes.length, sha256 },
  ]);
  return {
    tree: new ImageTree([indexFromBytes(index)]),
    resetOwner: false,
    identity,
    layers: undefined,
    hostFile: undefined,
    isIgnored: undefined,
    unreadable: [],
    datedBy: undefined,
    open: async () => () => ({ kind: 'bytes', bytes }),
  };
}

/** A tree of an archive's members (CP-21), or of one downloaded file. */
export function fileOrigin(index: LayerIndex, identity: string, file: string): Origin {
  return {
    tree: new ImageTree([index]),
    resetOwner: false,
    identity,
    layers: undefined,
    hostFile: undefined,
    isIgnored: undefined,
    unreadable: [],
    datedBy: undefined,
    open: async (_, places) => {
      const number = places.file(file);
      return ({ path }) => sourceIn(index, path, number);
    },
  };
}

/** Where a file's bytes are in a tar. */
function sourceIn(index: LayerIndex, path: string, file: number): EntrySource {
  const entry = index.get(path);
  const source = entry?.type === 'file' ? entry.source : undefined;
  if (source === undefined || source.kind === 'path') throw new TypeError(`No bytes of "${path}"`);
  return source.kind === 'bytes' ? source : { ...source, file };
}
