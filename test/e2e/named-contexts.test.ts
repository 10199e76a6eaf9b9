/** Builds with named contexts of every kind but repositories (git.test.ts) and images. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BuildOptions } from '../../src/index.ts';
import { type Place, withPlace } from '../support/context-builds.ts';
import { withHttp } from '../support/http-server.ts';
import { tar } from '../support/tar.ts';

describe('named contexts', () => {
  const archive = gzipSync(
    tar([
      { name: 'x', content: 'x' },
      { name: 'y', content: 'y' },
      { name: '.dockerignore', content: '.dockerignore\ny' },
    ]),
  );

  async function named(
    buildContexts: (place: Place, url: string) => Readonly<Record<string, string>>,
    { from = 'lib', ...options }: Partial<BuildOptions> & { readonly from?: string } = {},
  ): Promise<readonly string[]> {
    let names: readonly string[] = [];
    await withHttp(
      (request, response) => response.end(request.url === '/file' ? 'one file' : archive),
      async ({ url }) => {
        await withPlace(async (place) => {
          await place.write({ 'c/a': '', 'd/in-d': '', 'd/no': '', 'd/.dockerignore': 'no\n.d*' });
          const built = await place.build({
            context: join(place.base, 'c'),
            dockerfile: Buffer.from(`FROM scratch\nCOPY --from=${from} . /\n`),
            buildContexts: buildContexts(place, url),
            ...options,
          });
          names = built.names;
        });
      },
    );
    return names;
  }

  it('are directories, with their own ignore file (CTX-6, CTX-7)', async () => {
    assert.deepEqual(await named(({ base }) => ({ lib: join(base, 'd') })), ['in-d']);
  });

  it('are tars by address, with their own ignore file (CTX-6, IGN-7)', async () => {
    assert.deepEqual(await named((_, url) => ({ lib: `${url}/lib.tgz` })), ['x']);
  });

  it('are single files by address (CTX-6)', async () => {
    assert.deepEqual(await named((_, url) => ({ lib: `${url}/file` })), ['context']);
  });

  it('take the place of an image, however its name is written (CTX-6, FROM-9)', async () => {
    for (const from of ['alpine', 'alpine:latest', 'docker.io/library/alpine']) {
      const contexts = ({ base }: Place) => ({
        'docker.io/library/alpine:latest': join(base, 'd'),
      });
      assert.deepEqual(await named(contexts, { from }), ['in-d']);
    }
  });

  it('take the place of a stage, whose instructions are not run (FROM-9)', async () => {
    const dockerfile = Buffer.from(
      'FROM scratch AS lib\nCOPY missing /\nFROM scratch\nCOPY --from=lib . /\n',
    );
    assert.deepEqual(await named(({ base }) => ({ LIB: join(base, 'd') }), { dockerfile }), [
      'in-d',
    ]);
  });

  it('are what a stage starts from, with the usual PATH (FROM-9)', async () => {
    const contexts = ({ base }: Place) => ({ alpine: join(base, 'd') });
    const dockerfile = Buffer.from('FROM alpine\n');
    assert.deepEqual(await named(contexts, { dockerfile }), ['in-d']);
    const stage = Buffer.from('FROM busybox AS alpine\nRUN x\nFROM alpine\nENV A=1\n');
    assert.deepEqual(await named(contexts, { dockerfile: stage }), ['in-d']);
  });

  it('leave "scratch" and "context" what they are (FROM-9)', async () => {
    const dockerfile = Buffer.from('FROM scratch\nCOPY a /\n');
    const contexts = ({ base }: Place) => ({ scratch: join(base, 'd'), context: join(base, 'd') });
    assert.deepEqual(await named(contexts, { dockerfile }), ['a']);
  });

  it('are for one platform when they say so, else for all (CTX-6)', async () => {
    const contexts = ({ base }: Place, url: string) => ({
      lib: `${url}/lib.tgz`,
      'lib::linux/arm64': join(base, 'd'),
    });
    assert.deepEqual(await named(contexts, { platform: 'linux/arm64/v8' }), ['in-d']);
    assert.deepEqual(await named(contexts, { platform: 'linux/amd64' }), ['x']);
  });

  it('may be docker-image://scratch (CTX-6)', async () => {
    const dockerfile = Buffer.from('FROM alpine\nCOPY a /\n');
    const contexts = () => ({ alpine: 'docker-image://scratch' });
    assert.deepEqual(await named(contexts, { dockerfile }), ['a']);
  });

  it('are not opened when nobody asks for them', async () => {
    const dockerfile = Buffer.from('FROM scratch\nCOPY a /\n');
    const contexts = () => ({ lib: '/nowhere', other: 'http://127.0.0.1:1/x' });
    assert.deepEqual(await named(contexts, { dockerfile }), ['a']);
  });

  it('are refused when only bake could resolve them (CTX-6)', async () => {
    await assert.rejects(
      named(() => ({ lib: 'target:base' })),
      { code: 'ERR_CONTEXT_UNSUPPORTED' },
    );
  });
});
