import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readlink, truncate, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  createPusher,
  createRegistryClient,
  type PushContent,
  type PushDestination,
  type Pusher,
  readContent,
} from '../../src/registry/index.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import {
  blobsOf,
  makeImage,
  makeIndex,
  type TestImage,
  writeTestLayout,
} from '../support/image.ts';
import { describeUnless, missing } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const run = promisify(execFile);

function to(...names: readonly string[]): readonly PushDestination[] {
  return names.map((name) => ({ reference: parseReference(name) }));
}

const quiet = () => () => undefined;

async function contentOf(directory: string, images: readonly TestImage[]): Promise<PushContent> {
  const blobs = images.flatMap(blobsOf);
  const top = images.length === 1 ? images[0]?.manifest : makeIndex(images);
  assert.ok(top);
  await writeTestLayout(directory, [top.descriptor], [...blobs, top]);
  return await readContent({ directory });
}

interface Place {
  readonly registry: TestRegistry;
  readonly pusher: Pusher;
  readonly content: PushContent;
  readonly image: TestImage;
  readonly directory: string;
}

/** An image and a registry; what is asked of it is in its log. */
async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const registry = await startRegistry();
    const client = createRegistryClient({ retryDelay: 1 });
    const pusher = createPusher({ client, signal });
    try {
      const image = await makeImage({ layerSize: 1000 });
      const content = await contentOf(join(directory, 'layout'), [image]);
      await use({ registry, pusher, content, image, directory });
    } finally {
      await pusher.close();
      await client.close();
      await registry.close();
    }
  });
}

describe('createPusher()', () => {
  it('asks for each blob, uploads what is not there, and names the image last (LAY-6)', () =>
    withPlace(async ({ registry, pusher, content, image }) => {
      const [layer] = image.layers;
      assert.ok(layer);
      registry.blobs.set(layer.descriptor.digest, layer.bytes);
      await pusher.push(content, to(`${registry.host}/app:1`), quiet);
      const { log } = registry;
      for (const { digest } of content.blobs)
        assert.ok(log.includes(`HEAD /v2/app/blobs/${digest}`));
      const uploads = log.filter((line) => line.startsWith('PUT /v2/app/blobs/uploads/'));
      assert.equal(uploads.length, content.blobs.length - 1);
      assert.equal(log.at(-1), 'PUT /v2/app/manifests/1');
      assert.equal(
        registry.manifests.get('app:1')?.descriptor.digest,
        image.manifest.descriptor.digest,
      );
    }));

  it('pushes several tags of a repository with one upload of each blob', () =>
    withPlace(async ({ registry, pusher, content }) => {
      await pusher.push(content, to(`${registry.host}/app:1`, `${registry.host}/app:2`), quiet);
      const count = (start: string) => registry.log.filter((line) => line.startsWith(start)).length;
      assert.equal(count('POST '), content.blobs.length);
      assert.equal(count('PUT /v2/app/manifests/'), 2);
    }));

  it('pushes by digest where a name has no tag', () =>
    withPlace(async ({ registry, pusher, content }) => {
      const { digest } = content.descriptor;
      const reference = parseReference(`${registry.host}/app@${digest}`);
      await pusher.push(content, [{ reference }], quiet);
      assert.equal(registry.log.at(-1), `PUT /v2/app/manifests/${digest}`);
    }));

  it('tells the stages as BuildKit does', () =>
    withPlace(async ({ registry, pusher, content }) => {
      const told: string[] = [];
      const name = `${registry.host}/app:1`;
      await pusher.push(content, to(name), (stage) => {
        told.push(stage);
        return () => told.push('done');
      });
      const manifest = `pushing manifest for ${name}@${content.descriptor.digest}`;
      assert.deepEqual(told, ['pushing layers', 'done', manifest, 'done']);
    }));

  it('uploads what was begun before only once', () =>
    withPlace(async ({ registry, pusher, content }) => {
      const [destination] = to(`${registry.host}/app:1`);
      assert.ok(destination);
      for (const blob of content.blobs) pusher.begin(blob, destination);
      await pusher.push(content, [destination], quiet);
      const posts = registry.log.filter((line) => line.startsWith('POST '));
      assert.equal(posts.length, content.blobs.length);
    }));

  it('fails with ERR_LAYER_INVALID for a file that was cut short, before anything of it is sent', () =>
    withPlace(async ({ registry, pusher, content }) => {
      const [blob] = content.blobs.toReversed();
      assert.ok(blob);
      await truncate(blob.path, 3);
      const pushed = pusher.push(content, to(`${registry.host}/app:1`), quiet);
      await assert.rejects(pushed, (error) => hasCode(error, 'ERR_LAYER_INVALID'));
      assert.ok(!registry.manifests.has('app:1'));
    }));

  it('ends with the reason of an abort in the middle of an upload, its files closed', () =>
    withPlace(async ({ registry, image, directory }) => {
      registry.uploads.isStalled = true;
      const controller = new AbortController();
      const client = createRegistryClient();
      const sizes = { small: 10, part: 10 };
      const pusher = createPusher({ client, sizes, signal: controller.signal });
      const content = await contentOf(join(directory, 'other'), [image]);
      const pushed = pusher.push(content, to(`${registry.host}/app:1`), quiet);
      const isSending = (): boolean => registry.log.some((line) => line.startsWith('PATCH '));
      while (!isSending()) await delay(5);
      controller.abort(new Error('enough'));
      await assert.rejects(pushed, /enough/);
      await pusher.close();
      await client.close();
      assert.deepEqual(await openFiles(join(directory, 'other')), []);
    }));

  it('fails with ERR_REGISTRY_UNREACHABLE when nobody is there, and leaves nothing under way', () =>
    withPlace(async ({ registry, pusher, content }) => {
      await registry.close();
      const pushed = pusher.push(content, to(`${registry.host}/app:1`), quiet);
      await assert.rejects(pushed, (error) => hasCode(error, 'ERR_REGISTRY_UNREACHABLE'));
    }));
});

