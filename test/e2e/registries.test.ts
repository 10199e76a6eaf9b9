/** Builds and their registries: who is spoken to, what is fetched, and where no password is. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildEvent, type BuildOptions } from '../../src/index.ts';
import { withHttp } from '../support/http-server.ts';
import { makeImage } from '../support/image.ts';
import { inContext } from '../support/in-context.ts';
import { startProxy } from '../support/proxy.ts';
import { type RegistryOptions, startRegistry, type TestRegistry } from '../support/registry.ts';
import { runIn } from '../support/run-command.ts';
import { HELPER } from '../support/sandbox.ts';

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

async function withBase(
  use: (registry: TestRegistry) => Promise<void>,
  options: RegistryOptions = {},
): Promise<void> {
  const registry = await startRegistry(options);
  try {
    const platform = { os: 'linux', architecture: ARCHITECTURE };
    registry.add('base', '1', await makeImage({ platform }));
    await use(registry);
  } finally {
    await registry.close();
  }
}

describe('a build’s network', () => {
  it('is nobody but the hosts that the Dockerfile names, through the proxy (T-27)', () =>
    withBase(async (registry) => {
      await withHttp(
        (_, response) => response.end('file'),
        async (files) => {
          const ports: Readonly<Record<string, string>> = {
            'registry.test': registry.host,
            'files.test': new URL(files.url).host,
          };
          const proxy = await startProxy((host) => Number(ports[host]?.split(':')[1] ?? 9));
          const text =
            '# syntax=docker/dockerfile:1.99\nFROM registry.test/base:1\nADD http://files.test/x /x\n';
          try {
            await inContext(text, async (options) => {
              await build({
                ...options,
                helper: HELPER,
                environment: { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url },
                insecureRegistries: ['registry.test'],
                outputs: [`type=oci,dest=${options.context}/../image.tar`],
              });
            });
          } finally {
            await proxy.close();
          }
          const hosts = proxy.log.map((line) => /^\w+ ([^/:]+)/.exec(line)?.[1] ?? line);
          assert.deepEqual([...new Set(hosts)].toSorted(), ['files.test', 'registry.test']);
        },
      );
    }));

  it('fetches no layer of a base whose index the store has, and none for a build that is cached (T-29, T-61)', () =>
    withBase(async (registry) => {
      const files = { Dockerfile: `FROM ${registry.host}/base:1\nCOPY a /a\n`, a: 'a' };
      await inContext(files, async (options) => {
        const given = { ...options, helper: HELPER };
        await build(given);
        const blobs = registry.log.filter((line) => line.includes('/blobs/'));
        assert.equal(new Set(blobs).size, 3, 'the config and two layers');
        registry.log.length = 0;
        await build(given);
        assert.deepEqual(registry.log, ['HEAD /v2/base/manifests/1']);
        registry.log.length = 0;
        await writeFile(join(options.context, 'a'), 'another');
        await build(given);
        assert.deepEqual(registry.log, ['HEAD /v2/base/manifests/1']);
      });
    }));

  it('leaves no password in the store, in events, or in what the command says', () =>
    withBase(
      async (registry) => {
        const text = `FROM ${registry.host}/base:1\nFROM ${registry.host}/none:1\n`;
        const auth = Buffer.from('ann:se:cret-password').toString('base64');
        await inContext(text, async (options) => {
          const config = join(options.context, '../.docker');
          await mkdir(config);
          const auths = { [registry.host]: { auth } };
          await writeFile(join(config, 'config.json'), JSON.stringify({ auths }));
          const events: BuildEvent[] = [];
          const given: BuildOptions = {
            ...{ ...options, dockerConfig: config, helper: HELPER },
            outputs: [`type=oci,dest=${options.context}/../image.tar`],
            onEvent: (event) => void events.push(event),
          };
          await build({ ...given, dockerfile: Buffer.from(`FROM ${registry.host}/base:1\n`) });
          await assert.rejects(build(given), { code: 'ERR_IMAGE_NOT_FOUND' });
          const folder = join(options.context, '..');
          const { stdout, stderr } = await runIn(folder, options.context);
          const store = given.store ?? '';
          const names = await readdir(store, { recursive: true, withFileTypes: true });
          const kept = await Promise.all(
            names
              .filter((entry) => entry.isFile())
              .map(async (entry) => await readFile(join(entry.parentPath, entry.name), 'latin1')),
          );
          assert.ok(kept.length > 3);
          const all = [...kept, JSON.stringify(events), stdout, stderr].join('\n');
          assert.match(all, /none:1/);
          for (const secret of ['se:cret', auth, 'Bearer ']) {
            assert.ok(!all.includes(secret), secret);
          }
        });
      },
      { auth: 'bearer', user: 'ann', password: 'se:cret-password' },
    ));
});
