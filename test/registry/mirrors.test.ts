import assert from 'node:assert/strict';
import { readFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  createRegistryClient,
  type ImageSource,
  registrySource,
} from '../../src/registry/index.ts';
import { makeImage, type TestImage } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const PLATFORM = { os: 'linux', architecture: 'amd64' };

interface Fixture {
  readonly registry: TestRegistry;
  readonly mirror: TestRegistry;
  readonly image: TestImage;
  readonly source: ImageSource;
  /** A path for a blob. */
  readonly to: string;
}

/** A registry, and a mirror of it that wants a login. */
async function withMirror(use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const registry = await startRegistry();
  const mirror = await startRegistry({ auth: 'basic', user: 'ann', password: 'pw' });
  try {
    await withDirectory(async (directory) => {
      await mkdir(join(directory, 'containers'));
      const conf = `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/copy"\n`;
      await writeFile(join(directory, 'containers/registries.conf'), conf);
      const auth = Buffer.from('ann:pw').toString('base64');
      const config = { auths: { [mirror.host]: { auth } } };
      await writeFile(join(directory, 'config.json'), JSON.stringify(config));
      const places = { system: directory, dockerConfig: directory };
      const client = createRegistryClient({ places, retryDelay: 1, attempts: 2 });
      const image = await makeImage({ layers: 1 });
      registry.add('app', 'v1', image);
      mirror.add('copy/app', 'v1', image);
      const source = registrySource(parseReference(`${registry.host}/app:v1`), { client });
      try {
        await use({ registry, mirror, image, source, to: join(directory, 'blob') });
      } finally {
        await client.close();
      }
    });
  } finally {
    await registry.close();
    await mirror.close();
  }
}

async function pull({ source, to }: Fixture): Promise<Buffer> {
  const { layers } = await source.resolve(PLATFORM, signal);
  assert.ok(layers[0]);
  await source.fetchBlob(layers[0], to, signal);
  return await readFile(to);
}

describe('a mirror', () => {
  it('is asked instead of the registry, with its own login (T-28)', () =>
    withMirror(async (fixture) => {
      assert.deepEqual(await pull(fixture), Buffer.from(fixture.image.layers[0]?.bytes ?? []));
      assert.deepEqual(fixture.registry.log, []);
      assert.ok(fixture.mirror.log.some((line) => line.endsWith('+auth')));
    }));

  it('is passed over for what it does not have, and gives the registry no login of its own', () =>
    withMirror(async (fixture) => {
      fixture.mirror.manifests.clear();
      fixture.mirror.blobs.clear();
      await pull(fixture);
      assert.equal(fixture.registry.log.length, 3);
      assert.ok(!fixture.registry.log.some((line) => line.endsWith('+auth')));
    }));

  it('is asked once, and no more when nobody is there', () =>
    withMirror(async (fixture) => {
      await fixture.mirror.close();
      await pull(fixture);
      assert.equal(fixture.registry.log.length, 3);
    }));

  it('is passed over when what it has is damaged', () =>
    withMirror(async (fixture) => {
      fixture.mirror.faults.wrongBytes = true;
      await pull(fixture);
      // The config is a blob, too.
      assert.equal(fixture.registry.log.filter((line) => line.includes('/blobs/')).length, 2);
    }));

  it('is told of when the registry fails, too', () =>
    withMirror(async (fixture) => {
      fixture.mirror.manifests.clear();
      fixture.registry.faults.answers = [{ status: 500 }, { status: 500 }];
      await assert.rejects(fixture.source.resolve(PLATFORM, signal), (error) => {
        assert.ok(hasCode(error, 'ERR_REGISTRY_FAILED'));
        assert.equal(error.hint, `The mirror ${fixture.mirror.host} answered 404.`);
        return true;
      });
    }));
});
