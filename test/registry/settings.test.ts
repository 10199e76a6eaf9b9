import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseReference } from '../../src/oci/reference.ts';
import { credentialStore } from '../../src/registry/auth.ts';
import { credentialFiles, type SettingsPlaces } from '../../src/registry/settings/places.ts';
import { openSettings } from '../../src/registry/settings/settings.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const DIGEST = `sha256:${'a'.repeat(64)}`;

/** Files below a directory, and where they would be looked for. */
async function withFiles(
  files: Readonly<Record<string, string>>,
  use: (places: SettingsPlaces, directory: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    const environment = { HOME: join(directory, 'home') };
    await use({ environment, system: join(directory, 'etc') }, directory);
  });
}

/** `host/repository`, with what is special about it in front. */
async function ask(
  places: SettingsPlaces,
  name: string,
  access: 'pull' | 'pull,push' = 'pull',
): Promise<readonly string[]> {
  const endpoints = await openSettings(places).endpoints(parseReference(name), access);
  return endpoints.map(({ registry, repository, security, isMirror }) => {
    const marks = [...(isMirror ? ['mirror'] : []), ...(security === 'secure' ? [] : [security])];
    return [...marks, `${registry}/${repository}`].join(' ');
  });
}

describe('openSettings().endpoints()', () => {
  const CONF = `
    unqualified-search-registries = ["search.example"]
    [[registry]]
    prefix = "docker.io/library"
    location = "mirror.example/hub"
    [[registry.mirror]]
    location = "first.example/cache"
    insecure = true
    [[registry.mirror]]
    location = "second.example"
    pull-from-mirror = "digest-only"
    [[registry]]
    location = "open.example"
    insecure = true
    [[registry]]
    prefix = "*.far.example"
    location = "near.example"
    [[registry]]
    prefix = "closed.example/team"
    blocked = true`;

  it('asks the registry itself where nothing is said', async () => {
    await withFiles({}, async (places) => {
      assert.deepEqual(await ask(places, 'debian:12'), ['docker.io/library/debian']);
      assert.deepEqual(await ask({}, 'r.example/a/b'), ['r.example/a/b']);
    });
  });

  it('follows registries.conf: locations, mirrors in their order, the longest prefix (T-28)', async () => {
    await withFiles({ 'etc/containers/registries.conf': CONF }, async (places) => {
      const first = 'mirror insecure first.example/cache/debian';
      const home = 'mirror.example/hub/debian';
      assert.deepEqual(await ask(places, 'debian:12'), [first, home]);
      const second = 'mirror second.example/debian';
      assert.deepEqual(await ask(places, `debian@${DIGEST}`), [first, second, home]);
      assert.deepEqual(await ask(places, 'other/app'), ['docker.io/other/app']);
      assert.deepEqual(await ask(places, 'open.example/x'), ['insecure open.example/x']);
      assert.deepEqual(await ask(places, 'a.far.example/x/y'), ['near.example/x/y']);
      assert.deepEqual(await ask(places, 'closed.example/team/x'), []);
      assert.deepEqual(await ask(places, 'closed.example/teams/x'), ['closed.example/teams/x']);
    });
  });

  it('pushes to the registry itself, whatever mirrors there are', async () => {
    await withFiles({ 'etc/containers/registries.conf': CONF }, async (places) => {
      assert.deepEqual(await ask(places, 'debian', 'pull,push'), ['docker.io/library/debian']);
      assert.deepEqual(await ask(places, 'open.example/x', 'pull,push'), [
        'insecure open.example/x',
      ]);
      assert.deepEqual(await ask(places, 'closed.example/team/x', 'pull,push'), []);
    });
  });

  it('takes the user’s file instead of the machine’s, and files that add to it; a variable’s alone', async () => {
    const rule = (prefix: string, location: string): string =>
      `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`;
    const files = {
      'etc/containers/registries.conf': rule('a.example', 'machine.example'),
      'home/.config/containers/registries.conf': rule('b.example', 'user.example'),
      'etc/containers/registries.conf.d/1.conf': rule('c.example', 'first.example'),
      'etc/containers/registries.conf.d/2.conf': rule('c.example', 'second.example'),
      'etc/containers/registries.conf.d/3.txt': 'not one of them',
      'named.conf': rule('a.example', 'named.example'),
    };
    await withFiles(files, async (places, directory) => {
      assert.deepEqual(await ask(places, 'a.example/x'), ['a.example/x']);
      assert.deepEqual(await ask(places, 'b.example/x'), ['user.example/x']);
      assert.deepEqual(await ask(places, 'c.example/x'), ['second.example/x']);
      const named = { CONTAINERS_REGISTRIES_CONF: join(directory, 'named.conf') };
      const environment = { ...places.environment, ...named };
      const all = ['a.example/x', 'b.example/x', 'c.example/x'];
      const asked = await Promise.all(all.map((name) => ask({ ...places, environment }, name)));
      assert.deepEqual(asked.flat(), ['named.example/x', 'b.example/x', 'c.example/x']);
    });
  });

  it('follows daemon.json: mirrors of the hub alone, insecure registries and networks (T-28)', async () => {
    const settings = {
      'registry-mirrors': ['https://hub.example/', 'http://plain.example:5000', 'nonsense'],
      'insecure-registries': ['old.example:5000', '10.0.0.0/8'],
    };
    await withFiles({ 'etc/docker/daemon.json': JSON.stringify(settings) }, async (places) => {
      assert.deepEqual(await ask(places, 'debian'), [
        'mirror hub.example/library/debian',
        'mirror plain plain.example:5000/library/debian',
        'docker.io/library/debian',
      ]);
      assert.deepEqual(await ask(places, 'old.example:5000/x'), ['insecure old.example:5000/x']);
      assert.deepEqual(await ask(places, 'old.example/x'), ['old.example/x']);
      assert.deepEqual(await ask(places, '10.1.2.3:5000/x'), ['insecure 10.1.2.3:5000/x']);
      assert.deepEqual(await ask(places, '11.1.2.3:5000/x'), ['11.1.2.3:5000/x']);
    });
  });

  it('takes registries of a flag for insecure', async () => {
    const places = { insecureRegistries: ['r.example', '10.0.0.0/8'] };
    assert.deepEqual(await ask(places, 'r.example/x', 'pull,push'), ['insecure r.example/x']);
    assert.deepEqual(await ask(places, '10.9.9.9/x'), ['insecure 10.9.9.9/x']);
  });

  const broken = {
    'etc/containers/registries.conf': 'a = "hush"\n[[registry]\n',
    'etc/docker/daemon.json': '{"hush":',
  };
  for (const [name, text] of Object.entries(broken)) {
    it(`rejects ${name} that is not well formed, and tells nothing of it`, async () => {
      await withFiles({ [name]: text }, async (places) => {
        await assert.rejects(ask(places, 'debian'), (error) => {
          assert.ok(error instanceof Error);
          assert.match(
            error.message,
            new RegExp(`Cannot read the registry settings in ".*${name}"`),
          );
          assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /hush/);
          return true;
        });
      });
    });
  }
});

