/** Memory does not grow with layers: all processes of a build together, at their peak (design.md §8). */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureMemory } from '../bench/measure.ts';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { makeTarImage } from '../support/tar-layout.ts';
import { tar } from '../support/tar.ts';

const MIB = 1024 * 1024;
const LIMIT = 256 * MIB;
/** Megabytes of a layer: half of it would be too much already. Nothing that compresses. */
const SIZE = 400;

const whyNot = whyNoAccount('root') ?? missing('busybox');
const test = itUnless(whyNot);

describe('a build with a large layer', function () {
  this.timeout(120_000);

  let account: Account;
  let context: string;
  let registry: TestRegistry | undefined;

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    context = join(account.home, 'context');
    await mkdir(context);
    await busyboxBase(account);
  });
  after(async () => {
    await registry?.close();
    if (whyNot === undefined) await account.close();
  });

  const peakOf = async (dockerfile: string): Promise<number> => {
    const file = join(account.home, 'Dockerfile');
    await writeFile(file, dockerfile);
    const output = join(account.home, 'image.tar');
    const flags = ['--build-context', `base=oci-layout://${account.home}/busybox`];
    const args = ['dist/cli.js', '-f', file, ...flags, '-o', `type=oci,dest=${output}`, context];
    const env = { TSBUILD_STORE: join(account.home, 'store') };
    const peak = await measureMemory([{ program: process.execPath, args, env }], undefined);
    await rm(output);
    await account.assertClean();
    return peak;
  };

  const assertSmall = (peak: number): void => {
    assert.ok(peak > 0);
    assert.ok(peak < LIMIT, `${Math.round(peak / MIB)} MiB`);
  };

  test('from RUN takes less memory than the limit', async () => {
    const write = `dd if=/dev/urandom of=/large bs=1M count=${SIZE} 2> /dev/null`;
    assertSmall(await peakOf(`FROM base\nRUN ${write}\n`));
  });

  test('from COPY, and a RUN on it, take less memory than the limit', async () => {
    await writeLarge(join(context, 'large'));
    assertSmall(await peakOf('FROM base\nCOPY large /\nRUN true\n'));
    await rm(join(context, 'large'));
  });

  test('of 200,000 files takes less memory than the limit', async () => {
    await writeMany(join(context, 'many'), 200_000);
    assertSmall(await peakOf('FROM scratch\nCOPY . /\n'));
    await rm(join(context, 'many'), { recursive: true });
  });

  test('from a registry, and a RUN on it, take less memory than the limit', async () => {
    registry = await startRegistry();
    const block = randomBytes(SIZE * MIB);
    registry.add('large', 'latest', makeTarImage([tar([{ name: 'large', content: block }])]));
    const run = 'COPY --from=base /bin/busybox /\nRUN ["/busybox", "true"]\n';
    assertSmall(await peakOf(`FROM ${registry.host}/large\n${run}`));
  });
});

/** Empty files: what counts is their number. */
async function writeMany(directory: string, count: number): Promise<void> {
  for (let first = 0; first < count; first += 500) {
    const folder = join(directory, `package-${first / 500}`, 'components');
    await mkdir(folder, { recursive: true });
    for (let i = 0; i < 500; i++) closeSync(openSync(join(folder, `module-number-${i}.ts`), 'w'));
  }
}

async function writeLarge(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let i = 0; i < SIZE; i++) await file.write(randomBytes(MIB));
  } finally {
    await file.close();
  }
}
