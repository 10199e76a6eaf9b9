import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  createRegistryClient,
  registrySource,
  type SettingsPlaces,
} from '../../src/registry/index.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import {
  type DockerRegistry,
  type DockerRegistryOptions,
  startDockerRegistry,
} from '../support/docker-registry.ts';
import { makeImage, type TestImage } from '../support/image.ts';
import { describeUnless, missing } from '../support/missing.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { withDirectory } from '../support/temporary.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const PLATFORM = { os: 'linux', architecture: 'amd64' };
const AUTH = Buffer.from('ann:se:cret-password').toString('base64');

interface Fixture {
  readonly certificates: Certificates;
  readonly registry: DockerRegistry;
  readonly port: number;
  readonly directory: string;
  readonly image: TestImage;
  /** Pulls it all by the name `HOST/app:v1`. */
  readonly pull: (host: string, places: SettingsPlaces) => Promise<void>;
}

/** Debian's registry, with an image in it. */
async function withSecure(
  options: (certificates: Certificates) => DockerRegistryOptions,
  use: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const certificates = await makeCertificates(directory);
    const image = await makeImage({ layers: 1 });
    // Put there without locks and keys.
    const open = await startDockerRegistry(directory);
    try {
      await put(open.address, image);
    } finally {
      await open.close();
    }
    const registry = await startDockerRegistry(directory, options(certificates));
    const port = Number(registry.address.split(':')[1]);
    const pull = async (host: string, places: SettingsPlaces): Promise<void> => {
      const client = createRegistryClient({ places, retryDelay: 1 });
      try {
        const source = registrySource(parseReference(`${host}/app:v1`), { client });
        const { layers } = await source.resolve(PLATFORM, signal);
        for (const [number, layer] of layers.entries()) {
          await source.fetchBlob(layer, join(directory, `${Date.now()}-${number}`), signal);
        }
      } finally {
        await client.close();
      }
    };
    try {
      await use({ certificates, registry, port, directory, image, pull });
    } finally {
      await registry.close();
    }
  });
}

async function put(address: string, image: TestImage): Promise<void> {
  const client = createRegistryClient();
  const reference = parseReference(`${address}/app:v1`);
  const common = { reference, access: 'pull,push', signal } as const;
  try {
    for (const { descriptor, bytes } of [...image.layers, image.config]) {
      const opened = await client.request({ ...common, method: 'POST', path: 'blobs/uploads/' });
      opened.body.resume();
      const path = new URL(opened.headers['location'] ?? '', opened.url);
      path.searchParams.set('digest', descriptor.digest);
      (await client.request({ ...common, method: 'PUT', path, body: bytes })).body.resume();
    }
    const headers = { 'content-type': image.manifest.descriptor.mediaType };
    const { bytes: body } = image.manifest;
    const path = 'manifests/v1';
    (await client.request({ ...common, method: 'PUT', path, headers, body })).body.resume();
  } finally {
    await client.close();
  }
}

/** `etc/docker/certs.d/HOST/ca.crt` */
async function trust(folder: string, host: string, { authority, client }: Certificates) {
  const directory = join(folder, 'docker/certs.d', host);
  await mkdir(directory, { recursive: true });
  await copyFile(authority, join(directory, 'ca.crt'));
  await copyFile(client.cert, join(directory, 'client.cert'));
  await copyFile(client.key, join(directory, 'client.key'));
}

const SKIP = missing('docker-registry', 'openssl');