const reason = missing('docker-registry', 'skopeo', 'openssl');

describeUnless(reason)("createPusher(), against Debian's docker-registry and skopeo", () => {
  it('pushes images and indexes that skopeo copies and that have the same digests (LAY-6, LAY-7)', () =>
    withDirectory(async (directory) => {
      const registry = await startDockerRegistry(directory);
      const client = createRegistryClient();
      const pusher = createPusher({ client, signal });
      try {
        // A layer larger than what goes in one request, and one for each other platform.
        const arm = { os: 'linux', architecture: 'arm64' };
        const images = [
          await makeImage({ layerSize: 6_000_000 }),
          await makeImage({ platform: arm }),
        ];
        const [first] = images;
        assert.ok(first);
        for (const [name, some] of [
          ['one', [first]],
          ['all', images],
        ] as const) {
          await mkdir(join(directory, name));
          const content = await contentOf(join(directory, name, 'layout'), some);
          const reference = `${registry.address}/a/${name}:v1`;
          await pusher.push(content, to(reference), quiet);
          const source = `docker://${reference}`;
          const raw = await run('skopeo', ['inspect', '--raw', '--tls-verify=false', source]);
          assert.equal(raw.stdout, Buffer.from(content.manifests.at(-1)?.bytes ?? '').toString());
          const target = `dir:${join(directory, name, 'copy')}`;
          await run('skopeo', ['copy', '--all', '--src-tls-verify=false', source, target]);
        }
      } finally {
        await pusher.close();
        await client.close();
        await registry.close();
      }
    }));

  it('goes on after connections that were reset in the middle of an upload (T-24)', () =>
    withDirectory(async (directory) => {
      const registry = await startDockerRegistry(directory);
      const proxy = await startCuttingProxy(registry.address, { after: 5_500_000, cuts: 2 });
      try {
        const image = await makeImage({ layers: 1, layerSize: 8_000_000 });
        const content = await contentOf(join(directory, 'layout'), [image]);
        await pushWith(directory, content, [`${proxy.address}/app:1`]);
        assert.equal(proxy.cuts(), 2);
        const source = `docker://${registry.address}/app:1`;
        const target = `dir:${join(directory, 'copy')}`;
        await run('skopeo', ['copy', '--src-tls-verify=false', source, target]);
      } finally {
        await proxy.close();
        await registry.close();
      }
    }));

  it('pushes and mounts with TLS and a login, and is refused without one', () =>
    withDirectory(async (directory) => {
      const { server: tls } = await makeCertificates(directory);
      const registry = await startDockerRegistry(directory, { tls, hasUsers: true });
      const auth = Buffer.from('ann:se:cret-password').toString('base64');
      const config = { auths: { [registry.address]: { auth } } };
      await writeFile(join(directory, 'config.json'), JSON.stringify(config));
      try {
        const image = await makeImage({ layerSize: 6_000_000 });
        const content = await contentOf(join(directory, 'layout'), [image]);
        const names = ['a/app:1', 'b/app:1'].map((name) => `${registry.address}/${name}`);
        for (const dockerConfig of [join(directory, 'nobody'), directory]) {
          const pushed = pushWith(dockerConfig, content, names);
          if (dockerConfig === directory) await pushed;
          else await assert.rejects(pushed, (error) => hasCode(error, 'ERR_REGISTRY_DENIED'));
        }
        for (const name of names) {
          const flags = ['--tls-verify=false', '--creds=ann:se:cret-password'];
          const raw = await run('skopeo', ['inspect', '--raw', ...flags, `docker://${name}`]);
          assert.equal(raw.stdout, Buffer.from(image.manifest.bytes).toString());
        }
      } finally {
        await registry.close();
      }
    }));
});

/** Pushes with the logins of a directory. */
async function pushWith(
  dockerConfig: string,
  content: PushContent,
  names: readonly string[],
): Promise<void> {
  const client = createRegistryClient({ places: { dockerConfig } });
  const pusher = createPusher({ client, signal });
  try {
    await pusher.push(content, to(...names), quiet);
  } finally {
    await pusher.close();
    await client.close();
  }
}

/** Files below a directory that this process has open. */
async function openFiles(directory: string): Promise<readonly string[]> {
  const numbers = await readdir('/proc/self/fd');
  const paths = await Promise.all(
    numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')),
  );
  return paths.filter((path) => path.startsWith(directory));
}

/** Passes connections on, and resets the first ones that bring more than so many bytes. */
async function startCuttingProxy(
  to: string,
  { after, cuts }: { readonly after: number; readonly cuts: number },
) {
  const [host = '', port] = to.split(':');
  let done = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(Number(port), host);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => other.destroy());
      one.pipe(other);
    }
    socket.on('data', () => {
      if (socket.bytesRead < after || done === cuts) return;
      done++;
      socket.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => done,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
