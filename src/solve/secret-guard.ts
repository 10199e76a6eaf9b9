/**
 * Keeps secrets from leaving with an image, or in its build's output (T-55): those that a RUN of the build
 * mounts, byte for byte, without the blanks around them. One of fewer than eight bytes is not looked for:
 * it would be found everywhere. Nor is one that is encoded, cut or compressed.
 */

import { type CacheKey, cacheKey, type Store } from '../../cache/index.ts';
import { hasCode, TsbuildError } from '../errors.ts';
import type { Step } from '../plan/step.ts';
import type { BaseImage, Layer } from './layer.ts';

/** The shortest secret that is looked for, in bytes. */
export const MIN_GUARDED = 8;

export interface GuardedSecret {
  readonly id: string;
  readonly bytes: Buffer;
}

export class SecretGuard {
  readonly #store: Store;
  #secrets: readonly GuardedSecret[] = [];
  #unguarded: readonly string[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** From now on these are looked for; others are let go on purpose. */
  watchFor(secrets: readonly GuardedSecret[], unguarded: readonly string[]): void {
    this.#secrets = secrets;
    this.#unguarded = unguarded;
  }

  get secrets(): readonly GuardedSecret[] {
    return this.#secrets;
  }

  /** For the helper, which looks while a layer's bytes pass by anyway. */
  get request(): { readonly secrets?: readonly string[] } {
    if (this.#secrets.length === 0) return {};
    return { secrets: this.#secrets.map(({ bytes }) => bytes.toString('base64')) };
  }

  /** Composes a layer of the image. @throws ERR_SECRET_LEAKED, naming what was found where */
  async composing<T>(layer: Layer, compose: () => Promise<T>): Promise<T> {
    try {
      return await compose();
    } catch (error) {
      if (!hasCode(error, 'ERR_SECRET_LEAKED')) throw error;
      const { id: number, path } = error.details;
      const id = this.#secrets[Number(number)]?.id ?? '';
      const record = { layer: layer.id, inputs: { secret: id }, created: 0, duration: 0 };
      await this.#store.putRecord(leakKey(layer), record);
      throw leaked(id, `/${path}`, layer.id);
    }
  }

  /**
   * Whether a secret was once found in a layer. Then its step must run again: the secret may have another
   * value by now, or not be given at all, and nothing would find the old one.
   */
  async hasLeaked(layer: Layer): Promise<boolean> {
    const { inputs } = (await this.#store.getRecord(leakKey(layer))) ?? {};
    const isRecord = typeof inputs === 'object' && inputs !== null && 'secret' in inputs;
    return isRecord && !this.#unguarded.some((id) => id === inputs['secret']);
  }
}

function leakKey({ id }: Layer): CacheKey {
  return cacheKey('leak', { id });
}

/** The secrets to look for: given, mounted by one of these RUNs, long enough, and not let go on purpose. */
export function guardedSecrets(
  steps: readonly Step<BaseImage>[],
  secrets: ReadonlyMap<string, Uint8Array>,
  unguarded: readonly string[],
): readonly GuardedSecret[] {
  const mounts = steps.flatMap((step) => (step.kind === 'run' ? step.mounts : []));
  const mounted = new Set(mounts.flatMap(({ mount }) => (mount.kind === 'secret' ? mount.id : [])));
  return givenSecrets(secrets, unguarded).filter(({ id }) => mounted.has(id));
}

/** The same, whether a RUN mounts them or not: for what is said of a build besides its image. */
export function givenSecrets(
  secrets: ReadonlyMap<string, Uint8Array>,
  unguarded: readonly string[],
): readonly GuardedSecret[] {
  return [...secrets]
    .filter(([id]) => !unguarded.includes(id))
    .map(([id, bytes]) => ({ id, bytes: withoutBlanks(bytes) }))
    .filter(({ bytes }) => bytes.length >= MIN_GUARDED);
}

/** The line break at a file's end is rarely copied along. */
function withoutBlanks(bytes: Uint8Array): Buffer {
  const isBlank = (byte: number | undefined) =>
    byte !== undefined && ' \t\r\n'.includes(String.fromCharCode(byte));
  let [start, end] = [0, bytes.length];
  while (start < end && isBlank(bytes[start])) start++;
  while (end > start && isBlank(bytes[end - 1])) end--;
  return Buffer.from(bytes.subarray(start, end));
}

/** The failure, without a byte of the secret. */
export function leaked(
  id: string,
  path: string,
  layer: string | undefined,
  location?: TsbuildError['location'],
): TsbuildError {
  const where = layer === undefined ? `the image’s ${path}` : `"${path}" of a layer`;
  return new TsbuildError('ERR_SECRET_LEAKED', {
    message: `Cannot make the image: the secret "${id}" is in ${where}`,
    details: { id, path, layer },
    location,
    hint: `Use the secret without writing it, or in a stage that is only copied from. If it is no secret there, say --secret id=${id},…,guard=off.`,
  });
}
