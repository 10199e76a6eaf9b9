/** Every kind of output, taken by who reads it: dockerd, podman and Buildah load it, and it runs. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { type Dockerd, startDockerd } from '../support/dockerd.ts';
import { itUnless, missing } from '../support/missing.ts';

const whyNot =
  whyNoAccount('root') ??
  missing('busybox', 'dockerd', 'docker', 'podman', 'buildah', 'runc', 'skopeo');
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

describe('engines', function () {
  this.timeout(300_000);

  let account: Account;
  let dockerd: Dockerd | undefined;
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
  });
  after(async () => {
    if (whyNot !== undefined) return;
    try {
      // Without a storage of the test's own it would be the machine's.
      if ('CONTAINERS_STORAGE_CONF' in env) await must('podman', 'system', 'reset', '--force');
    } finally {
      await dockerd?.close();
      await account.close();
    }
  });

  const build = async (...flags: readonly string[]): Promise<void> => {
    const all = ['--build-context', `base=oci-layout://${at('busybox')}`, ...flags, at('context')];
    const { code, stderr } = await account.tsbuild(all, env);
    assert.equal(code, 0, stderr);
  };
  const must = async (program: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await account.run(program, args, env);
    assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const runs = async (engine: 'docker' | 'podman', image: string): Promise<void> => {
    assert.equal(await must(engine, ...RUN[engine], image), SAYS);
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
