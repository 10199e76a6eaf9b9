/** The uploads of the test registry, as strict as the distribution spec lets a registry be. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestOf } from '../../src/oci/digest.ts';

export interface Uploads {
  /** Bytes by id, as they came: what a cut request brought is there, too. */
  readonly open: Map<string, Buffer>;
  /** The least bytes of a part that is not the last. */
  least?: number;
  /** The most bytes of a request. */
  most?: number;
  /** The connection breaks after this many bytes of an upload, once. */
  cutAfter?: number | undefined;
  /** The bytes of an upload are not read. */
  isStalled?: boolean;
  /** Uploads go on at this origin. */
  elsewhere?: string;
  /** Uploads cannot be asked for how much they have. */
  isSilent?: boolean;
}

export interface UploadRequest {
  readonly url: URL;
  readonly repository: string;
  readonly uploads: Uploads;
  /** Whether a repository has a blob, or may take it from another. */
  readonly has: (digest: string, repository: string) => boolean;
  readonly put: (digest: string, bytes: Uint8Array, repository: string) => void;
}

/** Answers a request below `blobs/uploads/`. */
export async function answerUpload(
  request: IncomingMessage,
  response: ServerResponse,
  { url, repository, uploads, has, put }: UploadRequest,
): Promise<void> {
  const { method } = request;
  const created = (digest: string): void => {
    const location = `/v2/${repository}/blobs/${digest}`;
    response.writeHead(201, { location, 'docker-content-digest': digest }).end();
  };
  const opened = (id: string, status: number): void => {
    const size = uploads.open.get(id)?.length ?? 0;
    // Each answer names another place, and the old ones are no longer good.
    const { elsewhere = '' } = uploads;
    const location = `${elsewhere}/v2/${repository}/blobs/uploads/${id}?at=${size}%2f&x=`;
    const range = `0-${Math.max(size - 1, 0)}`;
    const { least } = uploads;
    const minimum = least === undefined ? {} : { 'oci-chunk-min-length': String(least) };
    response.writeHead(status, { location, range, ...minimum }).end();
  };
  const receive = async (id: string): Promise<Buffer> => {
    if (uploads.isStalled) await new Promise((resolve) => request.once('close', resolve));
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const bytes = Buffer.concat([uploads.open.get(id) ?? Buffer.alloc(0), chunk]);
      const { cutAfter = Infinity } = uploads;
      uploads.open.set(id, bytes.subarray(0, cutAfter));
      if (bytes.length < cutAfter) continue;
      uploads.cutAfter = undefined;
      request.socket.resetAndDestroy();
    }
    return uploads.open.get(id) ?? Buffer.alloc(0);
  };
  const end = async (id: string): Promise<void> => {
    const bytes = await receive(id);
    uploads.open.delete(id);
    const digest = url.searchParams.get('digest') ?? '';
    if (digestOf(bytes) !== digest) return refuse(request, response, 400, 'DIGEST_INVALID');
    put(digest, bytes, repository);
    created(digest);
  };
  if (method === 'POST') {
    const [mount, from] = ['mount', 'from'].map((name) => url.searchParams.get(name));
    if (mount && from && has(mount, from)) {
      put(mount, new Uint8Array(), repository);
      return created(mount);
    }
    const id = randomUUID();
    uploads.open.set(id, Buffer.alloc(0));
    return url.searchParams.has('digest') ? await end(id) : opened(id, 202);
  }
  const id = url.pathname.split('/').at(-1) ?? '';
  const before = uploads.open.get(id);
  if (before === undefined) return refuse(request, response, 404, 'BLOB_UPLOAD_UNKNOWN');
  if (method === 'GET') {
    if (uploads.isSilent) return refuse(request, response, 405, 'UNSUPPORTED');
    return opened(id, 204);
  }
  if (!url.search.startsWith(`?at=${before.length}%2f&x=`)) {
    return refuse(request, response, 404, 'BLOB_UPLOAD_INVALID');
  }
  if (Number(request.headers['content-length'] ?? 0) > (uploads.most ?? Infinity)) {
    return refuse(request, response, 413, 'SIZE_INVALID');
  }
  const range = /^(\d+)-\d+$/.exec(request.headers['content-range'] ?? '0-0');
  const isBehind = method === 'PATCH' && before.length !== Number(range?.[1]);
  if (isBehind) return refuse(request, response, 416, 'RANGE_INVALID');
  if (method !== 'PATCH') return await end(id);
  await receive(id);
  opened(id, 202);
}

/** Whatever is still coming is not waited for, as by a server that is short of something. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
): void {
  request.resume();
  const body = JSON.stringify({ errors: [{ code, message: `no luck: ${code.toLowerCase()}` }] });
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
