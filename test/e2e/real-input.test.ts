/** A Debian in a registry, and on it what people build: a C program by its gcc, a Node application by npm. */

import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptedBundle, outputsIn, whyNoJudges } from '../support/accepted.ts';
import {
  type Account,
  type AccountKind,
  openAccount,
  whyNoAccount,
  withAccount,
} from '../support/accounts.ts';
import type { BaseLayout } from '../support/debian.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { itUnless, missing } from '../support/missing.ts';
import { npmAccess } from '../support/npm-access.ts';
import { digestOf, ranIn, stepsOf } from '../support/plain-output.ts';
import { cachedDebian, cachedNpm } from '../support/test-cache.ts';

const KINDS: Readonly<Record<Exclude<AccountKind, 'confined'>, string>> = {
  root: 'as root',
  user: 'as an ordinary user with sub-ids',
};

function whyNot(kind: AccountKind): string | undefined {
  return whyNoAccount(kind) ?? missing('mmdebstrap', 'docker-registry', 'npm') ?? whyNoJudges();
}

describe('real input', function () {
  this.timeout(240_000);

  /** Holds the base image while the tests run. */
  let server: Account | undefined;
  let registry: DockerRegistry | undefined;
  let base = '';

  before(async () => {
    if (whyNot('root') !== undefined) return;
    const debian = await cachedDebian();
    server = await openAccount('root');
    registry = await startDockerRegistry(server.home);
    base = await registry.push(await builtFrom(debian, server));
  });
  after(async () => {
    await registry?.close();
    await server?.close();
  });

  for (const kind of ['root', 'user'] as const) {
    const test = itUnless(whyNot(kind));

    test(`compiles C with Debian's gcc, and ships only the binary, ${KINDS[kind]}`, async () => {
      await withAccount(kind, async (account) => {
        const context = await account.copyFixture('c-program');
        const outputs = outputsIn(account.home, 'hello');
        const flags = [...outputs.flags, '--build-arg', `BASE=${base}`, context];
        const built = await account.tsbuild(flags);
        assert.doesNotMatch(built.stderr, /^(NOTE: (?!RUN uses the network)|WARNING:)/m);
        const bundle = await acceptedBundle(account, outputs, digestOf(built));
        assert.deepEqual(await readdir(bundle.root), ['bin']);
        assert.equal(await bundle.run(), 'hello, world\n');
        assert.equal(await bundle.run('/bin/hello', 'tester'), 'hello, tester\n');

        const again = await account.tsbuild(flags);
        assert.deepEqual(ranIn(again), []);
        assert.equal(digestOf(again), digestOf(built));
      });
    });

    test(`builds a Node application, npm ci apart from its sources, ${KINDS[kind]}`, async () => {
      await withAccount(kind, async (account) => {
        const context = await account.copyFixture('node-app');
        const outputs = outputsIn(account.home, 'app');
        const flags = [
          ...outputs.flags,
          ...['--build-arg', `BASE=${base}`, '--build-context', `npm=${await cachedNpm()}`],
          ...['--build-context', `nodejs=${account.nodeDirectory}`],
          ...(await npmAccess(account.home)),
          context,
        ];
        const built = await account.tsbuild(flags);
        const bundle = await acceptedBundle(account, outputs, digestOf(built));
        assert.deepEqual(await readdir(join(bundle.root, 'app')), ['main.cjs']);
        assert.equal(await bundle.run(), '{"greeting":"hello, world"}\n');

        const source = join(context, 'src/app.js');
        const text = await readFile(source, 'utf8');
        await writeFile(source, text.replace('hello, ', 'good morning, '));
        const changed = await account.tsbuild(flags);
        const npmCi = stepsOf(changed).find(({ name }) => name.endsWith(' npm ci'));
        assert.equal(npmCi?.state, 'CACHED');
        assert.deepEqual(ranIn(changed), [
          'COPY src src',
          'RUN npm run build',
          'COPY --from=build /app/dist /app',
        ]);
        assert.notEqual(digestOf(changed), digestOf(built));
      });
    });
  }
});

/** An image of tsbuild's own making: `ADD` unpacks the tar that is Debian's one layer. */
async function builtFrom(debian: BaseLayout, account: Account): Promise<BaseLayout> {
  const context = join(account.home, 'debian-context');
  const folder = join(account.home, 'debian');
  await mkdir(context);
  await copyFile(await onlyLayer(debian.folder), join(context, 'rootfs.tar.gz'));
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const lines = ['FROM scratch', 'ADD rootfs.tar.gz /', `ENV PATH=${path}`, 'CMD ["bash"]'];
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
