import assert from 'node:assert/strict';
import { parseDockerfile } from '../../parser/index.ts';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import type { BaseImage, NamedContext } from '../../src/plan/options.ts';
import { describeNewerSyntax } from '../../src/plan/syntax.ts';
import { copyOf, image, plan } from './support.ts';

describe('planBuild(): images', () => {
  it('asks for all images at once, and once for each', async () => {
    let open = 0;
    let most = 0;
    let count = 0;
    await plan(
      'FROM a AS x\nFROM b AS y\nFROM a\nCOPY --from=x / /\nCOPY --from=y / /\nCOPY --from=c / /',
      {
        resolveImage: async () => {
          count += 1;
          open += 1;
          most = Math.max(most, open);
          await new Promise((resolve) => setImmediate(resolve));
          open -= 1;
          return image();
        },
      },
    );
    assert.equal(count, 3);
    assert.equal(most, 3);
  });

  it('hints at a stage when its misspelt name leads to no registry', async () => {
    const building = plan('FROM scratch AS tools\nFROM scratch\nCOPY --from=toolz / /', {
      resolveImage: async () => {
        throw new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
          message: 'Cannot reach it',
          details: { registry: 'docker.io' },
        });
      },
    });
    await assert.rejects(building, { hint: 'Did you mean the stage "tools"?' });
  });

  it('locates a failure at its FROM, hints at a stage, and waits for the others', async () => {
    let isOther = false;
    const building = plan('FROM scratch AS tools\nFROM toolz\nCOPY --from=other / /', {
      resolveImage: async (reference) => {
        if (reference.includes('other')) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          isOther = true;
        }
        throw new TsbuildError('ERR_IMAGE_NOT_FOUND', {
          message: `Cannot pull "${reference}"`,
          details: { reference },
        });
      },
    });
    await assert.rejects(building, (error) => {
      assert.ok(hasCode(error, 'ERR_IMAGE_NOT_FOUND'));
      assert.equal(error.location?.range.start.line, 2);
      assert.match(error.hint ?? '', /stage "tools"/);
      return true;
    });
    assert.ok(isOther);
  });
});

