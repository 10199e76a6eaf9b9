/** Programs of another architecture, from Debian, and the kernel's readiness to run them. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { missing } from './missing.ts';

const execute = promisify(execFile);

/** The platform that tests build for, which this machine is not. */
export const FOREIGN =
  process.arch === 'arm64'
    ? { architecture: 'amd64', debian: 'amd64', qemu: 'x86_64' }
    : { architecture: 'arm64', debian: 'arm64', qemu: 'aarch64' };

/** Why nothing foreign can be run here; undefined when it can. */
export function whyNoForeign(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to register an emulator';
  const kernel = readFileSync('/proc/filesystems', 'utf8');
  if (!/\bbinfmt_misc$/m.test(kernel)) return 'needs a kernel with binfmt_misc';
  return missing('apt-get', 'dpkg-deb', `qemu-${FOREIGN.qemu}-static`);
}

/** The path of Debian's static busybox for FOREIGN, kept in `cache`; apt's own state is left alone. */
export async function foreignBusybox(cache: string): Promise<string> {
  const file = join(cache, `busybox-${FOREIGN.debian}`);
  if (existsSync(file)) return file;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(`${file}.`);
  try {
    await mkdir(join(work, 'lists/partial'), { recursive: true });
    await mkdir(join(work, 'cache/archives/partial'), { recursive: true });
    await writeFile(join(work, 'status'), '');
    const settings = [
      `APT::Architecture=${FOREIGN.debian}`,
      `APT::Architectures=${FOREIGN.debian}`,
      `Dir::State=${work}`,
      `Dir::State::status=${join(work, 'status')}`,
      `Dir::Cache=${join(work, 'cache')}`,
      'APT::Sandbox::User=root',
    ].flatMap((setting) => ['-o', setting]);
    await execute('apt-get', [...settings, '-q', 'update'], { cwd: work });
    await execute('apt-get', [...settings, '-q', 'download', 'busybox-static'], { cwd: work });
    const packages = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    await execute('dpkg-deb', ['--extract', packages[0] ?? '', 'root'], { cwd: work });
    await rename(join(work, 'root/bin/busybox'), file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

const BINFMT = '/proc/sys/fs/binfmt_misc';
const NAME = 'tsbuild-test';

/** Runs `use` while the kernel hands programs of FOREIGN to qemu, with these flags of binfmt_misc. */
export async function withEmulator(flags: 'F' | '', use: () => Promise<void>): Promise<void> {
  await withBinfmt(async () => {
    const line = await registration(flags);
    // Of a run that was killed.
    await writeFile(join(BINFMT, NAME), '-1', { flag: 'r+' }).catch(() => undefined);
    await writeFile(join(BINFMT, 'register'), line);
    try {
      await use();
    } finally {
      await writeFile(join(BINFMT, NAME), '-1');
    }
  });
}

/** Runs `use` while no emulator is registered for FOREIGN; those of the machine are back afterwards. */
export async function withoutEmulator(use: () => Promise<void>): Promise<void> {
  await withBinfmt(use);
}

/** binfmt_misc is mounted, and what the machine has registered for qemu is switched off meanwhile. */
async function withBinfmt(use: () => Promise<void>): Promise<void> {
  const isMounted = existsSync(join(BINFMT, 'register'));
  if (!isMounted) await execute('mount', ['-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
  const own = join(BINFMT, `qemu-${FOREIGN.qemu}`);
  const before = await readFile(own, 'utf8').catch(() => '');
  try {
    if (before.startsWith('enabled')) await writeFile(own, '0');
    await use();
  } finally {
    if (before.startsWith('enabled')) await writeFile(own, '1');
    if (!isMounted) await execute('umount', [BINFMT]);
  }
}

/** What the package would have registered: systemd's file has the magic bytes. */
async function registration(flags: string): Promise<string> {
  const conf = await readFile(`/usr/lib/binfmt.d/qemu-${FOREIGN.qemu}.conf`, 'utf8');
  const [, kind, offset, magic, mask] = conf.trim().split(':').slice(1);
  const interpreter = `/usr/bin/qemu-${FOREIGN.qemu}-static`;
  return `:${NAME}:${kind}:${offset}:${magic}:${mask}:${interpreter}:${flags}`;
}
