/** certs.d: what certificates a registry has, and which it wants to see. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsSettings } from '../../http/trust.ts';
import { readSettings, unreadable } from './read-file.ts';

/** The directory of a host, and what it holds. */
export interface HostCertificates {
  readonly directory: string;
  /** File names. */
  readonly ca: readonly string[];
  readonly pair: { readonly cert: string; readonly key: string } | undefined;
}

/** The first directory that a host has. @throws ERR_USAGE for a client's certificate without its key */
export async function findCertificates(
  directories: readonly string[],
  host: string,
): Promise<HostCertificates | undefined> {
  for (const parent of directories) {
    const directory = join(parent, host);
    const names = await readdir(directory).catch(() => undefined);
    if (names !== undefined) return sortNames(directory, names.toSorted());
  }
  return undefined;
}

function sortNames(directory: string, names: readonly string[]): HostCertificates {
  const [cert] = names.filter((name) => name.endsWith('.cert'));
  const key = cert?.replace(/cert$/, 'key');
  if (key !== undefined && !names.includes(key)) {
    throw unreadable(directory, { hint: `"${cert}" needs "${key}" beside it.` });
  }
  return {
    directory,
    ca: names.filter((name) => name.endsWith('.crt')),
    pair: cert === undefined || key === undefined ? undefined : { cert, key },
  };
}

/** Their texts. @throws ERR_USAGE */
export async function readCertificates({
  directory,
  ca,
  pair,
}: HostCertificates): Promise<TlsSettings | undefined> {
  if (ca.length === 0 && pair === undefined) return undefined;
  const read = async (name: string): Promise<string> => {
    const path = join(directory, name);
    const text = await readSettings(path);
    if (text === undefined) throw unreadable(path, { hint: 'It may not be read by this user.' });
    return text;
  };
  return {
    ca: await Promise.all(ca.map(read)),
    cert: pair && (await read(pair.cert)),
    key: pair && (await read(pair.key)),
  };
}