describe('planBuild(): named contexts', () => {
  const directory: NamedContext<BaseImage> = { kind: 'directory' };
  const other = (config: Record<string, unknown>): NamedContext<BaseImage> => ({
    kind: 'image',
    reference: 'oci-layout://other',
    resolve: async () => image(config),
  });
  const refuse = async (): Promise<BaseImage> => {
    throw new Error('asked a registry');
  };

  it('copies from a directory (FROM-9)', async () => {
    const { origin } = await copyOf('FROM scratch\nCOPY --from=assets /x /', {
      namedContexts: new Map([['assets', directory]]),
      resolveImage: refuse,
    });
    assert.deepEqual(origin, { kind: 'named-context', name: 'assets' });
  });

  it('takes the place of an image, its name normalised (CTX-6)', async () => {
    const { target } = await plan('FROM docker.io/library/alpine:latest', {
      namedContexts: new Map([['alpine', other({ User: 'u' })]]),
      resolveImage: refuse,
    });
    assert.equal(target.config.config.User, 'u');
    assert.ok(target.base.kind === 'image');
    assert.equal(target.base.reference, 'oci-layout://other');
  });

  it('takes the place of a stage, whose instructions are then not planned (FROM-9)', async () => {
    const { target } = await plan('FROM debian AS build\nRUN make\nFROM build\nUSER x', {
      namedContexts: new Map([['build', other({ StopSignal: 'TERM' })]]),
      resolveImage: refuse,
    });
    assert.equal(target.config.config.StopSignal, 'TERM');
    assert.ok(target.base.kind === 'stage');
    assert.deepEqual(target.base.stage.steps, []);
  });

  it('takes the place of a stage with a directory (FROM-9)', async () => {
    const { origin } = await copyOf('FROM debian AS build\nFROM scratch\nCOPY --from=0 /x /', {
      namedContexts: new Map([['build', directory]]),
      resolveImage: refuse,
    });
    assert.deepEqual(origin, { kind: 'named-context', name: 'build' });
  });

  it('starts a stage with the files of a directory (FROM-9)', async () => {
    const { target } = await plan('FROM base\nENV A=1', {
      namedContexts: new Map([['base', directory]]),
    });
    assert.equal(target.base.kind, 'scratch');
    const [first] = target.steps;
    assert.ok(first?.kind === 'copy');
    assert.deepEqual(first.origin, { kind: 'named-context', name: 'base' });
    assert.equal(first.name, '[1/1] FROM base');
  });

  it('is the one for the platform before the one for all (CTX-6)', async () => {
    const namedContexts = new Map([
      ['alpine', other({ User: 'all' })],
      ['docker.io/library/alpine:latest::linux/aarch64', other({ User: 'arm' })],
    ]);
    for (const [from, user] of [
      ['FROM alpine', 'all'],
      ['FROM --platform=linux/arm64 alpine', 'arm'],
      ['FROM --platform=linux/arm/v7 alpine', 'all'],
    ] as const) {
      const { target } = await plan(from, { namedContexts, resolveImage: refuse });
      assert.equal(target.config.config.User, user, from);
    }
  });

  it('is nothing when it is docker-image://scratch (CTX-6)', async () => {
    const { target } = await plan('FROM alpine', {
      namedContexts: new Map([['alpine', { kind: 'scratch' }]]),
      resolveImage: refuse,
    });
    assert.equal(target.base.kind, 'scratch');
  });

  it('never takes the place of scratch (FROM-9)', async () => {
    const { target } = await plan('FROM scratch', {
      namedContexts: new Map([['scratch', directory]]),
    });
    assert.equal(target.base.kind, 'scratch');
  });
});

describe('planBuild(): # syntax', () => {
  const accepted = [
    'docker/dockerfile:1',
    'docker/dockerfile:1.7-labs',
    'docker.io/docker/dockerfile',
    'docker/dockerfile-upstream:master',
    'mirror.example/docker/dockerfile:1',
    'dockerfile.v0',
  ];
  for (const frontend of accepted) {
    it(`takes ${frontend} for the built-in grammar (DIR-6)`, async () => {
      await plan(`# syntax=${frontend}\nFROM scratch`);
    });
  }

  it('tells of a Dockerfile for a newer grammar, and of no other (T-27)', () => {
    const newer = (frontend: string, override?: string) =>
      describeNewerSyntax(parseDockerfile(`# syntax=${frontend}\nFROM scratch\n`), override);
    for (const frontend of ['docker/dockerfile:1.99', 'a.example:5/docker/dockerfile:2-labs']) {
      assert.match(newer(frontend) ?? '', /is newer than the built-in grammar/);
    }
    for (const frontend of [...accepted, 'docker/dockerfile:1.26.1', 'a.example:5000/x/y']) {
      assert.equal(newer(frontend), undefined);
    }
    assert.equal(newer('docker/dockerfile:1.99', 'docker/dockerfile:1'), undefined);
  });

  it('refuses another frontend at its line (DIR-6)', async () => {
    await assert.rejects(plan('# syntax=example/other:1\nFROM scratch'), (error) => {
      assert.ok(hasCode(error, 'ERR_UNSUPPORTED'));
      assert.equal(error.location?.range.start.line, 1);
      return true;
    });
  });

  it('goes by BUILDKIT_SYNTAX first (DIR-5)', async () => {
    const buildArgs = { BUILDKIT_SYNTAX: 'docker/dockerfile:1' };
    await plan('# syntax=example/other:1\nFROM scratch', { buildArgs });
    await assert.rejects(
      plan('FROM scratch', { buildArgs: { BUILDKIT_SYNTAX: 'example/other' } }),
      (error) => hasCode(error, 'ERR_UNSUPPORTED'),
    );
  });
});
