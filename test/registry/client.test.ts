import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { hasCode } from '../../src/errors.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryClient, type RegistryClientOptions } from '../../src/registry/client.ts';
import type { RegistryRequest } from '../../src/registry/request.ts';
import { makeImage } from '../support/image.ts';
import {
  REFRESH_TOKEN,
  type RegistryOptions,
  startRegistry,
  type TestRegistry,
} from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const signal = new AbortController().signal;
const BASIC = Buffer.from('ann:se:cret').toString('base64');

type Send = (change?: Partial<RegistryRequest>) => Promise<string>;

async function withClient(
  server: RegistryOptions,
  options: RegistryClientOptions,
  use: (send: Send, registry: TestRegistry) => Promise<void>,
): Promise<void> {
  const registry = await startRegistry({ user: 'ann', password: 'se:cret', ...server });
  const client = createRegistryClient({ retryDelay: 1, ...options });
  try {
    registry.add('app', 'v1', await makeImage());
    const reference = parseReference(`${registry.host}/app:v1`);
    await use(async (change) => {
      const common = { method: 'GET', path: 'manifests/v1', access: 'pull', signal } as const;
      const response = await client.request({ ...common, reference, ...change });
      return text(response.body);
    }, registry);
  } finally {
    await client.close();
    await registry.close();
  }
}

/** A docker config.json for the registry, which is only known once it runs. */
async function withConfig(
  server: RegistryOptions,
  config: (host: string) => object,
  use: (send: Send, registry: TestRegistry) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const configPath = join(directory, 'config.json');
    await withClient(server, { places: { dockerConfig: directory } }, async (send, registry) => {
      await writeFile(configPath, JSON.stringify(config(registry.host)));
      await use(send, registry);
    });
  });
}

describe('createRegistryClient()', () => {
  it('tries again after 429 and 5xx, as long as Retry-After says (T-24)', () =>
    withClient({}, {}, async (send, registry) => {
      registry.faults.answers = [
        { status: 429, headers: { 'retry-after': '1' } },
        { status: 503, headers: { 'retry-after': 'soon' } },
        { status: 500 },
      ];
      const start = performance.now();
      assert.match(await send(), /schemaVersion/);
      assert.ok(performance.now() - start >= 990);
      assert.equal(registry.log.length, 4);
    }));

  it('gives up after its attempts, with the code that the registry sent', () =>
    withClient({}, { attempts: 2 }, async (send, registry) => {
      const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow\ndown' }] });
      registry.faults.answers = Array.from({ length: 3 }, () => ({ status: 429, body }));
      await assert.rejects(send(), (error) => {
        assert.ok(hasCode(error, 'ERR_REGISTRY_FAILED'));
        assert.equal(error.details.code, 'TOOMANYREQUESTS');
        assert.match(error.message, /answered 429 \(TOOMANYREQUESTS: slow down\)$/);
        return true;
      });
      assert.equal(registry.log.length, 2);
    }));

  it('reads only so much of an error, whatever it is', () =>
    withClient({}, {}, async (send, registry) => {
      registry.faults.answers = [{ status: 400, body: '<html>'.repeat(1_000_000) }];
      await assert.rejects(
        send(),
        (error) => hasCode(error, 'ERR_REGISTRY_FAILED') && error.details.code === undefined,
      );
      assert.match(await send(), /schemaVersion/);
    }));

  it('keeps its connection from one request to the next', () =>
    withClient({}, {}, async (send, registry) => {
      await send();
      registry.faults.answers = [{ status: 404 }];
      await assert.rejects(send(), (error) => hasCode(error, 'ERR_REGISTRY_FAILED'));
      await send();
      await send();
      // The pool opens a second one when the first has not yet noticed that its answer is over.
      assert.ok(registry.connections() <= 2);
    }));

  it('fails with ERR_REGISTRY_UNREACHABLE where nothing listens, without trying again', async () => {
    const registry = await startRegistry();
    await registry.close();
    const client = createRegistryClient({ retryDelay: 60_000 });
    const reference = parseReference(`${registry.host}/app`);
    const request = { method: 'GET', path: 'manifests/latest', access: 'pull', signal } as const;
    await assert.rejects(client.request({ ...request, reference }), (error) => {
      assert.ok(hasCode(error, 'ERR_REGISTRY_UNREACHABLE'));
      assert.match(error.hint ?? '', /Nothing listens/);
      return true;
    });
    await client.close();
  });

  it('refuses endless redirects, and hides what a link is signed with', () =>
    withClient({}, {}, async (send, registry) => {
      registry.faults.answers = Array.from({ length: 20 }, () => ({
        status: 307,
        headers: { location: '/v2/app/manifests/v1?token=hush' },
      }));
      await assert.rejects(send(), (error) => {
        assert.ok(hasCode(error, 'ERR_REGISTRY_FAILED'));
        assert.doesNotMatch(error.message, /hush/);
        return true;
      });
    }));

  it('stops waiting for the next try when aborted', () =>
    withClient({}, { retryDelay: 60_000 }, async (send, registry) => {
      registry.faults.answers = [{ status: 500 }];
      const reason = new Error('enough');
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 30);
      await assert.rejects(send({ signal: controller.signal }), (error) => error === reason);
    }));

  it('pushes a blob and a manifest, with a token for that', () =>
    withConfig(
      { auth: 'bearer' },
      (host) => ({ auths: { [host]: { auth: BASIC } } }),
      async (send, registry) => {
        const image = await makeImage({ layers: 0 });
        const { descriptor, bytes } = image.config;
        const access = 'pull,push';
        const query = `?digest=${descriptor.digest}`;
        await send({ method: 'POST', path: `blobs/uploads/${query}`, body: bytes, access });
        assert.deepEqual(registry.blobs.get(descriptor.digest), Buffer.from(bytes));
        const headers = { 'content-type': image.manifest.descriptor.mediaType };
        const body = Readable.from([image.manifest.bytes]);
        await send({ method: 'PUT', path: 'manifests/v2', headers, body, access });
        assert.ok(registry.manifests.has('app:v2'));
      },
    ));
});

