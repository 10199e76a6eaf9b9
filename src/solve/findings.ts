/**
 * What takes a walk over whole indexes to find, and then is so for ever, because it is a function of
 * layers' ids or of a context's identity. Asked once per build, then read from a record of the store: no
 * step pays for the size of what is below it again.
 */

import { cacheKey, type JsonValue, type Store } from '../../cache/index.ts';
import { Once } from './schedule.ts';

export class Findings {
  readonly #store: Store;
  readonly #found = new Once<readonly string[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** `kind` and `of` say what is sought: all that `find()` depends on. */
  async get(
    kind: string,
    of: JsonValue,
    find: () => readonly string[],
  ): Promise<readonly string[]> {
    const key = cacheKey(kind, of);
    return await this.#found.get(key, async () => {
      const known = (await this.#store.getRecord(key))?.inputs;
      if (Array.isArray(known)) return known.filter((text) => typeof text === 'string');
      const found = find();
      const record = { layer: undefined, inputs: found, created: 0, duration: 0 };
      await this.#store.putRecord(key, record);
      return found;
    });
  }
}
