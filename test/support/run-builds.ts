/** Builds of short Dockerfiles on busybox, by this account or that, and what they come to. */

import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, openAccount, type Outcome } from './accounts.ts';
import { busyboxBase } from './busybox-base.ts';
import { type LayerEntry, readLayers } from './layer-entries.ts';
import { outputOf } from './plain-output.ts';
import type { TarMember } from './tar.ts';

/** The diffID of a layer without entries. */
export const EMPTY_LAYER =
  'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

const PASSWD = 'root:x:0:0::/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\n';
const GROUP = 'root:x:0:\napp:x:2345:\nextra:x:3000:root,app\nother:x:4000:\n';

export interface Built {
  /** What the RUNs printed, line by line. */
  readonly lines: readonly string[];
  /** Of all layers, lowest first. */
  readonly diffIDs: readonly string[];
  readonly layers: readonly (readonly LayerEntry[])[];
  /** Of the last layer. */
  readonly last: Readonly<Record<string, LayerEntry>>;
}

export interface RunBuilds {
  readonly account: Account;
  /** Builds in a context with `busybox`, `passwd`, `group` and a file that is ignored; `FROM base` is busybox. */
  readonly build: (dockerfile: string, ...flags: readonly string[]) => Promise<Built>;
  /** The same, whatever comes of it; the image is kept. */
  readonly attempt: (dockerfile: string, ...flags: readonly string[]) => Promise<Outcome>;
  /** The build context. */
  readonly context: string;
}

/** Opens an account to build with; close it when done. */
export async function openRunBuilds(
  kind: 'root' | 'user',
  options: { readonly subids?: boolean } = {},
): Promise<RunBuilds> {
  const account = await openAccount(kind, options);
  const context = join(account.home, 'context');
  await busyboxBase(account);
  await mkdir(context);
  await writeContext(context);
  const output = join(account.home, 'image');
  const attempt: RunBuilds['attempt'] = async (dockerfile, ...flags) => {
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    await rm(output, { recursive: true, force: true });
    const base = ['--build-context', `base=oci-layout://${account.home}/busybox`];
    const all = [...base, '-o', `type=oci,tar=false,dest=${output}`, ...flags, context];
    return await account.tsbuild(all);
  };
  return {
    account,
    context,
    attempt,
    build: async (dockerfile, ...flags) => {
      const outcome = await attempt(dockerfile, ...flags);
      assert.equal(outcome.code, 0, outcome.stderr);
      const { diffIDs, layers } = await readLayers(output);
      const last = Object.fromEntries((layers.at(-1) ?? []).map((entry) => [entry.name, entry]));
      return { lines: outputOf(outcome), diffIDs, layers, last };
    },
  };
}

async function writeContext(context: string): Promise<void> {
  await copyFile('/bin/busybox', join(context, 'busybox'));
  const files = { passwd: PASSWD, group: GROUP, ignored: '', '.dockerignore': 'ignored\n' };
  for (const [name, text] of Object.entries(files)) await writeFile(join(context, name), text);
  for (const name of ['busybox', ...Object.keys(files)]) await chmod(join(context, name), 0o755);
  await chmod(context, 0o755);
}

/** Members of a tar for a base image of one's own. */
export async function busyboxMembers(): Promise<readonly TarMember[]> {
  const content = await readFile('/bin/busybox');
  const applets = ['sh', 'stat', 'echo'].map((name) => ({
    name: `bin/${name}`,
    type: '2',
    link: 'busybox',
  }));
  return [
    { name: 'bin/', type: '5', mode: 0o755 },
    { name: 'bin/busybox', content, mode: 0o755 },
    ...applets,
  ];
}
