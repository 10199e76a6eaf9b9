/** Files of every kind that a layer can have, and what shell tools see of them. Needs root. */

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { missing } from './missing.ts';

const execute = promisify(execFile);

/** Why they cannot be made here; undefined when they can. */
export function whyNoOddFiles(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return missing('setfattr', 'getfattr', 'setcap', 'mkfifo', 'mknod', 'truncate');
}

/** How long the hole in `sparse` is, MiB. */
export const HOLE = 64;

const MAKE = `
mkdir -p d/empty d/sticky d/setgid l
printf run > run && chmod 4755 run && ln run l/run
printf cap > cap && setcap cap_net_raw+ep cap && setfattr -n user.note -v 'a value' cap
setfattr -n user.dir -v x d && chmod 1777 d/sticky && chmod 2755 d/setgid
printf owned > d/owned && chown 70000:3000000 d/owned && chmod 0440 d/owned
ln -s ../run l/symlink && ln l/symlink d/symlink
ln -s "$(printf 't%.0s' $(seq 150))" l/long
printf long > "$(printf 'n%.0s' $(seq 200))"
mkdir -p "$(printf 'p%.0s' $(seq 120))/$(printf 'q%.0s' $(seq 120))"
printf bytes > "$(printf 'no\\377utf8')" && printf line > "$(printf 'a\\nline')"
mkfifo fifo && ln fifo l/fifo
mknod null c 1 3 && mknod loop b 7 200
printf front > sparse && truncate -s ${HOLE}M sparse && printf end >> sparse && truncate -s +1M sparse
find . -exec touch -h -d '2021-02-03 04:05:06.123456789 UTC' {} +
`;

/** Makes them in a new directory. */
export async function makeOddFiles(directory: string): Promise<void> {
  await mkdir(directory);
  await execute('bash', ['-ec', MAKE], { cwd: directory });
}

/** Name, type, mode, owner, times, target, attributes, content: one text for one tree. */
export async function describeFiles(directory: string): Promise<string> {
  const script = `
LC_ALL=C find . -mindepth 1 -printf '%y %m %U:%G %T@ %n %s %l %P\\0' | LC_ALL=C sed -z 's/^d \\([^ ]* [^ ]* [^ ]*\\) [0-9]* [0-9]*/d \\1/' | LC_ALL=C sort -z | tr '\\0' '\\n'
find . -type c -o -type b | sort | xargs stat -c '%t:%T %n'
getfattr -d -h -R -m '^(user|security.capability)' . 2> /dev/null
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
find . -mindepth 1 -not -type d -links +1 -printf '%i %P\\n' | sort -k2 | awk '{ if (!($1 in first)) first[$1] = $2; print first[$1], $2 }'
`;
  const { stdout } = await execute('bash', ['-ec', script], {
    cwd: directory,
    encoding: 'latin1',
    maxBuffer: 1 << 24,
  });
  return stdout;
}
