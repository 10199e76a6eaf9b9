import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readFile } from 'node:fs/promises';
import { type Scan, scanPackages } from '../../src/attest/packages/scan.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { sbomOf } from '../../src/attest/index.ts';
import { checkSpdx, type SpdxDocument } from '../support/spdx.ts';
import { withDirectory } from '../support/temporary.ts';
import { file, layerOf } from '../tree/entries.ts';

/** The packages of an image with these files. */
async function scanned(files: Readonly<Record<string, string | Buffer>>): Promise<Scan> {
  return await withDirectory(async (folder) => {
    const tree = new ImageTree([
      layerOf(...Object.entries(files).map(([path, content]) => file(path, String(content)))),
    ]);
    let count = 0;
    return await scanPackages({
      tree,
      read: async (path) => {
        const content = files[path];
        return await Promise.resolve(content === undefined ? undefined : Buffer.from(content));
      },
      temporary: () => join(folder, String(count++)),
    });
  });
}

const purlsOf = ({ packages }: Scan): readonly string[] => packages.map(({ purl }) => purl);

const documentOf = (scan: Scan): SpdxDocument =>
  sbomOf(scan, {
    ...{ name: 'image', purpose: 'CONTAINER', created: 0, builderVersion: '1' },
    ...{ layers: [], filename: 'sbom.spdx.json' },
  }).predicate as SpdxDocument;

const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n';
const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Description: GNU C Library
 Contains the standard libraries.
 Package: not-a-package
Homepage: https://www.gnu.org/software/libc/libc.html

Package: gone
Status: deinstall ok config-files
Version: 1

