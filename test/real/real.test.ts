/**
 * A Debian in a registry, and on it what people build, by root and by two kinds of users: what is installed
 * works in a later RUN, the images are the same, and a second build runs nothing.
 */

import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outputsIn, whyNoJudges } from '../support/accepted.ts';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import type { BaseLayout } from '../support/debian.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type ImageFile, readImage } from '../support/layout-files.ts';
import { machineAccess } from '../support/machine-access.ts';
import { itUnless, missing } from '../support/missing.ts';
import { digestOf, ranIn } from '../support/plain-output.ts';
import { cachedDebian } from '../support/test-cache.ts';
import { THREE_ACCOUNTS } from '../support/three-accounts.ts';
import { CASES, type RealBuild, type RealCase, whyNotCase } from './cases.ts';

const whyNot = whyNoAccount('user') ?? missing('mmdebstrap', 'docker-registry') ?? whyNoJudges();

/** Written anew by each build, or not at all, as the time has it. */
const UNSTABLE = /^(var\/cache\/(apt|debconf|ldconfig)|var\/lib\/(apt|sudo)|var\/log)\//;

/** Here only the content is another one, with a time in it. */
const UNSTABLE_CONTENT = /^etc\/(shadow|passwd|group|gshadow)-?$|__pycache__/;

describe('real builds', function () {
  this.timeout(300_000);

  let registry: DockerRegistry | undefined;
  let base = '';
  const accounts = new Map<RealBuild['name'], Account>();

  before(async () => {
    if (whyNot !== undefined) return;
    for (const { name, kind, subids } of THREE_ACCOUNTS) {
      accounts.set(name, await openAccount(kind, { subids }));
    }
    const debian = await cachedDebian();
    const root = accountOf('root');
    registry = await startDockerRegistry(root.home);
    base = await registry.push(await builtFrom(debian, root));
  });
  after(async () => {
    await registry?.close();
    for (const account of accounts.values()) await account.close();
  });

  const accountOf = (name: RealBuild['name']): Account => {
    const account = accounts.get(name);
    assert.ok(account);
    return account;
  };

  for (const case_ of CASES) {
    const test = itUnless(whyNot ?? whyNotCase(case_));

    describe(case_.title, () => {
      const builds = new Map<RealBuild['name'], Promise<RealBuild>>();

      before(() => {
        if ((whyNot ?? whyNotCase(case_)) !== undefined) return;
        for (const { name } of THREE_ACCOUNTS) {
          const started = buildOf(case_, base, { name, account: accountOf(name) });
          started.catch(() => undefined); // told by the test that waits for it
          builds.set(name, started);
        }
      });

      for (const { name, title } of THREE_ACCOUNTS) {
        test(`works as ${title}, and a second build runs nothing`, async () => {
          const build = await builds.get(name);
          assert.ok(build);
          const again = await build.account.tsbuild(build.flags);
          assert.deepEqual(ranIn(again), []);
          assert.equal(digestOf(again), digestOf(build.outcome));
          await case_.check(build);
        });
      }

      test('has the same config and the same files from all of them', async () => {
        const [root, ...others] = await Promise.all(builds.values());
        assert.ok(root && others.length === THREE_ACCOUNTS.length - 1);
        for (const { image } of others) {
          assert.deepEqual(image.config, root.image.config);
          assert.deepEqual(stable(image.files), stable(root.image.files));
        }
      });
    });
  }
});

async function buildOf(
  case_: RealCase,
  base: string,
  { name, account }: Pick<RealBuild, 'name' | 'account'>,
): Promise<RealBuild> {
  const context = await account.copyFixture(case_.fixture);
  const outputs = outputsIn(account.home, `${case_.fixture}-image`);
  const flags = [
    ...outputs.flags,
    ...['--build-arg', `BASE=${base}`],
    ...((await case_.flags?.(account)) ?? []),
    ...(await machineAccess(account.home)),
    context,
  ];
  const outcome = await account.tsbuild(flags);
  assert.equal(outcome.code, 0, outcome.stderr);
  const image = await readImage(outputs.layout);
  return { name, account, outputs, flags, context, outcome, image };
}

function stable(files: Readonly<Record<string, ImageFile>>): Readonly<Record<string, object>> {
  const entries = Object.entries(files).filter(([path]) => !UNSTABLE.test(path));
  return Object.fromEntries(
    entries.map(([path, { sha256, ...rest }]) => [
      path,
      UNSTABLE_CONTENT.test(path) ? rest : { sha256, ...rest },
    ]),
  );
}

/** An image of tsbuild's own making: `ADD` unpacks the tar that is Debian's one layer. */
async function builtFrom(debian: BaseLayout, account: Account): Promise<BaseLayout> {
  const context = join(account.home, 'debian-context');
  const folder = join(account.home, 'debian');
  await mkdir(context);
  await copyFile(await onlyLayer(debian.folder), join(context, 'rootfs.tar.gz'));
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const lines = [
    'FROM scratch',
    'ADD rootfs.tar.gz /',
    // As images of Debian have it: packages start no services.
    'COPY --chmod=755 <<EOF /usr/sbin/policy-rc.d',
    '#!/bin/sh',
    'exit 101',
    'EOF',
    `ENV PATH=${path}`,
    'CMD ["bash"]',
  ];
  await writeFile(join(context, 'Dockerfile'), lines.join('\n'));
  const output = `type=oci,tar=false,dest=${folder}`;
  const built = await account.tsbuild(['-t', 'debian:latest', '-o', output, context]);
  assert.equal(built.code, 0, built.stderr);
  return { folder, reference: debian.reference };
}

interface Documents {
  readonly manifests: readonly [{ readonly digest: string }];
  readonly layers: readonly [{ readonly digest: string }];
}

async function onlyLayer(layout: string): Promise<string> {
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Documents;
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
  const { manifests } = await read(join(layout, 'index.json'));
  const { layers } = await read(blob(manifests[0].digest));
  return blob(layers[0].digest);
}
