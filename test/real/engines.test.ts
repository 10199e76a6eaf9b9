/** Every kind of output, taken by who reads it: dockerd, podman and Buildah load or pull it, and it runs. */

import assert from 'node:assert/strict';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { checkLayout } from '../support/check.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockerd, startDockerd } from '../support/dockerd.ts';
import { itUnless, missing } from '../support/missing.ts';

const whyNot =
  whyNoAccount('root') ??
  missing(
    'busybox',
    'dockerd',
    'docker',
    'podman',
    'buildah',
    'runc',
    'skopeo',
    'umoci',
    'docker-registry',
  );
const test = itUnless(whyNot);

const DOCKERFILE = `FROM base
RUN echo made by a step > /made
COPY --chown=1234:2345 file /home/file
LABEL kind=test
CMD ["sh", "-c", "cat /made; stat -c %u:%g /home/file"]
`;
const SAYS = 'made by a step\n1234:2345\n';
/** Without networks, and with what limits and control groups any machine has: these are not the question. */
const RUN = {
  docker: ['run', '--rm', '--network=none'],
  podman: [
    ...['--runtime=runc', '--cgroup-manager=cgroupfs', 'run', '--rm', '--network=none'],
    ...['--ulimit=nofile=1000', '--ulimit=nproc=1000'],
  ],
} as const;
/** Whatever socket the machine's own docker has. */
const HIDE = 'mount -t tmpfs none /run && exec "$@"';
const COMPRESSIONS = ['gzip', 'zstd', 'uncompressed'] as const;
/** Without RUN: for platforms that nothing here emulates. */
const COPIES = `FROM base
COPY --chown=1234:2345 file /home/file
LABEL kind=test
CMD ["stat", "-c", "%u:%g", "/home/file"]
`;
const COPIES_SAY = '1234:2345\n';
const BOTH = `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'},linux/s390x`;
/** Images that are more than a manifest and its layers; the last is made of parts. */
const FORMS: Readonly<Record<string, readonly string[]>> = {
  annotated: ['--annotation', 'a=b', '--annotation', 'manifest-descriptor:c=d'],
  several: ['--platform', BOTH, '--annotation', 'index,index-descriptor,manifest:e=f'],
  attested: ['--provenance=mode=max', '--sbom=true'],
  'several-attested': ['--platform', BOTH, '--provenance=true', '--sbom=true'],
  created: [],
};