Package: bash
Status: hold ok installed
Architecture: amd64
Version: 5.2.15-2+b2
Source: bash (5.2.15-2)
`;

describe('scanPackages()', () => {
  it('reads what dpkg has installed (ATT-10)', async () => {
    const scan = await scanned({ 'etc/os-release': DEBIAN, 'var/lib/dpkg/status': STATUS });
    assert.deepEqual(purlsOf(scan), [
      'pkg:deb/debian/bash@5.2.15-2+b2?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2',
      'pkg:deb/debian/libc6@2.36-9+deb12u4?arch=amd64&distro=debian-12&upstream=glibc%402.36-9',
    ]);
    const libc = scan.packages[1];
    assert.equal(libc?.homepage, 'https://www.gnu.org/software/libc/libc.html');
    assert.equal(libc.supplier, 'GNU Libc Maintainers <debian-glibc@lists.debian.org>');
    assert.deepEqual(
      libc.lists.map(({ path, layer }) => [path, layer]),
      [['var/lib/dpkg/status', 0]],
    );
  });

  it('reads distroless’ one file for each package, and not what lies beside it (ATT-10)', async () => {
    const scan = await scanned({
      'usr/lib/os-release': 'ID=debian\nVERSION_ID=12\n',
      'var/lib/dpkg/status.d/tzdata': 'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n',
      'var/lib/dpkg/status.d/tzdata.md5sums': 'Package: no\nVersion: 1\n',
    });
    assert.deepEqual(purlsOf(scan), ['pkg:deb/debian/tzdata@2024a-0?arch=all&distro=debian-12']);
  });

  it('reads what apk has installed, with its license (ATT-10)', async () => {
    const scan = await scanned({
      'etc/os-release': 'ID=alpine\nVERSION_ID=3.20.1\n',
      'lib/apk/db/installed':
        'C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl.so\n\n' +
        'P:libcrypto3\nV:3.3.1-r0\nA:x86_64\nL:Apache-2.0\no:openssl\nU:https://www.openssl.org/\n\n',
    });
    assert.deepEqual(purlsOf(scan), [
      'pkg:apk/alpine/libcrypto3@3.3.1-r0?arch=x86_64&distro=alpine-3.20.1&upstream=openssl',
      'pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1',
    ]);
    assert.deepEqual(
      scan.packages.map(({ license }) => license),
      ['Apache-2.0', 'MIT'],
    );
  });

  it('reads npm’s packages at any depth, and nothing else in them (ATT-10)', async () => {
    const json = JSON.stringify;
    const scan = await scanned({
      'app/package.json': json({ name: 'app', version: '1.0.0' }),
      'app/node_modules/a/package.json': json({ name: 'a', version: '1.0.0', license: 'MIT' }),
      'app/node_modules/a/lib/package.json': json({ name: 'x', version: '1.0.0' }),
      'app/node_modules/a/node_modules/@s/b/package.json': json({
        ...{ name: '@s/b', version: '2.0.0', licenses: [{ type: 'MIT' }, { type: 'ISC' }] },
        author: { name: 'B', email: 'b@example.org' },
      }),
      'app/node_modules/c/package.json': json({ type: 'module' }),
      'app/node_modules/broken/package.json': '{',
      'usr/lib/node_modules/a/package.json': json({ name: 'a', version: '1.0.0' }),
    });
    assert.deepEqual(purlsOf(scan), ['pkg:npm/%40s/b@2.0.0', 'pkg:npm/a@1.0.0']);
    const [scoped, plain] = scan.packages;
    assert.equal(scoped?.license, 'MIT OR ISC');
    assert.equal(scoped.supplier, 'B <b@example.org>');
    assert.equal(plain?.lists.length, 2);
    assert.deepEqual(scan.notes, [
      '"/app/node_modules/broken/package.json" is not in the SBOM: it is no JSON',
    ]);
  });

  it('reads pip’s packages in each of their forms (ATT-10)', async () => {
    const place = 'usr/lib/python3/dist-packages';
    const scan = await scanned({
      [`${place}/Foo_Bar-1.0.dist-info/METADATA`]:
        'Metadata-Version: 2.4\nName: Foo_Bar\nVersion: 1.0\nLicense-Expression: MIT OR ISC\n\nVersion: 9\n',
      [`${place}/old.egg-info`]: 'Name: old\nVersion: 0.1\nLicense: UNKNOWN\n',
      [`${place}/older.egg-info/PKG-INFO`]: 'Name: older\nVersion: 0.2\nLicense: BSD\n',
      [`${place}/older.egg-info/SOURCES.txt`]: 'Name: no\nVersion: 1\n',
    });
    assert.deepEqual(purlsOf(scan), [
      'pkg:pypi/foo-bar@1.0',
      'pkg:pypi/old@0.1',
      'pkg:pypi/older@0.2',
    ]);
    assert.deepEqual(
      scan.packages.map(({ license }) => license),
      ['MIT OR ISC', undefined, 'BSD'],
    );
  });

  it('reads rpm’s database where it is SQLite (ATT-10)', async () => {
    const bash = { 1000: 'bash', 1001: '5.2.26', 1002: '3.fc40', 1014: 'GPL-3.0-or-later' };
    const named = { 1011: 'Fedora Project', 1022: 'x86_64', 1044: 'bash-5.2.26-3.fc40.src.rpm' };
    const database = await rpmDatabase([
      rpmHeader({ ...bash, ...named }, undefined),
      rpmHeader({ 1000: 'gpg-pubkey', 1001: 'a15b79cc' }, undefined),
      rpmHeader({ 1000: 'shadow-utils', 1001: '4.15', 1002: '3', 1022: 'x86_64' }, 2),
    ]);
    const scan = await scanned({
      'etc/os-release': 'ID=fedora\nVERSION_ID=40\n',
      'usr/lib/sysimage/rpm/rpmdb.sqlite': database,
    });
    assert.deepEqual(scan.notes, []);
    assert.deepEqual(purlsOf(scan), [
      'pkg:rpm/fedora/bash@5.2.26-3.fc40?arch=x86_64&distro=fedora-40&upstream=bash-5.2.26-3.fc40.src.rpm',
      'pkg:rpm/fedora/shadow-utils@4.15-3?arch=x86_64&distro=fedora-40&epoch=2',
    ]);
    assert.deepEqual(
      scan.packages.map(({ version, license }) => [version, license]),
      [
        ['5.2.26-3.fc40', 'GPL-3.0-or-later'],
        ['2:4.15-3', undefined],
      ],
    );
  });

  it('reads what rpm’s database has only in its log (ATT-10)', async () => {
    await withDirectory(async (folder) => {
      const path = join(folder, 'rpmdb.sqlite');
      const database = openRpmDatabase(path);
      insertHeaders(database, [rpmHeader({ 1000: 'bash', 1001: '5' }, undefined)]);
      const files = { 'var/lib/rpm/rpmdb.sqlite': await readFile(path) };
      const log = { 'var/lib/rpm/rpmdb.sqlite-wal': await readFile(`${path}-wal`) };
      database.close();
      assert.deepEqual(purlsOf(await scanned({ ...files, ...log })), ['pkg:rpm/bash@5']);
    });
  });

  it('runs no query of an image: packages of rpm are a table', async () => {
    const view = await withDirectory(async (folder) => {
      const path = join(folder, 'rpmdb.sqlite');
      const database = new DatabaseSync(path);
      database.exec('CREATE VIEW Packages AS SELECT 1 AS hnum, NULL AS blob');
      database.close();
      return await readFile(path);
    });
    const { packages, notes } = await scanned({ 'var/lib/rpm/rpmdb.sqlite': view });
    assert.deepEqual(packages, []);
    assert.match(notes[0] ?? '', /it has no table of packages/);
  });

  it('rejects with what reading an image rejects with, beside a database, too', async () => {
    const path = 'var/lib/rpm/rpmdb.sqlite';
    const bytes = await rpmDatabase([]);
    const reason = new Error('aborted');
    const scanning = scanPackages({
      tree: new ImageTree([layerOf(file(path, String(bytes)))]),
      read: async (asked) =>
        await (asked === path ? Promise.resolve(bytes) : Promise.reject(reason)),
      temporary: () => assert.fail('nothing is written'),
    });
    await assert.rejects(scanning, reason);
  });

  it('ends with whatever an image has in its lists', async () => {
    const blanks = ' '.repeat(1_000_000);
    const scan = await scanned({
      'etc/os-release': `ID=${blanks}"\nVERSION_ID='${blanks}`,
      'var/lib/dpkg/status': `Package:${blanks}\n${blanks}x\n${'\n '.repeat(100_000)}Source: ${'('.repeat(100_000)}`,
      'lib/apk/db/installed': `P:a\nV:1\nL:${'('.repeat(100_000)}\nm:<${blanks}`,
      'a/node_modules/b/package.json': `{"name":"b","version":"1","license":${'['.repeat(100_000)}`,
      'p.dist-info/METADATA': `Name: ${'x'.repeat(100_000)}\nVersion: ${blanks}1`,
    });
    checkSpdx(documentOf(scan));
    assert.deepEqual(
      scan.packages.map(({ version }) => version),
      ['1', '1'],
    );
    assert.equal(scan.notes.length, 1);
  });

  it('tells of a database that it cannot read, and goes on (ATT-10)', async () => {
    const cut = rpmHeader({ 1000: 'bash', 1001: '5' }, undefined).subarray(0, 30);
    const scan = await scanned({
      'var/lib/rpm/Packages': Buffer.from('\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0', 'latin1'),
      'usr/lib/sysimage/rpm/Packages.db': 'RpmP',
      'usr/lib/sysimage/rpm/rpmdb.sqlite': await rpmDatabase([cut]),
      'var/lib/rpm/rpmdb.sqlite': 'SQLite format 3\0 and nothing more',
      'var/lib/dpkg/status': STATUS,
    });
    assert.equal(scan.packages.length, 2);
    assert.equal(scan.notes.length, 4);
    const [ndb, cutNote, bdb, short] = scan.notes;
    for (const note of [ndb, bdb]) assert.match(note ?? '', /not Berkeley DB or ndb/);
    for (const note of [cutNote, short]) assert.match(note ?? '', /cannot be read/);
  });
});

