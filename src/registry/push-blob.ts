/** One blob into a repository: there already, mounted from another repository, or uploaded (LAY-6). */

import { stat } from 'node:fs/promises';
import { TsbuildError } from '../errors.ts';
import type { RetryBudget } from '../http/retry.ts';
import { discardBody, type HttpResponse } from '../http/transport.ts';
import { askedOf, checkDigest, type PushTarget, sendPush, uploadAddress } from './push-request.ts';
import { type BlobFile, sendBlob, type Upload } from './push-upload.ts';

export interface BlobOptions {
  readonly target: PushTarget;
  /** Repositories of the same registry that may have it. */
  readonly from: readonly string[];
}

/** Uploads of one blob. More would be a registry that takes none. */
const MAX_UPLOADS = 5;
/** A wrong digest is the file's fault as often as the way's. */
const MAX_DAMAGED = 2;

/** Brings a blob into the target's repository. @throws ERR_REGISTRY_*, ERR_DIGEST_MISMATCH, ERR_LAYER_INVALID */
export async function pushBlob(blob: BlobFile, { target, from }: BlobOptions): Promise<void> {
  const budget = target.client.openBudget();
  if (await isThere(blob, target, budget)) return;
  const [mount] = from;
  let opened = mount === undefined ? undefined : await tryMount(blob, mount, { target, budget });
  if (opened === 'mounted') return;
  await blob.fetch?.(target.signal);
  await checkFile(blob, target);
  let damaged = 0;
  for (let uploads = 1; ; uploads++) {
    opened ??= await openUpload(target, budget);
    const failure = await sendBlob({ blob, target, budget, ...opened });
    if (failure === undefined) return;
    if (isWrongDigest(failure)) damaged++;
    const isOver = uploads >= MAX_UPLOADS || damaged >= MAX_DAMAGED;
    if (isOver || !(await budget.pause(target.signal))) throw failure;
    // Its answer may have been lost, and not the upload.
    if (await isThere(blob, target, budget)) return;
    opened = undefined;
  }
}

type Opened = Pick<Upload, 'home' | 'least' | 'location'>;

async function isThere(
  { digest }: BlobFile,
  target: PushTarget,
  budget: RetryBudget,
): Promise<boolean> {
  const path = `blobs/${digest}`;
  const response = await sendPush(target, { method: 'HEAD', path, accept: [404], budget });
  response.body.destroy();
  budget.progress();
  return response.status !== 404;
}

async function openUpload(target: PushTarget, budget: RetryBudget): Promise<Opened> {
  const headers = { 'content-length': '0' };
  const response = await sendPush(target, {
    ...{ method: 'POST', path: 'blobs/uploads/', headers, budget },
  });
  budget.progress();
  return await openedBy(response, target);
}

async function openedBy(response: HttpResponse, target: PushTarget): Promise<Opened> {
  await discardBody(response.body);
  const least = Number(response.headers['oci-chunk-min-length'] ?? 0) || 0;
  return { home: response.url.origin, least, location: uploadAddress(response, target) };
}

/**
 * Whether the registry took it from another repository. One that will not has opened an upload instead, or
 * says so with an error, which is no reason to fail.
 */
async function tryMount(
  { digest }: BlobFile,
  from: string,
  { target, budget }: { readonly target: PushTarget; readonly budget: RetryBudget },
): Promise<'mounted' | Opened | undefined> {
  const query = new URLSearchParams({ mount: digest, from });
  const response = await sendPush(target, {
    method: 'POST',
    path: `blobs/uploads/?${query.toString()}`,
    headers: { 'content-length': '0' },
    scopes: [`repository:${from}:pull`],
    accept: [400, 401, 403, 404, 405],
    budget,
  });
  if (response.status === 202) return await openedBy(response, target);
  await discardBody(response.body);
  if (response.status !== 201) return undefined;
  checkDigest(response, digest, target);
  return 'mounted';
}

/** A layer that was cut short in the store would else fail at the registry, after all of it was sent. */
async function checkFile({ digest, size, path }: BlobFile, target: PushTarget): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size === size) return;
  const has = found === undefined ? 'it is not there' : `it has ${found.size} bytes`;
  throw new TsbuildError('ERR_LAYER_INVALID', {
    message: `Cannot push "${askedOf(target).name}": ${digest} should have ${size} bytes, but ${has}`,
    details: { layer: digest },
    hint: 'Build the image again.',
  });
}

function isWrongDigest({ details }: TsbuildError): boolean {
  return details !== undefined && 'code' in details && details.code === 'DIGEST_INVALID';
}
