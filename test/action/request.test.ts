import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { INPUTS } from '../../src/action/inputs.ts';
import { readRequest } from '../../src/action/request.ts';
import { hasCode, TsbuildError } from '../../src/index.ts';
import { createTestRunner } from '../support/action-runner.ts';
import { withDirectory } from '../support/temporary.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';

/** What a step with these inputs asks for. */
async function read(
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
) {
  return await withDirectory(async (folder) => {
    const runner = await createTestRunner(folder);
    return await readRequest({ HOME: folder, ...runner.environment(inputs), ...env });
  });
}

function textsOf(secrets: Readonly<Record<string, Uint8Array>> | undefined) {
  const entries = Object.entries(secrets ?? {});
  return Object.fromEntries(entries.map(([id, bytes]) => [id, Buffer.from(bytes).toString()]));
}

describe('action.yml', () => {
  it('declares the inputs that are read, the outputs that are set, and the file that is built', async () => {
    const action = parse(await readFile('action.yml', 'utf8')) as {
      readonly inputs: object;
      readonly outputs: object;
      readonly runs: object;
    };
    assert.deepEqual(Object.keys(action.inputs), [...INPUTS.keys()]);
    assert.deepEqual(Object.keys(action.outputs), ['imageid', 'digest', 'metadata']);
    assert.deepEqual(action.runs, { using: 'node24', main: 'dist/action.mjs' });
  });
});