/** A database as rpm 4.16 and newer write it. */
async function rpmDatabase(headers: readonly Buffer[]): Promise<Buffer> {
  return await withDirectory(async (folder) => {
    const path = join(folder, 'rpmdb.sqlite');
    const database = openRpmDatabase(path);
    insertHeaders(database, headers);
    database.close();
    return await readFile(path);
  });
}

function openRpmDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode=WAL');
  database.exec('CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)');
  return database;
}

function insertHeaders(database: DatabaseSync, headers: readonly Buffer[]): void {
  const insert = database.prepare('INSERT INTO Packages (blob) VALUES (?)');
  for (const header of headers) insert.run(header);
}

/** Texts by tag, and the epoch. */
function rpmHeader(texts: Readonly<Record<number, string>>, epoch: number | undefined): Buffer {
  const entries: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  const add = (tag: number, type: number, value: Buffer): void => {
    const entry = Buffer.alloc(16);
    for (const [at, number] of [tag, type, offset, 1].entries()) {
      entry.writeUInt32BE(number, at * 4);
    }
    entries.push(entry);
    data.push(value);
    offset += value.length;
  };
  if (epoch !== undefined) add(1003, 4, Buffer.from([0, 0, 0, epoch]));
  for (const [tag, text] of Object.entries(texts)) add(Number(tag), 6, Buffer.from(`${text}\0`));
  const counts = Buffer.alloc(8);
  counts.writeUInt32BE(entries.length, 0);
  counts.writeUInt32BE(offset, 4);
  return Buffer.concat([counts, ...entries, ...data]);
}