describeUnless(SKIP)("registrySource(), against Debian's docker-registry with TLS", () => {
  it('shows the certificate of certs.d, and the login of podman’s auth.json (T-28)', () =>
    withSecure(
      ({ server, authority }) => ({ tls: { ...server, clients: authority }, hasUsers: true }),
      async ({ certificates, registry: { address }, directory, pull }) => {
        const system = join(directory, 'etc');
        await trust(system, address, certificates);
        const file = join(directory, 'auth.json');
        await writeFile(file, JSON.stringify({ auths: { [`${address}/app`]: { auth: AUTH } } }));
        const environment = { REGISTRY_AUTH_FILE: file };
        await pull(address, { system, environment });
        await assert.rejects(pull(address, { system }), (error) =>
          hasCode(error, 'ERR_REGISTRY_DENIED'),
        );
        // Without our certificate it speaks with nobody.
        await assert.rejects(pull(address, { environment }), (error) =>
          hasCode(error, 'ERR_REGISTRY_UNREACHABLE'),
        );
      },
    ));

  it('goes through a proxy to names that only the proxy knows, and to no other host (T-27)', () =>
    withSecure(
      ({ server }) => ({ tls: server, hasUsers: true }),
      async ({ certificates, port, directory, pull }) => {
        const proxy: TestProxy = await startProxy(port);
        try {
          const system = join(directory, 'etc');
          await trust(system, 'registry.test', certificates);
          const text = JSON.stringify({ auths: { 'registry.test': { auth: AUTH } } });
          const environment = { HTTPS_PROXY: proxy.url, DOCKER_AUTH_CONFIG: text };
          await pull('registry.test', { system, environment });
          assert.deepEqual([...new Set(proxy.log)], ['CONNECT registry.test:443']);
          const wrong = { ...environment, HTTPS_PROXY: proxy.url.replace('pr0xy', 'wrong') };
          await assert.rejects(pull('registry.test', { system, environment: wrong }), (error) => {
            assert.ok(hasCode(error, 'ERR_REGISTRY_UNREACHABLE'));
            assert.match(
              error.hint ?? '',
              /^The proxy of HTTPS_PROXY .* the proxy 127\.0\.0\.1:\d+\.$/,
            );
            assert.doesNotMatch(`${error.message} ${error.hint}`, /wrong/);
            return true;
          });
        } finally {
          await proxy.close();
        }
      },
    ));

  it('takes any certificate of a registry that a flag or a file calls insecure, else none', () =>
    withSecure(
      ({ server }) => ({ tls: server }),
      async ({ port, directory, pull }) => {
        const proxy = await startProxy(port);
        try {
          const environment = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
          await assert.rejects(pull('x.registry.test', { environment }), (error) => {
            assert.ok(hasCode(error, 'ERR_REGISTRY_UNREACHABLE'));
            assert.match(error.hint ?? '', /certificate is not trusted/);
            return true;
          });
          await pull('x.registry.test', { environment, insecureRegistries: ['x.registry.test'] });
          const system = join(directory, 'etc');
          await mkdir(join(system, 'containers'), { recursive: true });
          const conf = '[[registry]]\nlocation = "x.registry.test"\ninsecure = true\n';
          await writeFile(join(system, 'containers/registries.conf'), conf);
          await pull('x.registry.test', { environment, system });
        } finally {
          await proxy.close();
        }
      },
    ));

  it('speaks plain HTTP with an insecure registry that has nothing else, and with no other', () =>
    withSecure(
      () => ({}),
      async ({ port, pull }) => {
        const proxy = await startProxy(port);
        try {
          const environment = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
          const insecureRegistries = ['x.registry.test:80'];
          await pull('x.registry.test:80', { environment, insecureRegistries });
          assert.ok(proxy.log.includes('GET x.registry.test/v2/app/manifests/v1'));
          const before = proxy.log.length;
          await assert.rejects(pull('y.registry.test:80', { environment, insecureRegistries }));
          assert.ok(proxy.log.slice(before).every((line) => line.startsWith('CONNECT')));
        } finally {
          await proxy.close();
        }
      },
    ));

  it('trusts whom the machine, or NODE_EXTRA_CA_CERTS, trusts (T-28)', () =>
    withSecure(
      ({ server }) => ({ tls: server }),
      async ({ certificates, port, directory }) => {
        const proxy = await startProxy(port);
        // Node reads these once, when it starts.
        const script = join(directory, 'pull.ts');
        const root = new URL('../..', import.meta.url).href;
        await writeFile(
          script,
          `import { createRegistryClient, registrySource } from '${root}src/registry/index.ts';
           import { parseReference } from '${root}src/oci/reference.ts';
           const client = createRegistryClient({ places: { environment: { HTTPS_PROXY: '${proxy.url}' } } });
           const source = registrySource(parseReference('registry.test/app:v1'), { client });
           try { await source.resolve({ os: 'linux', architecture: 'amd64' }, new AbortController().signal); }
           catch (error) { console.log(error.message); }
           finally { await client.close(); }`,
        );
        const pull = async (variables: Record<string, string>): Promise<string> => {
          const env = { PATH: process.env['PATH'], ...variables };
          return (await run(process.execPath, ['--no-warnings', script], { env })).stdout;
        };
        try {
          assert.match(await pull({ SSL_CERT_FILE: '/dev/null' }), /not reachable/);
          assert.equal(await pull({ SSL_CERT_FILE: certificates.authority }), '');
          assert.equal(await pull({ NODE_EXTRA_CA_CERTS: certificates.authority }), '');
        } finally {
          await proxy.close();
        }
      },
    ));
});
