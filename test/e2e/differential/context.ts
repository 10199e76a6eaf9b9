/** What the cases copy, and the image that they copy onto: one context and one base for all. */

import { execFile } from 'node:child_process';
import { chmod, link, lutimes, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { tar } from '../../support/tar.ts';

const execute = promisify(execFile);

/** When everything in the context was last changed, seconds since the Unix epoch. */
export const OLD = 1_000_000_000;

const FILES: Readonly<Record<string, string>> = {
  f: 'f',
  'one.txt': 'one',
  'two.txt': 'two',
  'sp ace': 'space',
  'a[x].txt': 'brackets',
  'é.txt': 'accent',
  exec: '#!/bin/sh\n',
  suid: 'suid',
  private: 'private',
  named: 'named',
  'd/x': 'x',
  'd/y.md': 'y',
  'd/sub/z': 'z',
  'd/sub/z.md': 'z.md',
  'd2/x': 'the other x',
  'd2/w': 'w',
  'clash/one.txt/inner': 'inner',
  'nest/dir/old': 'old',
  'nest/dir/x': 'newer x',
  'hard/a': 'hard',
  'sys/lib/lib.so': 'lib',
  'linked/real': 'real',
  'text.tar.gz': 'not an archive',
};

const DIRECTORIES = ['d/empty', 'special', 'hard/sub', 'void'];

const MODES: Readonly<Record<string, number>> = {
  exec: 0o755,
  suid: 0o4755,
  private: 0o600,
  'd/sub': 0o700,
  'd/empty': 0o2711,
  'nest/dir': 0o750,
};

const SYMLINKS: Readonly<Record<string, string>> = {
  linkf: 'f',
  linkd: 'd',
  linkabs: '/d',
  chain: 'linkabs',
  escape: '../../../d/x',
  loop: 'loop',
  'd/link': 'x',
  'd/abs': '/etc/passwd',
  'd/dangling': 'nowhere/at/all',
  'd/up': '../../f',
  'linked/l': 'real',
};

/** Members of the archives; times and owners are the archive's own. */
const MEMBERS = [
  { name: 'm/', type: '5', mode: 0o750, uid: 11, mtime: OLD },
  { name: 'm/file', content: 'member', mode: 0o640, uid: 12, mtime: OLD },
  { name: 'm/link', type: '2', link: 'file', mode: 0o777, mtime: OLD },
  { name: 'm/hard', type: '1', link: 'm/file', mode: 0o640, uid: 12, mtime: OLD },
  { name: 'm/suid', content: 's', mode: 0o4711, mtime: OLD },
  { name: 'implied/dirs/file', content: 'deep', uid: 13, mtime: OLD },
  { name: 'x', content: 'from the archive', mtime: OLD },
];

const ARCHIVES: Readonly<Record<string, Buffer>> = {
  'plain.dat': tar(MEMBERS),
  'gzip.dat': gzipSync(tar(MEMBERS)),
  'nested.tar': tar([{ name: 'inner.tar', content: tar(MEMBERS), mtime: OLD }]),
  'whiteout.tar': tar([{ name: '.wh.x', content: '', mtime: OLD }]),
  'dotted.tar': tar([
    { name: './', type: '5', mode: 0o700, uid: 9, mtime: OLD },
    { name: './f', content: 'dotted', mtime: OLD },
  ]),
  'replace.tar': tar([
    { name: 'dir', content: 'a file now', mtime: OLD },
    { name: 'file/', type: '5', mode: 0o755, mtime: OLD },
    { name: 'file/new', content: 'below what was a file', mtime: OLD },
  ]),
  'through.tar': tar([{ name: 'lib/new', content: 'through a symlink', mtime: OLD }]),
  'through-abs.tar': tar([{ name: 'abs/new', content: 'through a symlink', mtime: OLD }]),
  'link-dir.tar': tar([
    { name: 'lib/', type: '5', mode: 0o711, uid: 3, mtime: OLD },
    { name: 'lib/new', content: 'below a symlink', mtime: OLD },
  ]),
  'truncated.tar': tar(MEMBERS).subarray(0, 1200),
  'escape.tar': tar([{ name: '../escaped', content: 'out', mtime: OLD }]),
  'archives/1.tar': tar([{ name: 'first', content: '1', mtime: OLD }]),
  'archives/2.tar': tar([{ name: 'second', content: '2', mtime: OLD }]),
  'archives/3.txt': Buffer.from('three'),
};

/** Writes the build context. Needs root, for a device, and setfattr. */
export async function writeContext(context: string): Promise<void> {
  for (const path of DIRECTORIES) await mkdir(join(context, path), { recursive: true });
  for (const [path, content] of Object.entries({ ...FILES, ...ARCHIVES })) {
    await mkdir(dirname(join(context, path)), { recursive: true });
    await writeFile(join(context, path), content);
  }
  for (const name of ['bzip2', 'xz', 'zstd']) {
    const packed = join(context, `${name}.dat`);
    const options = { encoding: 'buffer', maxBuffer: 1 << 20 } as const;
    const { stdout } = await execute(name, ['-c', join(context, 'plain.dat')], options);
    await writeFile(packed, stdout);
  }
  for (const [path, target] of Object.entries(SYMLINKS)) await symlink(target, join(context, path));
  await link(join(context, 'hard/a'), join(context, 'hard/b'));
  await link(join(context, 'hard/a'), join(context, 'hard/sub/c'));
  await execute('mkfifo', [join(context, 'special/fifo')]);
  await execute('mknod', [join(context, 'special/null'), 'c', '1', '3']);
  await execute('setfattr', ['-n', 'user.test', '-v', 'value', join(context, 'named')]);
  for (const [path, mode] of Object.entries(MODES)) await chmod(join(context, path), mode);
  await execute('chown', ['77:88', join(context, 'one.txt'), join(context, 'd/sub')]);
  await setTimes(context);
}

async function setTimes(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await setTimes(path);
    await lutimes(path, OLD, OLD);
  }
}

const BASE_FILES: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\nbroken\n12:x:55:66::/:\n',
  'etc/group': 'root:x:0:\nweb:x:33:\napp:x:2345:\n',
  'usr/lib/there': 'there',
  file: 'file',
  'srv/one.txt/dir': 'a directory of this name',
  'srv/plain': 'plain',
};

const BASE_LINKS: Readonly<Record<string, string>> = {
  lib: 'usr/lib',
  abs: '/usr/lib',
  out: '../../../usr/lib',
  hop: 'abs',
  dangling: 'made/here',
  loop: 'loop',
  filelink: 'file',
  'srv/x': '/file',
};

export const BASE_DOCKERFILE = `FROM scratch
COPY root /
COPY --chown=7:8 --chmod=711 owned /dir/
`;

/** Writes the context of the image that the cases start from. */
export async function writeBase(context: string): Promise<void> {
  for (const [path, content] of Object.entries(BASE_FILES)) {
    await mkdir(dirname(join(context, 'root', path)), { recursive: true });
    await writeFile(join(context, 'root', path), content);
  }
  for (const [path, target] of Object.entries(BASE_LINKS)) {
    await symlink(target, join(context, 'root', path));
  }
  await mkdir(join(context, 'owned/sub'), { recursive: true });
  await writeFile(join(context, 'owned/x'), 'old x');
  await writeFile(join(context, 'owned/stays'), 'stays');
}