describe('openSettings().tls()', () => {
  it('takes the first directory that a host has in certs.d', async () => {
    const files = {
      'etc/docker/certs.d/r.example:5000/ca.crt': 'docker',
      'etc/containers/certs.d/r.example:5000/ca.crt': 'containers',
      'etc/containers/certs.d/r.example:5000/more.crt': 'more',
      'etc/docker/certs.d/docker.io/client.cert': 'certificate',
      'etc/docker/certs.d/docker.io/client.key': 'key',
      'etc/docker/certs.d/bad.example/client.cert': 'certificate',
    };
    await withFiles(files, async (places) => {
      const { tls } = openSettings(places);
      assert.deepEqual(await tls('r.example:5000'), {
        ca: ['containers', 'more'],
        cert: undefined,
        key: undefined,
      });
      assert.deepEqual(await tls('registry-1.docker.io'), {
        ...{ ca: [], cert: 'certificate', key: 'key' },
      });
      assert.equal(await tls('r.example'), undefined);
      await assert.rejects(tls('bad.example'), { code: 'ERR_USAGE' });
    });
  });
});

describe('credentialStore()', () => {
  const login = (user: string): object => ({
    auth: Buffer.from(`${user}:x`).toString('base64'),
  });
  const config = (auths: Readonly<Record<string, object>>): string => JSON.stringify({ auths });

  async function userOf(places: SettingsPlaces, name: string): Promise<string> {
    const found = await credentialStore(credentialFiles(places)).find(parseReference(name), signal);
    return found.kind === 'password' ? found.user : found.kind;
  }

  it('asks the variables first, then docker’s file, then podman’s (T-28)', async () => {
    const files = {
      'named.json': config({ 'a.example': login('named') }),
      'docker/config.json': config({ 'a.example': login('docker'), 'b.example': login('docker') }),
      'run/containers/auth.json': config({
        'b.example': login('podman'),
        'c.example': login('podman'),
      }),
      'home/.config/containers/auth.json': config({ 'd.example': login('home') }),
    };
    await withFiles(files, async (places, directory) => {
      const environment = {
        ...places.environment,
        XDG_RUNTIME_DIR: join(directory, 'run'),
        REGISTRY_AUTH_FILE: join(directory, 'named.json'),
        DOCKER_AUTH_CONFIG: config({ 'e.example': login('text') }),
      };
      const all = { ...places, environment, dockerConfig: join(directory, 'docker') };
      const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((host) => `${host}.example/x`);
      const users = await Promise.all(names.map((name) => userOf(all, name)));
      assert.deepEqual(users, ['named', 'docker', 'podman', 'home', 'text', 'anonymous']);
    });
  });

  it('finds the login of the longest namespace in auth.json', async () => {
    const text = config({
      'r.example': login('host'),
      'r.example/team': login('team'),
      'r.example/team/app': login('app'),
      'https://index.docker.io/v1/': login('hub'),
      'docker.io/library': login('library'),
      'v1.example/v1/': login('old'),
    });
    await withFiles({ 'home/.config/containers/auth.json': text }, async (places) => {
      const names = {
        'r.example/team/app': 'app',
        'r.example/team/other': 'team',
        'r.example/teams/app': 'host',
        debian: 'library',
        'someone/app': 'hub',
        'v1.example/x': 'old',
      };
      for (const [name, user] of Object.entries(names)) {
        assert.equal(await userOf(places, name), user, name);
      }
    });
  });
});
