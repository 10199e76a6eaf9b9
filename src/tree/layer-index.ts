/**
 * Reads a layer's index without loading it: README.md has the format.
 *
 * A lookup finds the block by its first path, decodes that block alone, and keeps a few decoded
 * blocks at hand; a walk decodes block after block. Bytes come through a function, so that this
 * folder does no I/O.
 */

import { type ByteSource, invalidIndex } from './bytes.ts';
import type { Entry } from './entry.ts';
import { decodeBlock, decodeTable, type IndexTable, TRAILER_LENGTH } from './index-codec.ts';
import { comparePaths, isWithin } from './path.ts';

const CACHED_BLOCKS = 64;

export class LayerIndex {
  readonly #source: ByteSource;
  readonly #table: IndexTable;
  readonly #blocks = new Map<number, readonly Entry[]>();

  /** @throws ERR_INDEX_INVALID for bytes that are no index of this version. */
  constructor(source: ByteSource) {
    this.#source = source;
    if (source.size < TRAILER_LENGTH) throw invalidIndex();
    this.#table = decodeTable(source);
  }

  /** How many entries there are. */
  get length(): number {
    return this.#table.entries;
  }

  /** The entry at a path, if this layer has one. */
  get(path: string): Entry | undefined {
    const block = this.#block(this.#blockOf(path));
    const at = lowerBound(block, path);
    const entry = block[at];
    return entry?.path === path ? entry : undefined;
  }

  /** A directory's own entry, if any, and everything below it, in order. `""` is everything. */
  *within(directory: string): Generator<Entry> {
    const first = Math.max(0, this.#blockOf(directory));
    for (let number = first; number < this.#table.blocks.length; number++) {
      const block = this.#block(number);
      const start = number === first ? lowerBound(block, directory) : 0;
      for (let i = start; i < block.length; i++) {
        const entry = block[i];
        if (entry === undefined || !isWithin(entry.path, directory)) return;
        yield entry;
      }
    }
  }

  /** The last block that starts at or before a path; -1 when all start behind it. */
  #blockOf(path: string): number {
    const { blocks } = this.#table;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePaths(blocks[middle]?.first ?? '', path) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #block(number: number): readonly Entry[] {
    if (number < 0) return [];
    const known = this.#blocks.get(number);
    if (known !== undefined) return known;
    const start = this.#table.blocks[number]?.offset;
    if (start === undefined) return [];
    const end = this.#table.blocks[number + 1]?.offset ?? this.#table.end;
    const block = decodeBlock(this.#source.read(start, end - start));
    const oldest =
      this.#blocks.size >= CACHED_BLOCKS ? this.#blocks.keys().next().value : undefined;
    if (oldest !== undefined) this.#blocks.delete(oldest);
    this.#blocks.set(number, block);
    return block;
  }
}

/** The place of the first entry that is not before a path. */
function lowerBound(block: readonly Entry[], path: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePaths(block[middle]?.path ?? '', path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** An index over bytes in memory, for small layers and tests. */
export function indexFromBytes(bytes: Uint8Array): LayerIndex {
  return new LayerIndex({
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  });
}
