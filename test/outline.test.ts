import assert from 'node:assert/strict';
import {
  type BuildOptions,
  hasCode,
  outline,
  type OutlineArg,
  targets,
  type TargetsResult,
} from '../src/index.ts';
import { makeImage } from './support/image.ts';
import { inContext } from './support/in-context.ts';
import { startRegistry } from './support/registry.ts';

/** `name=value (description) line` of each. */
async function argsOf(dockerfile: string, more?: Partial<BuildOptions>): Promise<string[]> {
  const { args } = await inContext(dockerfile, outline, more);
  return args.map(
    ({ name, value, description, range }: OutlineArg) =>
      `${name}=${value}${description === '' ? '' : ` (${description})`} ${range.start.line}`,
  );
}

const WHOLE = `ARG one=scr
# two completes the name
ARG two="atch"
ARG base=\${one}\${two}
ARG unused=\${one}

FROM $base AS tools
# level says how much
# of it
ARG level=3 other
ARG TARGETARCH
RUN --mount=type=secret,id=key,required --mount=type=ssh make
RUN --mount=type=secret,id=key --mount=type=cache,target=/root/.cache make

# app is what people run
FROM scratch AS app
ARG unused
# mine is of the target
ARG mine
COPY --from=tools /bin/make /
RUN --mount=type=cache,id=npm,target=/n --mount=type=ssh,id=deploy make

FROM scratch
ARG last=1
`;

describe('outline', () => {
  it('lists the ARGs of the target and of what it needs, with values and places (OPT-3, DIR-9)', async () => {
    assert.deepEqual(await argsOf(WHOLE, { target: 'app' }), [
      'one=scr 1',
      'two=atch (completes the name) 3',
      'base=scratch 4',
      'unused=scr 5',
      'level=3 (says how much) 10',
      'other= 10',
      'mine= (is of the target) 19',
    ]);
    assert.deepEqual(await argsOf(WHOLE), ['last=1 24']);
  });

  it('has given values, and none of what their defaults are made of', async () => {
    const buildArgs = { base: 'scratch', level: '9', TARGETARCH: 'z80' };
    assert.deepEqual(await argsOf(WHOLE, { target: 'tools', buildArgs }), [
      'base=scratch 4',
      'level=9 (says how much) 10',
      'other= 10',
      'TARGETARCH=z80 11',
    ]);
  });

  it('has the declaration of a stage for an ARG that is also global', async () => {
    const text = '# x is global\nARG x=1\nFROM scratch\n# x is own\nARG x\nARG y=$x\n';
    assert.deepEqual(await argsOf(text), ['x=1 (is global) 2', 'y=1 6']);
    assert.deepEqual(await argsOf(text, { buildArgs: { x: '2' } }), ['x=2 (is own) 5', 'y=2 6']);
  });

  it('ends where an ARG is made of itself', async () => {
    assert.deepEqual(await argsOf('ARG b=scratch\nARG b=${b}\nFROM $b\n'), ['b=scratch 2']);
  });

  it('lists secrets, SSH agents and caches', async () => {
    const result = await inContext(WHOLE, outline, { target: 'app' });
    assert.deepEqual([result.name, result.description], ['app', 'is what people run']);
    assert.deepEqual(
      result.secrets.map(({ name, isRequired, range }) => [name, isRequired, range.start.line]),
      [['key', true, 12]],
    );
    assert.deepEqual(
      result.ssh.map(({ name, isRequired, range }) => [name, isRequired, range.start.line]),
      [
        ['default', false, 12],
        ['deploy', false, 21],
      ],
    );
    assert.deepEqual(
      result.caches.map(({ id, range }) => [id, range.start.line]),
      [
        ['/root/.cache', 13],
        ['npm', 21],
      ],
    );
  });

  it('reads what the base image sets and triggers, and no layer of it', async () => {
    const registry = await startRegistry();
    try {
      const config = { Env: ['FLAVOR=sweet'], OnBuild: ['ARG taste=$FLAVOR'] };
      registry.add('base', '1', await makeImage({ config }));
      const text = `FROM ${registry.host}/base:1\nARG more=very-$FLAVOR\n`;
      assert.deepEqual(await argsOf(text, { platform: 'linux/amd64' }), [
        'taste=sweet 1',
        'more=very-sweet 2',
      ]);
      const blobs = registry.log.filter((line) => line.includes('/blobs/'));
      assert.equal(blobs.length, 1, 'the config alone');
    } finally {
      await registry.close();
    }
  });

  it('lists what the file says where a base image cannot be looked at', async () => {
    const text = 'FROM localhost:1/a\nARG b=c-$d\nRUN --mount=type=secret,id=e true\n';
    const { args, secrets, unseenImages } = await inContext(text, outline);
    assert.deepEqual(
      [...args, ...secrets, ...unseenImages].map((each) =>
        'image' in each ? each.image : each.name,
      ),
      ['b', 'e', 'localhost:1/a:latest'],
    );
  });

  it('rejects with what a build would fail with', async () => {
    await assert.rejects(inContext('FROM scratch\nODD\n', outline), (error) =>
      hasCode(error, 'ERR_INSTRUCTION_INVALID'),
    );
    await assert.rejects(inContext(WHOLE, outline, { target: 'ap' }), (error) =>
      hasCode(error, 'ERR_STAGE_UNKNOWN'),
    );
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(inContext(WHOLE, outline, { signal }), /enough/);
  });
});

describe('targets', () => {
  it('lists the stages as written, and asks nobody about images (OPT-3, DIR-9)', async () => {
    const text =
      'ARG v=1\n# Build compiles\nFROM --platform=$BUILDPLATFORM registry.invalid/go:$v AS Build\n' +
      '# build compiles it all\nFROM build AS build\n# nobody\nFROM scratch\n';
    const { targets: listed, file, source }: TargetsResult = await inContext(text, targets);
    assert.deepEqual([file, source], ['Dockerfile', text]);
    assert.deepEqual(
      listed.map(({ range, ...target }) => ({ ...target, line: range.start.line })),
      [
        {
          name: 'build',
          isDefault: false,
          description: '',
          base: 'registry.invalid/go:$v',
          platform: '$BUILDPLATFORM',
          line: 3,
        },
        {
          name: 'build',
          isDefault: false,
          description: 'compiles it all',
          base: 'build',
          platform: undefined,
          line: 5,
        },
        {
          name: undefined,
          isDefault: true,
          description: '',
          base: 'scratch',
          platform: undefined,
          line: 7,
        },
      ],
    );
  });

  it('rejects a file that does not parse', async () => {
    await assert.rejects(inContext('FROM\n', targets), (error) =>
      hasCode(error, 'ERR_INSTRUCTION_INVALID'),
    );
  });
});
