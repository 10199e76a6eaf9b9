import assert from 'node:assert/strict';
import { chown, link, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMount } from '../../parser/index.ts';
import { cacheKey, type JsonValue } from '../../cache/index.ts';
import type { RunStep } from '../../src/plan/step.ts';
import type { BaseImage } from '../../src/solve/layer.ts';
import { runRunner } from '../../src/solve/run.ts';
import type { SandboxOptions, StepContext } from '../../src/solve/step-context.ts';
import { itUnless } from '../support/missing.ts';
import { withSteps } from './step-fixture.ts';
import { stepOf } from './stage.ts';

const RUN: RunStep<BaseImage> = {
  kind: 'run',
  ...stepOf({ created_by: 'RUN' }),
  argv: ['/bin/sh', '-c', 'make'],
  env: [],
  proxyEnv: [],
  cwd: '/',
  user: '',
  network: 'default',
  security: 'sandbox',
  hostname: undefined,
  mounts: [],
  devices: [],
  script: undefined,
  platform: { os: 'linux', architecture: 'amd64' },
};

async function keyOf(step: RunStep<BaseImage>, context: StepContext): Promise<string> {
  const inputs = await runRunner(step, [], context, () => undefined).inputs();
  return cacheKey('run', JSON.parse(JSON.stringify(inputs)) as JsonValue);
}

/** The key of `RUN --mount=type=bind,source=b` in a context that `write` fills. */
async function keyWithBind(write: (directory: string) => Promise<void>): Promise<string> {
  let key = '';
  await withSteps(async ({ context, directory, write: writeFiles }) => {
    await writeFiles({ 'a/file': 'one', 'b/other': 'other' });
    await link(join(directory, 'a/file'), join(directory, 'b/link'));
    await write(directory);
    const mount = parseMount('type=bind,source=b,target=/b');
    const mounts = [{ mount, target: '/b', from: { kind: 'context' } as const }];
    key = await keyOf({ ...RUN, mounts }, context);
  });
  return key;
}

/** The key of a RUN with these fields, and none of the context. */
async function keyWithout(changes: Partial<RunStep<BaseImage>>): Promise<string> {
  let key = '';
  await withSteps(async ({ context }) => {
    key = await keyOf({ ...RUN, ...changes }, context);
  });
  return key;
}

