/** A build that has everything which could leave something. */

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKey } from '../../support/ssh-client.ts';
import { tar } from '../../support/tar.ts';

/** The time of all that the build makes. */
export const EPOCH = 1_700_000_000;

const MOUNTS = [
  'type=cache,target=/c,sharing=locked',
  'type=cache,target=/p,sharing=private',
  'type=tmpfs,target=/t',
  'type=secret,id=secret,required',
  'type=ssh,required',
  'target=/context,rw',
].map((mount) => `--mount=${mount}`);

/** Children in the background, one of them in a session of its own, and one that ignores signals. */
const CHILDREN = `sleep 300 & busybox setsid sleep 301 & (trap '' INT TERM HUP; sleep 302) &`;

/** What a RUN makes has the time at which it runs: to get one digest each time, it sets the time back. */
const DATE = `touch -d @${EPOCH}`;

const dockerfile = (variable: string): string => `FROM base AS one
ENV ${variable}
COPY tree /tree
ADD archive.tar /archive/
WORKDIR /work
RUN ${MOUNTS.join(' ')} ${CHILDREN} cat /run/secrets/secret > /t/s; echo x >> /c/log; echo x > /context/x; \\
    test -S $SSH_AUTH_SOCK && head -c 1000000 /dev/zero > made && sleep 0.05 && ${DATE} made .

FROM base AS two
ENV ${variable}
WORKDIR /work
RUN ${MOUNTS[0]} ${CHILDREN} echo y >> /c/log; rm -rf /data && echo two > two && ${DATE} two . /

FROM base
COPY big /big
COPY --from=one /work/made /made
COPY --from=two /work/two /two
`;

const FILES = Array.from({ length: 30 }, (_, number) => `file-${number}`);

/**
 * Writes the context, the secret and the key of an ssh agent into a folder: `context`, `secret`, `key`. RUNs have the
 * variable `NAME=value` in their environment.
 */
export async function writeLane(folder: string, variable: string): Promise<void> {
  const context = join(folder, 'context');
  await mkdir(join(context, 'tree/sub'), { recursive: true });
  await writeFile(join(context, 'Dockerfile'), dockerfile(variable));
  for (const name of FILES) await writeFile(join(context, 'tree/sub', name), name);
  const members = FILES.map((name) => ({ name, content: name.repeat(100) }));
  await writeFile(join(context, 'archive.tar'), tar(members));
  await writeFile(join(context, 'big'), noise(1_000_000));
  await writeFile(join(folder, 'secret'), 'a secret that nobody may find');
  await makeKey(join(folder, 'key'));
  await chmod(folder, 0o755);
}

/** Bytes that do not compress. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
