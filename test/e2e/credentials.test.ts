/** Whatever a login is and whatever becomes of it: nobody can read it afterwards, anywhere. */

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { hostPlatform } from '../../src/oci/platform.ts';
import { makeImage } from '../support/image.ts';
import { startProxy } from '../support/proxy.ts';
import {
  REFRESH_TOKEN,
  type RegistryOptions,
  startRegistry,
  type TestRegistry,
} from '../support/registry.ts';
import { type Ended, runWith } from '../support/run-command.ts';
import { withDirectory } from '../support/temporary.ts';

const PASSWORD = 'Hush-pa55word';
const WRONG = 'Wr0ng-pa55word';
const SIGNATURE = 'signature=hush';

type Variables = Readonly<Record<string, string>>;

interface Place {
  /** What the registry is called in names. */
  readonly host: string;
  readonly password: string;
  /** For files with logins. */
  readonly folder: string;
}

interface Login {
  readonly title: string;
  readonly auth: NonNullable<RegistryOptions['auth']>;
  /** Logs in, by files or variables. */
  readonly logIn: (place: Place) => Promise<Variables>;
  /** With every command, which takes a while. */
  readonly isWhole: boolean;
  /** Nothing but the proxy leads to the registry. */
  readonly isProxied?: boolean;
}

const auths = ({ host, password }: Place): string =>
  JSON.stringify({ auths: { [host]: { auth: encode(`ann:${password}`) } } });

const LOGINS: readonly Login[] = [
  ...(['basic', 'bearer'] as const).map((auth) => ({
    title: `a password of docker's config.json, ${auth}`,
    auth,
    isWhole: auth === 'bearer',
    logIn: async (place: Place) => await dockerConfig(place, auths(place)),
  })),
  {
    title: 'a password of podman’s auth.json',
    auth: 'bearer',
    isWhole: false,
    logIn: async (place) => {
      const REGISTRY_AUTH_FILE = join(place.folder, 'auth.json');
      await writeFile(REGISTRY_AUTH_FILE, auths(place));
      return { REGISTRY_AUTH_FILE };
    },
  },
  {
    title: 'a password in DOCKER_AUTH_CONFIG',
    auth: 'basic',
    isWhole: false,
    logIn: async (place) => await Promise.resolve({ DOCKER_AUTH_CONFIG: auths(place) }),
  },
  {
    title: 'an identity token',
    auth: 'bearer',
    isWhole: false,
    logIn: async (place) => {
      const identitytoken = place.password === PASSWORD ? REFRESH_TOKEN : place.password;
      return await dockerConfig(
        place,
        JSON.stringify({ auths: { [place.host]: { identitytoken } } }),
      );
    },
  },
  {
    title: 'a password of a credential helper',
    auth: 'bearer',
    isWhole: false,
    logIn: async (place) => {
      const helper = join(place.folder, 'docker-credential-test');
      const answer = JSON.stringify({ Username: 'ann', Secret: place.password });
      await writeFile(helper, `#!/bin/sh\ncat >/dev/null\necho '${answer}'\n`);
      await chmod(helper, 0o755);
      const PATH = `${place.folder}${delimiter}${process.env['PATH']}`;
      const config = JSON.stringify({ credHelpers: { [place.host]: 'test' } });
      return { PATH, ...(await dockerConfig(place, config)) };
    },
  },
  {
    title: 'a password, through a proxy with another',
    auth: 'bearer',
    isWhole: false,
    isProxied: true,
    logIn: async (place) => await dockerConfig(place, auths(place)),
  },
];

describe('credentials', function () {
  this.timeout(60_000);

  for (const login of LOGINS) {
    it(`are nowhere after pulls and pushes: ${login.title}`, async () => {
      const registry = await startRegistry({ auth: login.auth, user: 'ann', password: PASSWORD });
      const proxy = await startProxy(() => Number(registry.host.split(':')[1]));
      try {
        const { os, architecture } = hostPlatform(process.arch);
        registry.add('base', '1', await makeImage({ platform: { os, architecture } }));
        await withDirectory(async (logins) => {
          await withDirectory(async (folder) => {
            const host = login.isProxied === true ? 'registry.test' : registry.host;
            const there = { folder: logins, host };
            const proxies: Variables =
              login.isProxied === true ? { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url } : {};
            const run = async (password: string, ...argv: readonly string[]): Promise<Ended> => {
              const found = await login.logIn({ ...there, password });
              const variables = { TSBUILD_DEBUG: '1', ...proxies, ...found };
              return await runWith(variables, folder, ...argv);
            };
            const said = await useLogins(run, { folder, host, registry, isBrief: !login.isWhole });
            await assertNowhere([folder], said, secretsOf(registry));
          });
        });
      } finally {
        await proxy.close();
        await registry.close();
      }
    });
  }
});