describe('createRegistryClient(), logging in', () => {
  it('gets a token as nobody, and uses it again for the same scope', () =>
    withClient({ auth: 'bearer', user: undefined as never }, {}, async (send, registry) => {
      await send();
      await send();
      assert.deepEqual(registry.log, [
        'GET /v2/app/manifests/v1',
        'GET /token',
        'GET /v2/app/manifests/v1 +auth',
        'GET /v2/app/manifests/v1 +auth',
      ]);
    }));

  for (const auth of ['basic', 'bearer'] as const) {
    it(`sends the user of config.json to a ${auth} registry`, () =>
      withConfig(
        { auth },
        (host) => ({ auths: { [`http://${host}/v2/`]: { auth: BASIC } } }),
        async (send) => assert.match(await send(), /schemaVersion/),
      ));
  }

  it('exchanges an identity token', () =>
    withConfig(
      { auth: 'bearer' },
      (host) => ({ auths: { [host]: { identitytoken: REFRESH_TOKEN } } }),
      async (send) => assert.match(await send(), /schemaVersion/),
    ));

  it('asks for a new token when the old one ends soon, or is refused (T-26)', () =>
    withConfig(
      { auth: 'bearer', lifetime: 60 },
      (host) => ({ auths: { [host]: { username: 'ann', password: 'se:cret' } } }),
      async (send, registry) => {
        await send();
        registry.revokeTokens();
        await send();
        assert.equal(registry.log.filter((line) => line.startsWith('GET /token')).length, 2);
      },
    ));

  it('renews a token that ends soon before it is refused (T-26)', () =>
    withConfig(
      { auth: 'bearer', lifetime: 5 },
      (host) => ({ auths: { [host]: { auth: BASIC } } }),
      async (send, registry) => {
        await send();
        await send();
        assert.deepEqual(registry.log, [
          'GET /v2/app/manifests/v1',
          'GET /token +auth',
          'GET /v2/app/manifests/v1 +auth',
          'GET /token +auth',
          'GET /v2/app/manifests/v1 +auth',
        ]);
      },
    ));

  it('gets one token for requests that are refused at once', () =>
    withConfig(
      { auth: 'bearer' },
      (host) => ({ auths: { [host]: { auth: BASIC } } }),
      async (send, registry) => {
        await Promise.all(Array.from({ length: 5 }, () => send()));
        assert.equal(registry.log.filter((line) => line.startsWith('GET /token')).length, 1);
      },
    ));

  it('takes a token that may do too little for the last word', () =>
    withConfig(
      { auth: 'bearer' },
      (host) => ({ auths: { [host]: { auth: BASIC } } }),
      async (send, registry) => {
        const realm = `Bearer realm="http://${registry.host}/token",service="test",scope="repository:app:pull"`;
        const answer = (challenge: string) => ({
          ...{ status: 401, headers: { 'www-authenticate': challenge } },
        });
        registry.faults.answers = [answer(realm), answer(`${realm},error="insufficient_scope"`)];
        await assert.rejects(send(), (error) => hasCode(error, 'ERR_REGISTRY_DENIED'));
        assert.equal(registry.log.filter((line) => line.startsWith('GET /token')).length, 1);
      },
    ));

  it('leaves the credentials behind at a redirect to another origin', () =>
    withConfig(
      { auth: 'basic' },
      (host) => ({ auths: { [host]: { auth: BASIC } } }),
      async (send, registry) => {
        registry.faults.redirect = true;
        const digest = [...registry.blobs.keys()][0];
        await send({ path: `blobs/${digest}` });
        assert.match(registry.log.at(-2) ?? '', /^GET \/v2\/.* \+auth$/);
        assert.match(registry.log.at(-1) ?? '', /^GET \/storage\/[0-9a-f]+$/);
      },
    ));

  for (const auth of ['basic', 'bearer'] as const) {
    it(`fails with ERR_REGISTRY_DENIED as nobody at a ${auth} registry`, () =>
      withClient({ auth }, {}, async (send) => {
        await assert.rejects(send(), (error) => {
          assert.ok(hasCode(error, 'ERR_REGISTRY_DENIED'));
          assert.equal(error.details.status, 401);
          assert.match(error.hint ?? '', /docker login/);
          return true;
        });
      }));
  }

  it('sends no login to an address that is not encrypted', () =>
    withClient({}, {}, async (send, registry) => {
      const realm = 'Bearer realm="ftp://elsewhere.example/token"';
      registry.faults.answers = [{ status: 401, headers: { 'www-authenticate': realm } }];
      await assert.rejects(send(), (error) => hasCode(error, 'ERR_REGISTRY_FAILED'));
    }));

  it('fails with ERR_USAGE for a config.json that is no JSON', () =>
    withDirectory(async (directory) => {
      const configPath = join(directory, 'config.json');
      await writeFile(configPath, '{"auths":{"x":{"auth":"aHVzaA=="');
      await withClient({ auth: 'basic' }, { places: { dockerConfig: directory } }, async (send) => {
        await assert.rejects(send(), (error) => hasCode(error, 'ERR_USAGE'));
      });
    }));
});