describe('the inputs of a RUN', () => {
  it('have the script of a heredoc (HD-9)', async () => {
    const [one, two] = ['one', 'two'].map((content) => ({ path: '/dev/pipes/S', content }));
    assert.notEqual(await keyWithout({ script: one }), await keyWithout({ script: two }));
  });

  it('have ARGs, but not proxies that nothing declares (VAR-12, ARG-7)', async () => {
    const key = await keyWithout({ env: ['A=1'] });
    assert.notEqual(await keyWithout({ env: ['A=2'] }), key);
    assert.equal(await keyWithout({ env: ['A=1'], proxyEnv: ['http_proxy=http://p'] }), key);
  });

  it('have the name of the machine when one is given (ARG-8, OPT-2)', async () => {
    assert.notEqual(await keyWithout({ hostname: 'mine' }), await keyWithout({}));
  });

  describe('with a bind mount', () => {
    it('have the content of a hard link whose other name is not mounted (RUN-23, CR-5, CH-4)', async () => {
      const before = await keyWithBind(async () => undefined);
      const after = await keyWithBind(async (directory) => {
        await writeFile(join(directory, 'a/file'), 'two');
      });
      assert.notEqual(after, before);
    });

    it('are the same for equal files, linked or not, and for other times (CH-2, CH-4)', async () => {
      const before = await keyWithBind(async () => undefined);
      const after = await keyWithBind(async (directory) => {
        await rm(join(directory, 'b/link'));
        await writeFile(join(directory, 'b/link'), 'one');
        await utimes(join(directory, 'b/other'), 1, 1);
      });
      assert.equal(after, before);
    });
  });

  describe('with a mount of the whole context', () => {
    const keyWith = async (
      files: Readonly<Record<string, string>>,
      prepare = async (_directory: string): Promise<void> => undefined,
    ): Promise<string> => {
      let key = '';
      await withSteps(async ({ context, directory, write }) => {
        await write({ a: '1', '.dockerignore': 'x\n', ...files });
        await prepare(directory);
        const mount = parseMount('type=bind,target=/c');
        const mounts = [{ mount, target: '/c', from: { kind: 'context' } as const }];
        key = await keyOf({ ...RUN, mounts }, context);
      });
      return key;
    };
    it('have all of it, ignored files aside (RUN-14)', async () => {
      const key = await keyWith({});
      assert.equal(await keyWith({ x: 'ignored' }), key);
      assert.notEqual(await keyWith({ a: '2' }), key);
    });

    itUnless(process.getuid?.() === 0 ? undefined : 'needs root')(
      'have nothing of who owns the files (CH-3, CX-1)',
      async () => {
        const foreign = await keyWith({}, (directory) => chown(join(directory, 'a'), 12, 34));
        assert.equal(foreign, await keyWith({}));
      },
    );
  });

  describe('of the sandbox', () => {
    const keyWith = async (sandbox: Partial<SandboxOptions>): Promise<string> => {
      let key = '';
      await withSteps(async ({ context }) => {
        key = await keyOf(RUN, { ...context, sandbox: { ...context.sandbox, ...sandbox } });
      });
      return key;
    };

    it('have the size of /dev/shm, which commands can see (OPT-2, CR-2)', async () => {
      assert.notEqual(await keyWith({ shmSize: 1 << 20 }), await keyWith({}));
    });

    it('have the names of hosts in any order, not their addresses (CR-2, CR-3)', async () => {
      const key = await keyWith({ addHosts: ['a:192.0.2.1', 'b:192.0.2.2'] });
      assert.equal(await keyWith({ addHosts: ['b=192.0.2.3', 'a=192.0.2.1'] }), key);
      assert.notEqual(await keyWith({ addHosts: ['a:192.0.2.1'] }), key);
    });

    it('have the limits in any order, of one that is given twice the last (CR-2, CX-1)', async () => {
      const key = await keyWith({ ulimits: ['nofile=10', 'nproc=20:30'] });
      assert.equal(await keyWith({ ulimits: ['nproc=20:30', 'nofile=9', 'nofile=10'] }), key);
      assert.notEqual(await keyWith({ ulimits: ['nproc=20:30', 'nofile=10', 'nofile=9'] }), key);
    });

    it('have the names of devices as they are written, and what the command line gives (CR-2)', async () => {
      const devices = [{ name: 'vendor.com/gpu', required: false }];
      const key = await keyWithout({ devices });
      assert.notEqual(await keyWithout({}), key);
      assert.notEqual(
        await keyWithout({ devices: [{ name: 'vendor.com/npu', required: false }] }),
        key,
      );
      assert.notEqual(await keyWith({ hostDevices: ['/dev/fuse'] }), await keyWith({}));
    });

    it('have how a secret is mounted, whatever is in it (RUN-21)', async () => {
      const keyOfSecret = async (text: string, content: number): Promise<string> => {
        let key = '';
        await withSteps(async ({ context }) => {
          const mount = parseMount(`type=secret,${text}`);
          const mounts = [{ mount, target: '/run/secrets/key', from: undefined }];
          const secrets = new Map([['key', new Uint8Array([content])]]);
          const sandbox = { ...context.sandbox, secrets };
          key = await keyOf({ ...RUN, mounts }, { ...context, sandbox });
        });
        return key;
      };
      const key = await keyOfSecret('id=key', 1);
      assert.equal(await keyOfSecret('id=key', 2), key);
      for (const other of ['id=other', 'id=key,mode=0444', 'id=key,uid=1', 'id=key,gid=1']) {
        assert.notEqual(await keyOfSecret(other, 1), key, other);
      }
      assert.notEqual(await keyOfSecret('id=key,env=A', 1), await keyOfSecret('id=key,env=B', 1));
    });

    it('have nothing of secrets that are not mounted', async () => {
      const secrets = new Map([['key', new Uint8Array([1])]]);
      assert.equal(await keyWith({ secrets }), await keyWith({}));
    });
  });
});
