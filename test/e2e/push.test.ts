/** Builds that are pushed, and pushes of what was built before (LAY-6, OUT-2, MD-1, T-25, T-59). */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../src/errors.ts';
import { build, type BuildEvent, push } from '../../src/index.ts';
import { inContext } from '../support/in-context.ts';
import { type RegistryOptions, startRegistry, type TestRegistry } from '../support/registry.ts';
import { runIn } from '../support/run-command.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

const FILES = { Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\n', a: 'a', b: 'b' };

interface Place {
  readonly registry: TestRegistry;
  readonly options: Parameters<typeof build>[0] & { readonly context: string };
  readonly folder: string;
}

async function withPlace(
  use: (place: Place) => Promise<void>,
  { files = FILES, ...options }: RegistryOptions & { readonly files?: Record<string, string> } = {},
): Promise<void> {
  const registry = await startRegistry(options);
  try {
    await inContext(
      files,
      async (context) =>
        await use({ registry, options: context, folder: join(context.context, '..') }),
      { helper: HELPER },
    );
  } finally {
    await registry.close();
  }
}

function pushed({ manifests }: TestRegistry, name: string): string | undefined {
  return manifests.get(name)?.descriptor.digest;
}

const LOGIN = { auth: 'basic', user: 'me', password: 'hush-hush' } as const;
const AUTH = Buffer.from('me:hush-hush').toString('base64');

/** Answers the directory with docker's config.json. */
async function logIn(folder: string, { host }: TestRegistry): Promise<string> {
  const directory = join(folder, '.docker');
  await mkdir(directory);
  await writeFile(
    join(directory, 'config.json'),
    JSON.stringify({ auths: { [host]: { auth: AUTH } } }),
  );
  return directory;
}

describe('build(), pushing', () => {
  it('pushes to every name, tells the stages, and answers the names (OUT-2)', () =>
    withPlace(async ({ registry, options }) => {
      const tags = ['a/app:1', 'b/app:2'].map((name) => `${registry.host}/${name}`);
      const events: BuildEvent[] = [];
      const onEvent = (event: BuildEvent): void => void events.push(event);
      const result = await build({ ...options, tags, push: true, onEvent });
      assert.equal(pushed(registry, 'a/app:1'), result.digest);
      assert.equal(pushed(registry, 'b/app:2'), result.digest);
      assert.deepEqual(result.names, tags);
      const stages = events.flatMap((event) => (event.kind === 'step-status' ? [event.name] : []));
      assert.ok(stages.includes('pushing layers'));
      assert.ok(stages.includes(`pushing manifest for ${tags[0]}@${result.digest}`));
    }));

  it('pushes with type=registry and type=image,push=true, to names of the output, by digest too', () =>
    withPlace(async ({ registry, options }) => {
      const { host } = registry;
      const { digest } = await build({
        ...options,
        outputs: [
          { type: 'registry', names: [`${host}/one:1`] },
          `type=image,push=true,name=${host}/two:2`,
          `type=registry,push-by-digest=true,name=${host}/three`,
          `type=registry,name-canonical=true,name=${host}/four:4`,
          `type=image,name=${host}/five:5`,
        ],
      });
      const names = ['one:1', 'two:2', `three@${digest}`, 'four:4', `four@${digest}`];
      for (const name of names) assert.equal(pushed(registry, name), digest, name);
      assert.ok(![...registry.manifests.keys()].some((name) => /^(?:three:|five)/.test(name)));
    }));

  it('sends no layer and asks ten times at most when nothing has changed (T-19)', () =>
    withPlace(
      async ({ registry, options, folder }) => {
        const dockerConfig = await logIn(folder, registry);
        const given = { ...options, dockerConfig, tags: [`${registry.host}/app:1`], push: true };
        const { digest } = await build(given);
        registry.log.length = 0;
        assert.equal((await build(given)).digest, digest);
        assert.ok(registry.log.length <= 10, registry.log.join('\n'));
        const uploads = registry.log.filter((line) => /^(?:POST|PATCH|PUT) .*\/blobs\//.test(line));
        assert.deepEqual(uploads, []);
      },
      { ...LOGIN, auth: 'bearer' },
    ));

  it('pushes an index with its images', () =>
    withPlace(async ({ registry, options }) => {
      const tags = [`${registry.host}/app:all`];
      const platform = 'linux/amd64,linux/arm64';
      const { digest, platforms } = await build({ ...options, tags, platform, push: true });
      assert.equal(pushed(registry, 'app:all'), digest);
      for (const image of platforms)
        assert.equal(pushed(registry, `app@${image.digest}`), image.digest);
      const puts = registry.log.filter((line) => line.startsWith('PUT /v2/app/manifests/'));
      assert.equal(puts.at(-1), 'PUT /v2/app/manifests/all');
    }));

  it('uploads a layer while later steps still run', () =>
    withPlace(async ({ registry, options }) => {
      // The second step gets its file only when the first one's layer is in the registry.
      const server = createServer((_, response) => {
        void (async () => {
          while (registry.blobs.size === 0) await delay(10);
          response.end('late');
        })();
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/late`;
        const dockerfile = Buffer.from(`FROM scratch\nCOPY a /a\nADD ${url} /late\n`);
        const tags = [`${registry.host}/app:1`];
        const { digest } = await build({ ...options, dockerfile, tags, push: true });
        assert.equal(pushed(registry, 'app:1'), digest);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    }));

  it('mounts the layers of a base of the same registry', () =>
    withPlace(
      async ({ registry, options }) => {
        const { host } = registry;
        await build({ ...options, tags: [`${host}/base:1`], push: true });
        const dockerfile = Buffer.from(`FROM ${host}/base:1\nCOPY b /c\n`);
        registry.log.length = 0;
        const { digest } = await build({
          ...{ ...options, dockerfile, store: `${options.store}2` },
          ...{ tags: [`${host}/app:1`], push: true },
        });
        assert.equal(pushed(registry, 'app:1'), digest);
        const count = (what: string) => registry.log.filter((line) => line.startsWith(what)).length;
        // Two layers of the base are mounted; the new one and the config are sent.
        assert.equal(count('POST /v2/app/blobs/uploads/'), 4);
        assert.equal(count('PUT /v2/app/blobs/uploads/'), 2);
      },
      { separate: true },
    ));

  const refused = [
    ['no name', { push: true }, 'ERR_USAGE'],
    [
      'a tag by digest',
      { tags: ['app:1'], outputs: ['type=registry,push-by-digest=true'] },
      'ERR_REFERENCE_INVALID',
    ],
  ] as const;
  for (const [what, more, code] of refused) {
    it(`refuses to push ${what}, before anything is built`, () =>
      inContext(FILES, async (options) => {
        await assert.rejects(build({ ...options, ...more }), (error) => hasCode(error, code));
      }));
  }

  it('stops when it is aborted, with nothing under way', () =>
    withPlace(async ({ registry, options }) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const { signal } = controller;
      const onEvent = (event: BuildEvent): void => {
        if (event.kind === 'step-status') controller.abort(reason);
      };
      const tags = [`${registry.host}/app:1`];
      await assert.rejects(build({ ...options, tags, push: true, signal, onEvent }), reason);
      assert.equal(pushed(registry, 'app:1'), undefined);
    }));
});

describe('push()', () => {
  it('finishes a push that failed, with the same digest, and executes nothing (T-25, T-59)', () =>
    withPlace(async ({ registry, options, folder }) => {
      const name = `${registry.host}/app:1`;
      await assert.rejects(build({ ...options, tags: [name], push: true }), (error) => {
        assert.ok(hasCode(error, 'ERR_REGISTRY_DENIED'));
        assert.match(error.hint ?? '', new RegExp(`"tsbuild push ${name}"`));
        return true;
      });
      assert.equal(pushed(registry, 'app:1'), undefined);
      const { digest } = await build({ ...options, tags: ['other'] });
      const { store = '' } = options;
      const dockerConfig = await logIn(folder, registry);
      const events: BuildEvent[] = [];
      const onEvent = (event: BuildEvent): void => void events.push(event);
      const again = await push({ name, store, dockerConfig, onEvent });
      assert.equal(again.digest, digest);
      assert.equal(pushed(registry, 'app:1'), digest);
      assert.equal(events.filter(({ kind }) => kind === 'step-start').length, 1);
    }, LOGIN));

  it('pushes an archive and a layout that a build wrote, with its digest (T-59)', () =>
    withPlace(async ({ registry, options, folder }) => {
      const archive = join(folder, 'image.tar');
      const layout = join(folder, 'layout');
      const outputs = [`type=oci,dest=${archive}`, `type=oci,tar=false,dest=${layout}`];
      const [first, second] = outputs.map((output) => `${output},compression=zstd,name=named:1`);
      assert.ok(first && second);
      const both = { outputs: [first, second], tags: ['app:test'] };
      const { digest } = await build({ ...options, ...both });
      for (const source of ['app:test', 'named:1']) {
        const { store = '' } = options;
        const name = `${registry.host}/app:stored`;
        assert.equal((await push({ name, source, store })).digest, digest, source);
      }
      const store = join(folder, 'other-store');
      for (const [source, tag] of [
        [`oci:${archive}`, '1'],
        [`oci:${layout}`, '2'],
        [`oci:${layout}:test`, '3'],
        [`oci-archive:${archive}`, '4'],
      ] as const) {
        await push({ name: `${registry.host}/app:${tag}`, source, store });
        assert.equal(pushed(registry, `app:${tag}`), digest, source);
      }
    }));

  it('pushes another name, an older digest, and by digest alone', () =>
    withPlace(async ({ registry, options }) => {
      const { host } = registry;
      const { store = '' } = options;
      const first = await build({ ...options, tags: ['app'] });
      await writeFile(join(options.context, 'a'), 'changed');
      const second = await build({ ...options, tags: ['app'] });
      await push({ name: `${host}/app:new`, source: 'app', store });
      await push({ name: `${host}/app:old`, digest: first.digest, store });
      await push({ name: `${host}/bare@${second.digest}`, store });
      assert.equal(pushed(registry, 'app:new'), second.digest);
      assert.equal(pushed(registry, 'app:old'), first.digest);
      assert.deepEqual(
        [...registry.manifests.keys()].filter((name) => name.startsWith('bare')),
        [`bare@${second.digest}`],
      );
    }));

  it('fails with ERR_IMAGE_NOT_FOUND for what was never built', () =>
    withDirectory(async (store) => {
      for (const more of [
        {},
        { digest: `sha256:${'0'.repeat(64)}` },
        { source: `oci:${store}/no` },
      ]) {
        await assert.rejects(push({ name: 'localhost:1/no:1', store, ...more }), (error) =>
          hasCode(error, 'ERR_IMAGE_NOT_FOUND'),
        );
      }
    }));

  it('fails with ERR_IMAGE_INVALID for a file that is no archive', () =>
    withDirectory(async (store) => {
      const file = join(store, 'file');
      await writeFile(file, 'x'.repeat(2000));
      const pushing = push({ name: 'localhost:1/no:1', store, source: `oci:${file}` });
      await assert.rejects(pushing, (error) => hasCode(error, 'ERR_IMAGE_INVALID'));
    }));
});

describe('tsbuild --push, tsbuild push', () => {
  it('writes what build-push-action reads (MD-1), and shows no credentials', () =>
    withPlace(
      async ({ registry, folder }) => {
        const name = `${registry.host}/app:1`;
        await logIn(folder, registry);
        const files = ['--metadata-file=meta.json', '--iidfile=id'];
        const built = await runIn(folder, '--push', '-t', name, ...files, join(folder, 'context'));
        assert.equal(built.code, 0, built.stderr);
        const text = await readFile(join(folder, 'meta.json'), 'utf8');
        const metadata = JSON.parse(text) as Record<string, unknown>;
        const digest = pushed(registry, 'app:1');
        assert.equal(metadata['containerimage.digest'], digest);
        assert.equal(metadata['image.name'], name);
        const descriptor = metadata['containerimage.descriptor'] as Record<string, unknown>;
        assert.equal(descriptor['digest'], digest);
        const id = await readFile(join(folder, 'id'), 'utf8');
        assert.equal(metadata['containerimage.config.digest'], id);
        assert.match(built.stderr, /^#\d+ pushing layers \d\.\ds done$/m);

        const again = await runIn(folder, 'push', '-q', name, `${registry.host}/app:2`);
        assert.equal(again.stdout, `${digest}\n`, again.stderr);
        for (const said of [built.stderr, again.stderr, text]) {
          assert.ok(!said.includes('hush') && !said.includes(AUTH));
        }
      },
      { ...LOGIN, auth: 'bearer' },
    ));

  it('removes the id of an earlier build when it fails, and exits with 3 for a registry', () =>
    withPlace(async ({ registry, folder }) => {
      await writeFile(join(folder, 'id'), 'old');
      const name = `${registry.host}/app:1`;
      const context = join(folder, 'context');
      const { code, stderr } = await runIn(folder, '--push', '-t', name, '--iidfile=id', context);
      assert.equal(code, 3, stderr);
      await assert.rejects(readFile(join(folder, 'id')));
    }, LOGIN));

  it('refuses a command line that names nothing, or too much', async () => {
    for (const argv of [['push'], ['push', 'a', 'b', 'c'], ['push', '--no-such', 'a']]) {
      const { code } = await withDirectory((folder) => runIn(folder, ...argv));
      assert.equal(code, 2);
    }
  });
});
