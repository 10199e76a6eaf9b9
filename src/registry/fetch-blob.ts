/** Blobs of a registry to files: gone on with where they were cut off, begun anew when they are damaged. */

import { hasCode } from '../errors.ts';
import { isConnectionCut, type RetryBudget } from '../http/retry.ts';
import type { HttpResponse } from '../http/transport.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { writeBlobFile } from './blob-file.ts';
import type { RegistryClient } from './client.ts';
import { connectionFailure } from './failures.ts';

interface FetchOptions {
  /** Must not exist. */
  readonly to: string;
  readonly client: RegistryClient;
  readonly signal: AbortSignal;
}

/** What is damaged on its way may come whole the next time; what the registry itself has never does. */
const MAX_DAMAGED = 3;

/** A blob of a reference's repository to a new file. Fails as `ImageSource.fetchBlob()`. */
export async function fetchBlob(
  reference: Reference,
  descriptor: Descriptor,
  { to, client, signal }: FetchOptions,
): Promise<void> {
  const budget = client.openBudget();
  for (let damaged = 0; ; ) {
    const isOrigin = damaged > 0;
    const chunks = blobChunks(reference, descriptor, { client, budget, isOrigin, signal });
    try {
      await writeBlobFile(chunks, descriptor, { to, signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!hasCode(error, 'ERR_DIGEST_MISMATCH') || ++damaged === MAX_DAMAGED) throw error;
      if (!(await budget.pause(signal))) throw error;
    }
  }
}

interface ChunkOptions {
  readonly client: RegistryClient;
  readonly budget: RetryBudget;
  readonly isOrigin: boolean;
  readonly signal: AbortSignal;
}

/** A blob's bytes; after a cut connection the rest of them. */
async function* blobChunks(
  reference: Reference,
  { digest, size }: Descriptor,
  { client, budget, isOrigin, signal }: ChunkOptions,
): AsyncGenerator<Uint8Array> {
  const asked = { registry: reference.registry, name: familiarName(reference) };
  const path = `blobs/${digest}`;
  const common = {
    method: 'GET',
    reference,
    path,
    access: 'pull',
    budget,
    isOrigin,
    signal,
  } as const;
  let offset = 0;
  for (;;) {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await client.request({ ...common, headers });
    try {
      let position = positionOf(response);
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        const fresh = chunk.subarray(Math.min(Math.max(offset - position, 0), chunk.length));
        position += chunk.length;
        if (fresh.length === 0) continue;
        offset += fresh.length;
        budget.progress();
        yield fresh;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      // Cut off after the last byte: there is no rest to ask for.
      if (offset >= size) return;
      if (!isConnectionCut(error) || !(await budget.pause(signal))) {
        throw connectionFailure(error, asked);
      }
    }
  }
}

/** Where the bytes of an answer begin. A server that knows no ranges sends it all again. */
function positionOf({ status, headers }: HttpResponse): number {
  if (status !== 206) return 0;
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
}
