/** The store: where it is, on what, and how much room there is. */

import { statfs } from 'node:fs/promises';
import { filesystemName } from '../solve/filesystem-name.ts';
import type { Finding } from './finding.ts';

const GIB = 1024 ** 3;
/** A base image, unpacked, and a layer or two. */
const SCARCE = 2 * GIB;

export async function storeFindings(path: string): Promise<readonly Finding[]> {
  const { type, bavail, bsize } = await statfs(path);
  const filesystem = filesystemName(type);
  const free = bavail * bsize;
  const base = {
    id: 'store',
    group: 'store',
    text: `${path} on ${filesystem}, ${(free / GIB).toFixed(1)} GiB free`,
    details: { path, filesystem, free },
  } as const;
  if (free >= SCARCE) return [{ ...base, status: 'ok' }];
  return [{ ...base, status: 'warn', fix: 'TSBUILD_STORE=DIRECTORY, on a larger disk' }];
}
