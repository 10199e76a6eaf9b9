/**
 * Records by cache key: `records/HH/HEX.json`, HH being the key's first two digits. A sha256 of the
 * JSON, a line break, and
 *
 *     {"format":1,"key":"HEX","layer":"sha256:…","inputs":{…},"created":1767225600,"duration":412}
 */

import { join } from 'node:path';
import { readChecked, writeChecked } from './atomic.ts';
import type { CacheKey, JsonValue } from './keys.ts';
import type { LayerID } from './layers.ts';

/** What a step came to, and what went into its key in readable form: how a miss names what changed. */
export interface CacheRecord {
  readonly key: CacheKey;
  /** Undefined: the step changed nothing. */
  readonly layer: LayerID | undefined;
  readonly inputs: JsonValue;
  /** Seconds since 1970. */
  readonly created: number;
  /** Milliseconds that the step took. */
  readonly duration: number;
}

export interface RecordStore {
  /** Undefined for a miss, a torn record among them. @throws ERR_STORE_UNUSABLE */
  getRecord(key: CacheKey): Promise<CacheRecord | undefined>;
  /** Replaces an earlier one. @throws ERR_STORE_UNUSABLE */
  putRecord(key: CacheKey, record: Omit<CacheRecord, 'key'>): Promise<void>;
}

const RECORD_FORMAT = 1;

/** The records of a store at `root`. */
export function recordStore(root: string): RecordStore {
  const path = (key: CacheKey): string => join(root, 'records', key.slice(0, 2), `${key}.json`);
  return {
    async getRecord(key) {
      const value = await readChecked(path(key));
      // Its own hash says that this code wrote it, in this format.
      const record = value as (Partial<CacheRecord> & { format?: number }) | undefined;
      if (record?.format !== RECORD_FORMAT || record.key !== key) return undefined;
      const { layer, inputs = null, created = 0, duration = 0 } = record;
      return { key, layer, inputs, created, duration };
    },
    async putRecord(key, { layer, inputs, created, duration }) {
      const record = { format: RECORD_FORMAT, key, layer, inputs, created, duration };
      await writeChecked(join(root, 'tmp'), path(key), record);
    },
  };
}