/** Commands that speak with a registry, to their end or not; everything that is written. Briefly: a few of them. */
async function useLogins(
  run: (password: string, ...argv: readonly string[]) => Promise<Ended>,
  {
    folder,
    host,
    registry,
    isBrief,
  }: {
    readonly folder: string;
    readonly host: string;
    readonly registry: TestRegistry;
    readonly isBrief: boolean;
  },
): Promise<string> {
  const said: string[] = [];
  const must = async (code: number, password: string, ...argv: readonly string[]) => {
    const ended = await run(password, ...argv, '--insecure-registry', host);
    assert.equal(ended.code, code, `${argv.join(' ')}\n${ended.stderr}`);
    said.push(ended.stdout, ended.stderr);
  };
  const context = async (name: string, text: string): Promise<string> => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'Dockerfile'), text);
    return join(folder, name);
  };
  const good = await context('good', `FROM ${host}/base:1\nCOPY Dockerfile /\n`);
  const bad = await context('bad', `FROM ${host}/none:1\n`);
  const app = `${host}/app:1`;
  const outputs = ['type=oci,dest=oci.tar', 'type=local,dest=files', 'type=tar,dest=files.tar'];

  registry.faults.redirect = true;
  await must(3, WRONG, good);
  if (!isBrief) {
    registry.faults.wrongBytes = true;
    await must(3, PASSWORD, '-o', 'type=tar,dest=never.tar', good);
    registry.faults.wrongBytes = false;
  }
  await must(
    0,
    PASSWORD,
    ...['--push', '-t', app, ...outputs.flatMap((output) => ['-o', output])],
    ...['--metadata-file=metadata.json', '--iidfile=id', '--provenance=mode=max', '--sbom=true'],
    good,
  );
  registry.faults.claim = `sha256:${'0'.repeat(64)}`;
  await must(3, PASSWORD, 'push', app, `${host}/claimed:1`);
  if (isBrief) return said.join('\n');
  delete registry.faults.claim;
  await must(3, PASSWORD, bad);
  await must(0, PASSWORD, '-o', 'type=docker,dest=docker.tar', '-t', app, good);
  await must(3, WRONG, 'push', app, `${host}/denied:1`);
  await must(0, PASSWORD, 'push', 'oci:oci.tar', `${host}/moved:1`);
  const doctor = await run(PASSWORD, 'doctor');
  return [...said, doctor.stdout, doctor.stderr].join('\n');
}

/** Everything that came with a request, and everything that it was made of. */
function secretsOf({ requests }: TestRegistry): readonly string[] {
  const sent = requests.map(({ headers }) => /^\w+ (.*)$/.exec(headers.authorization ?? '')?.[1]);
  const known = sent.filter((value) => value !== undefined);
  assert.ok(known.length > 0, 'somebody was logged in');
  const users = [PASSWORD, WRONG].map((password) => encode(`ann:${password}`));
  const proxy = ['pr0xy', encode('me:pr0xy')];
  const all = [...known, ...users, ...proxy, PASSWORD, WRONG, REFRESH_TOKEN, SIGNATURE];
  return [...new Set(all)];
}

async function assertNowhere(
  folders: readonly string[],
  said: string,
  secrets: readonly string[],
): Promise<void> {
  const texts = new Map([['what was said', said]]);
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      texts.set(path, await readFile(path, 'latin1'));
    }
  }
  const names = [...texts.keys()].join('\n');
  for (const name of ['metadata.json', 'id', 'oci.tar', 'files.tar', 'files/Dockerfile']) {
    assert.ok(names.includes(name), name);
  }
  assert.match(names, /\/store\/.*\/store\//s);
  for (const [path, text] of texts) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `"${secret}" is in ${path}`);
  }
}

async function dockerConfig({ folder }: Place, text: string): Promise<Variables> {
  await writeFile(join(folder, 'config.json'), text);
  return { DOCKER_CONFIG: folder };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}
