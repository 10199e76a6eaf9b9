/** Packages of Fedora, SUSE and their relatives: rpm's database, where it is SQLite (rpm 4.16 and newer). */

import { rm, writeFile } from 'node:fs/promises';
import { formatPurl } from '../purl.ts';
import {
  type Distribution,
  type FoundPackage,
  type PackageList,
  PackageListError,
  type PackageReader,
} from './found-package.ts';
import { readRpmHeader, type RpmHeader } from './rpm-header.ts';

const MAGIC = 'SQLite format 3\0';
/** Images come from anywhere: a view could be a query without end, which no signal stops. */
const IS_TABLE =
  "SELECT 1 FROM sqlite_schema WHERE name = 'Packages' COLLATE NOCASE AND type = 'table' AND rootpage > 0";

export const rpm: PackageReader = {
  lists: /^(?:var\/lib|usr\/lib\/sysimage)\/rpm\/(?:rpmdb\.sqlite|Packages|Packages\.db)$/,
  parse: async (list, distribution) => {
    if (list.bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) {
      // Nothing was ever installed.
      if (list.bytes.length === 0) return [];
      throw new PackageListError(
        'rpm databases are read where they are SQLite, not Berkeley DB or ndb',
      );
    }
    const headers = await readHeaders(list);
    return headers.flatMap((header) => packageOf(header, distribution));
  },
};

/** SQLite reads files alone, and may want to write beside them. */
async function readHeaders(list: PackageList): Promise<readonly RpmHeader[]> {
  // What was written last may be in there alone.
  const log = await list.read(`${list.path}-wal`);
  const path = list.temporary();
  try {
    await writeFile(path, list.bytes);
    if (log !== undefined) await writeFile(`${path}-wal`, log);
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(path, { readOnly: false });
    try {
      const isTable = database.prepare(IS_TABLE).get() !== undefined;
      if (!isTable) throw new Error('it has no table of packages');
      const rows = database.prepare('SELECT blob FROM Packages ORDER BY hnum').all();
      return rows.flatMap(({ blob }) =>
        blob instanceof Uint8Array ? [readRpmHeader(Buffer.from(blob))] : [],
      );
    } finally {
      database.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it is damaged';
    throw new PackageListError(`the rpm database cannot be read: ${reason}`);
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(path + suffix, { force: true });
  }
}

function packageOf(header: RpmHeader, { id, release: distro }: Distribution): FoundPackage[] {
  const { name, version, release, epoch, arch, sourceRpm } = header;
  // Keys of signatures are kept as packages.
  if (!name || !version || name === 'gpg-pubkey') return [];
  const full = release === undefined ? version : `${version}-${release}`;
  return [
    {
      name,
      version: epoch === undefined ? full : `${epoch}:${full}`,
      purl: formatPurl({
        type: 'rpm',
        namespace: id,
        name,
        version: full,
        qualifiers: {
          arch,
          distro,
          epoch: epoch === undefined ? undefined : String(epoch),
          upstream: sourceRpm,
        },
      }),
      license: header.license,
      homepage: header.url,
      supplier: header.vendor,
      upstream: sourceRpm,
    },
  ];
}
