/** A base image that is made in no time: busybox, and a few users. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './accounts.ts';
import type { BaseLayout } from './debian.ts';
import { busyboxLayer } from './sandbox.ts';

/** A layout in the account's home, built by tsbuild. */
export async function busyboxBase(account: Account): Promise<BaseLayout> {
  const root = join(account.home, 'busybox-root');
  const folder = join(account.home, 'busybox');
  await mkdir(root);
  await busyboxLayer(root);
  const users = 'root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n';
  await writeFile(join(root, 'etc/passwd'), users);
  await writeFile(join(root, 'etc/group'), 'root:x:0:\napp:x:2345:\n');
  const dockerfile = join(account.home, 'busybox.Dockerfile');
  await writeFile(dockerfile, 'FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sh"]\n');
  const output = `type=oci,tar=false,dest=${folder}`;
  const flags = ['-f', dockerfile, '-t', 'busybox:latest', '-o', output, root];
  const { code, stderr } = await account.tsbuild(flags);
  assert.equal(code, 0, stderr);
  return { folder, reference: 'busybox:latest' };
}