describe('readRequest() of an action', () => {
  it('takes the workspace for the context, not the repository (ACT-3)', async () => {
    const { options, call } = await read({ 'github-token': 'ghs_token' });
    assert.equal(options.context, '.');
    assert.deepEqual(options.secrets, {});
    assert.deepEqual(call, { kind: 'build' });
  });

  it('takes {{defaultContext}} for the repository at the commit of the event, with the token (ACT-3, ACT-4)', async () => {
    const { options } = await read({
      context: '{{defaultContext}}:app',
      'build-contexts': 'docs={{ defaultContext }}:docs',
      'github-token': 'ghs_token',
    });
    assert.equal(options.context, `https://github.com/me/app.git#${SHA}:app`);
    assert.deepEqual(options.buildContexts, { docs: `https://github.com/me/app.git#${SHA}:docs` });
    assert.deepEqual(textsOf(options.secrets), { 'GIT_AUTH_TOKEN.github.com': 'ghs_token' });
  });

  it('takes the head of a pull request where that is asked for (ACT-3)', async () => {
    await withDirectory(async (folder) => {
      const event = join(folder, 'event.json');
      await writeFile(event, JSON.stringify({ pull_request: { head: { sha: 'feedface' } } }));
      const env = { GITHUB_EVENT_PATH: event, DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF: 'true' };
      const { options } = await read({ context: '{{defaultContext}}' }, env);
      assert.equal(options.context, 'https://github.com/me/app.git#feedface');
    });
  });

  it('gives the token to no other repository, and not beside a token of the user (ACT-4)', async () => {
    const other = 'https://github.com/me/app.git.example/x.git';
    for (const inputs of [
      { context: other },
      { context: '{{defaultContext}}', secrets: 'GIT_AUTH_TOKEN=mine' },
    ]) {
      const { options } = await read({ ...inputs, 'github-token': 'ghs_token' });
      assert.ok(!Object.values(textsOf(options.secrets)).includes('ghs_token'));
    }
  });

  it('reads lists as build-push-action does (ACT-2)', async () => {
    const { options } = await read({
      'add-hosts': 'a:10.0.0.1,b:10.0.0.2',
      annotations: 'index:a=b, c\n"d=say ""hi"""',
      'build-args': 'A=1,2\nB=#3',
      labels: 'x=1\ny=a=b',
      'no-cache-filters': 'one,two\nthree',
      outputs: 'type=oci,"dest=a,b.tar"\ntype=cacheonly',
      platforms: 'linux/amd64,linux/arm64\nlinux/386',
      tags: 'me/app:1,me/app:2\nghcr.io/me/app:3',
      ulimit: 'nofile=10:20\nnproc=5',
    });
    assert.deepEqual(options.addHosts, ['a:10.0.0.1', 'b:10.0.0.2']);
    assert.deepEqual(options.annotations, ['index:a=b, c', 'd=say "hi"']);
    assert.deepEqual(options.buildArgs, { A: '1,2', B: '#3' });
    assert.deepEqual(options.labels, { x: '1', y: 'a=b' });
    assert.deepEqual(options.noCacheFilter, ['one', 'two', 'three']);
    assert.deepEqual(options.outputs, ['type=oci,"dest=a,b.tar"', 'type=cacheonly']);
    assert.equal(options.platform, 'linux/amd64,linux/arm64,linux/386');
    assert.deepEqual(options.tags, ['me/app:1', 'me/app:2', 'ghcr.io/me/app:3']);
    assert.deepEqual(options.ulimits, ['nofile=10:20', 'nproc=5']);
  });

  it('reads single values and switches by the flags of the command', async () => {
    const { options } = await read({
      context: 'app',
      file: 'app/other.Dockerfile',
      target: 'one',
      network: 'none',
      'shm-size': '64m',
      'cgroup-parent': '/builds',
      'no-cache': 'true',
      push: 'true',
      load: 'false',
      pull: 'true',
    });
    const { context, dockerfile, target, network, shmSize, cgroupParent, noCache } = options;
    assert.deepEqual([context, dockerfile, target], ['app', 'app/other.Dockerfile', 'one']);
    assert.deepEqual([network, shmSize, cgroupParent], ['none', 64 * 1024 ** 2, '/builds']);
    assert.deepEqual([noCache, options.push, options.load], [true, true, undefined]);
  });

  it('names the run as the builder, and takes an input before an item of attests (ACT-5)', async () => {
    const run = 'https://github.com/me/app/actions/runs/42/attempts/1';
    const asked = async (inputs: Readonly<Record<string, string>>) => {
      const { provenance, sbom, attests } = (await read(inputs)).options;
      return { provenance, sbom, attests };
    };
    const attests = 'type=provenance,mode=max\ntype=sbom,generator=x';
    assert.deepEqual(await asked({ provenance: 'mode=min', attests }), {
      provenance: `mode=min,builder-id=${run}`,
      sbom: undefined,
      attests: ['type=sbom,generator=x'],
    });
    const { provenance, sbom } = await asked({ provenance: 'true', sbom: 'true' });
    assert.deepEqual([provenance, sbom], [`builder-id=${run}`, 'true']);
    for (const given of ['false', 'mode=max,builder-id=me', 'disabled=true']) {
      assert.equal((await asked({ provenance: given })).provenance, given);
    }
  });

  it('attests nothing that is not asked for (ACT-5)', async () => {
    const { options } = await read({ push: 'true', tags: 'me/app' });
    const { provenance, sbom, attests = [] } = options;
    assert.deepEqual([provenance, sbom, attests], [undefined, undefined, []]);
  });

  it('takes a context that looks like a flag for a directory', async () => {
    const { options } = await read({ context: '--push' });
    assert.deepEqual([options.context, options.push], ['--push', undefined]);
  });

  it('reads secrets from values, variables and files', async () => {
    await withDirectory(async (folder) => {
      const file = join(folder, 'a,b"c');
      await writeFile(file, 'from a file');
      const { options, warnings } = await read(
        {
          secrets: 'one=a=b,c\n"two=line 1\nline ""2"""\nnone=',
          'secret-envs': 'three=MY_VARIABLE',
          'secret-files': `"four=${file.replaceAll('"', '""')}"`,
        },
        { MY_VARIABLE: 'from the environment' },
      );
      assert.deepEqual(textsOf(options.secrets), {
        one: 'a=b,c',
        two: 'line 1\nline "2"',
        three: 'from the environment',
        four: 'from a file',
      });
      assert.deepEqual(warnings, ['The secret "none" is empty: the build does not get it']);
    });
  });

  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    [
      'an input that is not served yet',
      { 'cache-from': 'type=gha' },
      /\(the input "cache-from"\)$/,
    ],
    ['a switch that is neither', { push: 'yes' }, /"yes".*\(the input "push"\)$/],
    ['a size that is none', { tags: 'a', 'shm-size': 'big' }, /"big".*\(the input "shm-size"\)$/],
    ['a context without a source', { 'build-contexts': 'a' }, /\(the input "build-contexts"\)$/],
    ['an unknown call', { call: 'lint-it' }, /"lint-it".*\(the input "call"\)$/],
    [
      'a secret file that is not there',
      { 'secret-files': 'x=none' },
      /\(the input "secret-files"\)$/,
    ],
    [
      'a quote that is not closed',
      { secrets: '"a=hunter22' },
      /not closed \(the input "secrets"\)$/,
    ],
    ['a secret without a name', { secrets: 'hunter22' }, /input "secrets": it is not ID=VALUE$/],
    ['standard input as context', { context: '-' }, /"-" as context/],
  ];
  for (const [what, inputs, message] of refusals) {
    it(`refuses ${what}, by name`, async () => {
      await assert.rejects(read(inputs), (error) => {
        assert.ok(error instanceof TsbuildError, String(error));
        assert.match(error.message, message);
        assert.ok(!`${error.message}${error.hint}`.includes('hunter22'));
        return true;
      });
    });
  }

  it('warns of a builder, which nobody needs', async () => {
    const { warnings } = await read({ builder: 'mine' });
    assert.deepEqual(warnings, ['The flag "--builder" has no effect here']);
  });

  it('refuses {{defaultContext}} outside of a workflow', async () => {
    await assert.rejects(
      read({ context: '{{defaultContext}}' }, { GITHUB_REPOSITORY: '' }),
      (error) => hasCode(error, 'ERR_USAGE'),
    );
  });
});
