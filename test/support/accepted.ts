/** What other tools make of an image: skopeo reads and copies it, umoci unpacks it, chroot runs it. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './accounts.ts';
import { missing } from './missing.ts';

const execute = promisify(execFile);

/** Where one image was put, twice. */
export interface Outputs {
  readonly layout: string;
  readonly archive: string;
  /** The flags that put it there, named `image:latest`. */
  readonly flags: readonly string[];
}

/** An unpacked image, ready to run. */
export interface Bundle {
  readonly root: string;
  /** Runs the image's own command, or this one, inside. */
  readonly run: (...command: readonly string[]) => Promise<string>;
}

interface RuntimeConfig {
  readonly process: { readonly args: readonly string[]; readonly env: readonly string[] };
}

/** Why images cannot be judged here; undefined when they can. */
export function whyNoJudges(): string | undefined {
  return missing('skopeo', 'umoci', 'chroot');
}

export function outputsIn(folder: string, name: string): Outputs {
  const layout = join(folder, `${name}-layout`);
  const archive = join(folder, `${name}.tar`);
  const flags = [
    ...['-t', 'image:latest', '-o', `type=oci,tar=false,dest=${layout}`],
    ...['-o', `type=oci,dest=${archive}`],
  ];
  return { layout, archive, flags };
}

/** Has skopeo and umoci, run by `account`, accept an image of this digest. Answers with the unpacked image. */
export async function acceptedBundle(
  account: Account,
  { layout, archive }: Outputs,
  digest: string,
): Promise<Bundle> {
  const copies = `${layout}-copies`;
  await succeed(account, 'mkdir', copies);
  const sources = { layout: `oci:${layout}:latest`, archive: `oci-archive:${archive}:latest` };
  for (const [name, source] of Object.entries(sources)) {
    const inspected = await succeed(account, 'skopeo', 'inspect', source);
    assert.equal((JSON.parse(inspected) as { Digest: string }).Digest, digest);
    await succeed(account, 'skopeo', 'copy', '--quiet', source, `oci:${copies}/${name}:latest`);
  }
  await rm(copies, { recursive: true });

  const bundle = `${layout}-bundle`;
  const rootless = account.kind === 'root' ? [] : ['--rootless'];
  await succeed(account, 'umoci', 'unpack', ...rootless, '--image', `${layout}:latest`, bundle);
  const config = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')) as RuntimeConfig;
  const root = join(bundle, 'rootfs');
  const { args, env } = config.process;
  return {
    root,
    run: async (...command) => {
      // By root, whoever unpacked it: chroot takes more than a user has.
      const words = [root, ...(command.length > 0 ? command : args)];
      const pairs = env.map((entry) => [entry.split('=')[0], entry.replace(/^.*?=/, '')]);
      const { stdout } = await execute('chroot', words, { env: Object.fromEntries(pairs) });
      return stdout;
    },
  };
}

async function succeed(account: Account, program: string, ...args: readonly string[]) {
  const { code, stdout, stderr } = await account.run(program, args);
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
