/** The indexes of layers, and where their files' bytes are, for as long as a comparison lasts. */

import { parseLayerID } from '../../cache/index.ts';
import { Once } from '../solve/schedule.ts';
import type { Session } from '../solve/session.ts';
import type { FileEntry } from '../tree/entry.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import type { Range } from './first-difference.ts';
import type { SubjectLayer } from './subject.ts';

/** A layer, uncompressed. The index's file entries have their ranges in the tar. */
export interface LayerTar {
  readonly path: string;
  readonly index: LayerIndex;
}

export class LayerFiles {
  readonly #session: Session;
  readonly #signal: AbortSignal;
  readonly #indexes = new Once<LayerIndex>();
  readonly #tars = new Once<LayerTar>();

  constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  /** What is in a layer. One that the store knows by its diffID is not read. */
  index(layer: SubjectLayer): Promise<LayerIndex> {
    return this.#indexes.get(layer.diffID, async () => {
      const { store, layers } = this.#session;
      const id = parseLayerID(layer.diffID);
      if (await store.hasIndex(id)) return layers.openIndex(store.indexPath(id));
      return layers.openIndex(await this.#extract(layer, undefined));
    });
  }

  /** The same with its files' bytes. */
  tar(layer: SubjectLayer): Promise<LayerTar> {
    return this.#tars.get(layer.diffID, async () => {
      const { layers } = this.#session;
      const path = layers.temporary('tar');
      return { path, index: layers.openIndex(await this.#extract(layer, path)) };
    });
  }

  /** Where a file's bytes are; undefined for a sparse one, which is in parts. */
  async range(layer: SubjectLayer, { path }: FileEntry): Promise<Range | undefined> {
    const tar = await this.tar(layer);
    const entry = tar.index.get(path);
    if (entry?.type !== 'file' || entry.source?.kind !== 'range') return undefined;
    return { path: tar.path, offset: entry.source.offset, size: entry.size };
  }

  async #extract(layer: SubjectLayer, tar: string | undefined): Promise<string> {
    const { helpers, jobs, layers } = this.#session;
    const blob = await layer.blob();
    const index = layers.temporary('index');
    const helper = await helpers.files();
    const { digest, diffID } = layer;
    const request = { verb: 'extract', blob, digest, diffID, index } as const;
    const signal = this.#signal;
    await jobs.run(
      () => helper.extract({ ...request, ...(tar !== undefined && { tar }) }, { signal }),
      signal,
    );
    return index;
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await this.#indexes.settled();
    await this.#tars.settled();
  }
}