describe('createRegistryClient(), credential helpers', () => {
  async function withHelper(script: string, use: () => Promise<void>): Promise<void> {
    await withDirectory(async (directory) => {
      const path = join(directory, 'docker-credential-test');
      await writeFile(path, `#!/bin/sh\n${script}\n`);
      await chmod(path, 0o755);
      const before = process.env.PATH;
      process.env.PATH = `${directory}${delimiter}${before}`;
      try {
        await use();
      } finally {
        process.env.PATH = before;
      }
    });
  }

  it('asks the helper that the config names for the registry', () =>
    withHelper(
      'read host; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"ann\\",\\"Secret\\":\\"se:cret\\"}"',
      () =>
        withConfig(
          { auth: 'bearer' },
          (host) => ({ credHelpers: { [host]: 'test' } }),
          async (send) => assert.match(await send(), /schemaVersion/),
        ),
    ));

  it('takes a helper\'s "<token>" user for an identity token', () =>
    withHelper(`echo '{"Username":"<token>","Secret":"${REFRESH_TOKEN}"}'`, () =>
      withConfig(
        { auth: 'bearer' },
        () => ({ credsStore: 'test' }),
        async (send) => assert.match(await send(), /schemaVersion/),
      ),
    ));

  it('falls back to auths when the helper knows nobody', () =>
    withHelper('echo credentials not found in native keychain; exit 1', () =>
      withConfig(
        { auth: 'basic' },
        (host) => ({ credsStore: 'test', auths: { [host]: { auth: BASIC } } }),
        async (send) => assert.match(await send(), /schemaVersion/),
      ),
    ));

  it('goes on as nobody without a helper that is named, and says so when that is refused', () =>
    withConfig(
      { auth: 'basic' },
      () => ({ credsStore: 'missing-here' }),
      async (send) => {
        await assert.rejects(send(), (error) => {
          assert.ok(hasCode(error, 'ERR_REGISTRY_DENIED'));
          assert.match(error.hint ?? '', /"docker-credential-missing-here" failed/);
          return true;
        });
      },
    ));

  it('ends the helper when aborted', () =>
    withHelper('exec sleep 60', () =>
      withConfig(
        { auth: 'basic' },
        () => ({ credsStore: 'test' }),
        async (send) => {
          const controller = new AbortController();
          const reason = new Error('enough');
          setTimeout(() => controller.abort(reason), 100);
          const start = performance.now();
          await assert.rejects(send({ signal: controller.signal }), (error) => error === reason);
          assert.ok(performance.now() - start < 5000);
        },
      ),
    ));
});