describe('engines', function () {
  this.timeout(300_000);

  let account: Account;
  let dockerd: Dockerd | undefined;
  let registry: DockerRegistry | undefined;
  let env: Readonly<Record<string, string>> = {};
  const at = (name: string): string => join(account.home, name);

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    await busyboxBase(account);
    const storage = `[storage]\ndriver="vfs"\ngraphroot="${at('graph')}"\nrunroot="${at('run')}"\n`;
    await writeFile(at('storage.conf'), storage);
    env = { CONTAINERS_STORAGE_CONF: at('storage.conf') };
    dockerd = await startDockerd(account.home);
    env = { ...env, DOCKER_HOST: dockerd.address };
    await mkdir(at('context'));
    await writeFile(at('context/file'), 'text');
    await writeFile(at('context/Dockerfile'), DOCKERFILE);
    await build(
      '-t',
      'app:v1',
      ...COMPRESSIONS.flatMap((kind) => {
        const rest = `compression=${kind},force-compression=true`;
        return [
          ...['-o', `type=docker,dest=${at(`docker-${kind}.tar`)},${rest}`],
          ...['-o', `type=oci,dest=${at(`oci-${kind}.tar`)},${rest}`],
        ];
      }),
      ...['-o', `type=oci,tar=false,dest=${at('layout')}`],
      ...['-o', `type=tar,dest=${at('files.tar')}`],
    );
    await makeForms();
  });
  after(async () => {
    if (whyNot !== undefined) return;
    try {
      // Without a storage of the test's own it would be the machine's.
      if ('CONTAINERS_STORAGE_CONF' in env) await must('podman', 'system', 'reset', '--force');
    } finally {
      await dockerd?.close();
      await registry?.close();
      await account.close();
    }
  });

  const build = async (...flags: readonly string[]): Promise<void> => {
    const all = ['--build-context', `base=oci-layout://${at('busybox')}`, ...flags, at('context')];
    const { code, stderr } = await account.tsbuild(all, env);
    assert.equal(code, 0, stderr);
  };
  /** Each as FORM.tar, and in the registry as FORM:v1. */
  const makeForms = async (): Promise<void> => {
    await writeFile(at('Copies'), COPIES);
    registry = await startDockerRegistry(account.home);
    const [node = '', tsbuild = ''] = account.command;
    const make = async (name: string, ...flags: readonly string[]): Promise<void> => {
      const output = ['-o', `type=oci,dest=${at(`${name}.tar`)}`];
      await build('-f', at('Copies'), '-t', 'app:v1', ...output, ...flags);
    };
    const created = ['-t', 'app:v1', '-o', `type=oci,dest=${at('created.tar')}`];
    for (const platform of BOTH.split(',')) {
      const part = platform.replace('/', '-');
      await make(part, '--platform', platform);
      created.push(at(`${part}.tar`));
    }
    for (const [form, flags] of Object.entries(FORMS)) {
      if (form === 'created') await must(node, tsbuild, 'index', 'create', ...created);
      else await make(form, ...flags);
      const name = `${registry.address}/${form}:v1`;
      await must(node, tsbuild, 'push', `oci:${at(`${form}.tar`)}`, name);
    }
  };
  const must = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await account.run(program, args, env);
    assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const runs = async (engine: 'docker' | 'podman', image: string, says = SAYS): Promise<void> => {
    assert.equal(await must(engine, ...RUN[engine], image), says);
    await must(engine, 'rmi', '--force', image);
  };

  for (const kind of COMPRESSIONS) {
    // Debian's is older than the first that reads zstd.
    if (kind !== 'zstd') {
      test(`dockerd loads and runs type=docker in ${kind}`, async () => {
        await must('docker', 'load', '--quiet', '-i', at(`docker-${kind}.tar`));
        await runs('docker', 'app:v1');
      });
    }
    for (const type of ['docker', 'oci']) {
      test(`podman loads and runs type=${type} in ${kind}`, async () => {
        await must('podman', 'load', '--quiet', '-i', at(`${type}-${kind}.tar`));
        await runs('podman', 'docker.io/library/app:v1');
      });
      test(`Buildah builds on type=${type} in ${kind}`, async () => {
        const source = `${type}-archive:${at(`${type}-${kind}.tar`)}`;
        const container = (await must('buildah', 'from', source)).trim();
        const label = '{{index .OCIv1.Config.Labels "kind"}}';
        assert.equal(
          (await must('buildah', 'inspect', '--format', label, container)).trim(),
          'test',
        );
        await must('buildah', 'rm', container);
      });
    }
  }

  test('podman runs a layout that skopeo has copied', async () => {
    const image = 'localhost/layout:v1';
    await must('skopeo', 'copy', '-q', `oci:${at('layout')}:v1`, `containers-storage:${image}`);
    await runs('podman', image);
  });

  for (const form of Object.keys(FORMS)) {
    const archive = (): string => `oci-archive:${at(`${form}.tar`)}:v1`;
    const name = (): string => `${registry?.address}/${form}:v1`;

    test(`skopeo copies all of an image that is ${form}, umoci unpacks what is for us`, async () => {
      await must('skopeo', 'copy', '-q', '--all', archive(), `oci:${at(`all-${form}`)}:v1`);
      const [entry] = await checkLayout(at(`all-${form}`));
      const raw = ['inspect', '--tls-verify=false', '--raw', `docker://${name()}`];
      assert.equal(digestOf(Buffer.from(await must('skopeo', ...raw))), entry?.digest);
      await must('skopeo', 'copy', '-q', archive(), `oci:${at(`one-${form}`)}:v1`);
      const bundle = at(`bundle-${form}`);
      await must('umoci', 'unpack', '--image', `${at(`one-${form}`)}:v1`, bundle);
      const { uid, gid } = await stat(join(bundle, 'rootfs/home/file'));
      assert.deepEqual([uid, gid], [1234, 2345]);
    });
    test(`podman loads, pulls and runs an image that is ${form}`, async () => {
      await must('podman', 'load', '--quiet', '-i', at(`${form}.tar`));
      await runs('podman', 'docker.io/library/app:v1', COPIES_SAY);
      await must('podman', 'pull', '--quiet', '--tls-verify=false', name());
      await runs('podman', name(), COPIES_SAY);
    });
    test(`Buildah builds on an image that is ${form}`, async () => {
      for (const source of [[archive()], ['--tls-verify=false', `docker://${name()}`]]) {
        const container = (await must('buildah', 'from', ...source)).trim();
        await must('buildah', 'rm', container);
      }
    });
    test(`dockerd pulls and runs an image that is ${form}`, async () => {
      await must('docker', 'pull', '--quiet', name());
      await runs('docker', name(), COPIES_SAY);
    });
  }

  for (const engine of ['docker', 'podman'] as const) {
    test(`${engine} imports the files of type=tar`, async () => {
      await must(engine, 'import', at('files.tar'), 'files:v1');
      const command = ['files:v1', '/bin/stat', '-c', '%u:%g', '/home/file'];
      assert.equal(await must(engine, ...RUN[engine], ...command), '1234:2345\n');
      await must(engine, 'rmi', '--force', 'files:v1');
    });
  }

  test('--load puts the image into dockerd, where DOCKER_HOST says it is (BXS-2)', async () => {
    await build('--load', '-t', 'loaded:v1', '-t', 'loaded:v2');
    await runs('docker', 'loaded:v1');
    await runs('docker', 'loaded:v2');
  });

  test('--load puts the image into podman where there is no docker (OUT-5)', async () => {
    const hidden = ['--mount', '--propagation', 'private', 'sh', '-c', HIDE, 'sh'];
    const flags = ['--build-context', `base=oci-layout://${at('busybox')}`, '--load'];
    const named = [...flags, '-t', 'loaded:v1', at('context')];
    const { DOCKER_HOST: _, ...podman } = env;
    const ended = await account.run('unshare', [...hidden, ...account.command, ...named], podman);
    assert.equal(ended.code, 0, ended.stderr);
    await runs('podman', 'docker.io/library/loaded:v1');
  });
});
