/**
 * node examples/base-image.ts DIRECTORY: a tiny base image, as an OCI layout, made of this machine's
 * own shell and coreutils, so that no container registry is needed to try things out.
 *
 * 1. For each program, find what it needs: its ELF interpreter, and the shared libraries that this
 *    interpreter (glibc's or musl's) lists.
 * 2. Mirror all of it into a directory, with every symbolic link on the way (/bin → usr/bin, sh → dash).
 * 3. Build `FROM scratch`, `COPY . /` with tsbuild.
 */

import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, type BuildResult, build, plainProgress } from '../src/index.ts';
import { readInterpreter } from './elf.ts';

/** Without these there is no base image; `OPTIONAL` come along where the machine has them. */
const REQUIRED = 'sh cat cp ln ls mkdir mv printf rm sort touch'.split(' ');
const OPTIONAL =
  'basename chgrp chmod chown cut date dd dirname echo env expr false find grep head id md5sum ' +
  'mktemp od pwd readlink rmdir sed seq sha256sum sleep stat tail tar tee test tr true uname uniq wc xargs';
const SEARCH_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** Everything else of a build goes through: store, signal, onEvent. */
export type BaseImageOptions = Pick<BuildOptions, 'store' | 'helper' | 'signal' | 'onEvent'>;

/** Builds the image into an OCI layout at `destination`. Fails if a required program is not there. */
export async function buildBaseImage(
  destination: string,
  options: BaseImageOptions = {},
): Promise<BuildResult> {
  const work = mkdtempSync(join(tmpdir(), 'tsbuild-base-'));
  try {
    const root = join(work, 'root');
    mkdirSync(root);
    for (const file of neededFiles()) mirror(file, root);
    addSystemFiles(root);
    const dockerfile = join(work, 'Dockerfile');
    writeFileSync(
      dockerfile,
      `FROM scratch\nCOPY . /\nENV PATH=${SEARCH_PATH.join(':')}\nCMD ["/bin/sh"]\n`,
    );
    const outputs = [`type=oci,tar=false,dest=${destination}`];
    return await build({ ...options, context: root, dockerfile, outputs, tags: ['base:latest'] });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Programs, interpreters and libraries, each by the path under which it is looked for. */
function neededFiles(): ReadonlySet<string> {
  const required = REQUIRED.map((name) => {
    const path = findProgram(name);
    if (path === undefined) throw new Error(`Cannot find "${name}" on this machine`);
    return path;
  });
  const optional = OPTIONAL.split(' ').map(findProgram);
  const programs = [...required, ...optional.filter((path) => path !== undefined)];
  return new Set(['/bin/sh', ...programs].flatMap((program) => [program, ...libraries(program)]));
}

function findProgram(name: string): string | undefined {
  return SEARCH_PATH.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.R_OK | constants.X_OK);
      return true;
    } catch {
      return false; // not there, or not for us: look on
    }
  });
}

/** What a program is linked with: as `ldd` says, but from the interpreter itself, so musl works as well. */
function libraries(program: string): readonly string[] {
  const interpreter = readInterpreter(program);
  if (interpreter === undefined) return []; // static, or a script
  const list = execFileSync(interpreter, ['--list', program], { encoding: 'utf8' });
  // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)"
  const paths = [...list.matchAll(/^\s*(?:\S+ => )?(\/\S+)(?: \(0x|$)/gm)].map(
    ([, path = '']) => path,
  );
  return [interpreter, ...paths];
}

/** Copies a file below `root`, and makes the symbolic links by which the machine gets there. */
function mirror(path: string, root: string): void {
  let current = '/';
  for (const name of path.split('/').filter(Boolean)) {
    const next = join(current, name);
    const copy = join(root, next);
    const stats = lstatSync(next);
    if (stats.isSymbolicLink()) {
      const target = readlinkSync(next);
      if (!existsLink(copy)) symlinkSync(target, copy);
      const rest = path.slice(next.length);
      mirror(resolve(current, target) + rest, root);
      return;
    }
    if (stats.isDirectory() && !existsSync(copy)) {
      mkdirSync(copy);
      chmodSync(copy, (stats.mode & 0o7777) | 0o700); // whatever the umask says
    } else if (!existsSync(copy)) copyFileSync(next, copy);
    current = next;
  }
}

function existsLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** What programs expect of any system. */
function addSystemFiles(root: string): void {
  for (const folder of ['etc', 'root', 'tmp', 'var/tmp']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const folder of ['tmp', 'var/tmp']) chmodSync(join(root, folder), 0o1777);
  chmodSync(join(root, 'root'), 0o700);
  const files = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
    group: 'root:x:0:\nnogroup:x:65534:\n',
    'os-release': 'ID=tsbuild-base\nNAME="tsbuild base"\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), text);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const destination = process.argv[2];
  if (destination === undefined)
    throw new Error(`usage: node ${dirname(process.argv[1])}/base-image.ts DIRECTORY`);
  const { digest } = await buildBaseImage(destination, {
    onEvent: plainProgress((text) => process.stderr.write(text)),
  });
  console.log(digest);
}
