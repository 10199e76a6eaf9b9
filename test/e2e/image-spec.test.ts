/** Every kind of image that is written passes the image-spec's own JSON schemas. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, type BuildOptions, createIndex } from '../../src/index.ts';
import { checkLayout } from '../support/check.ts';
import { assertSchema, type SchemaName } from '../support/image-schemas.ts';
import { type Files, inContext } from '../support/in-context.ts';
import { HELPER } from '../support/sandbox.ts';

const run = promisify(execFile);

/** With all that a config can have (CFG-1) but ONBUILD, for which the schema has no word either. */
const FILES: Files = {
  Dockerfile: `FROM scratch
COPY Dockerfile /first
COPY Dockerfile /second
ENV A=1
USER 1:2
EXPOSE 80/tcp 90/udp
VOLUME /data
WORKDIR /work
ENTRYPOINT ["/e"]
CMD ["c"]
LABEL org.opencontainers.image.title="a title"
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD ["/h"]
SHELL ["/s"]
MAINTAINER somebody
`,
};
const SEVERAL = 'linux/arm64,linux/arm/v7,windows/amd64';
const NOTES = ['a=1', 'org.opencontainers.image.title=b', 'manifest-descriptor:c=2'];
const INDEX_NOTES = [...NOTES, 'index:d=3', 'index-descriptor:e=4'];

type Case = readonly [title: string, output: string, more: Partial<BuildOptions>];

const CASES: readonly Case[] = [
  ['one platform', '', {}],
  ['gzip, dated, with names', ',name=other:v2', { sourceDateEpoch: 1, tags: ['app:v1'] }],
  ['zstd', ',compression=zstd', {}],
  ['uncompressed', ',compression=uncompressed', {}],
  ['annotations of an image', '', { annotations: NOTES }],
  ["Docker's media types", ',oci-mediatypes=false', {}],
  ['several platforms', '', { platform: SEVERAL }],
  ['annotations of an index', '', { platform: SEVERAL, annotations: INDEX_NOTES }],
  ["several platforms of Docker's", ',oci-mediatypes=false', { platform: SEVERAL }],
  ['provenance and an SBOM', '', { provenance: 'mode=max', sbom: 'true' }],
  ['the same as images', ',oci-artifact=false', { provenance: 'true', platform: SEVERAL }],
];

describe('the image-spec’s schemas', function () {
  this.timeout(60_000);

  for (const [title, rest, more] of CASES) {
    it(`are passed by type=oci, without a builder’s notes about layers: ${title} (LAY-4)`, async () => {
      await inContext(FILES, async (options) => {
        const layout = join(options.context, '../image');
        const output = `type=oci,tar=false,dest=${layout}${rest}`;
        await build({ ...options, helper: HELPER, ...more, outputs: [output] });
        assert.ok((await checkLayout(layout)).length > 0);
      });
    });
  }

  for (const type of ['oci', 'docker'] as const) {
    it(`are passed by the archive of type=${type}`, async () => {
      await inContext(FILES, async (options) => {
        const folder = join(options.context, '..');
        const [archive, unpacked] = [join(folder, 'image.tar'), join(folder, 'unpacked')];
        const outputs = [`type=${type},dest=${archive}`];
        await build({ ...options, helper: HELPER, tags: ['app:v1'], outputs });
        await mkdir(unpacked);
        await run('tar', ['-xf', archive, '-C', unpacked]);
        const entries = await checkLayout(unpacked, type === 'docker' ? ['manifest.json'] : []);
        assert.equal(entries.length, 1);
      });
    });
  }

  it('are passed by what "index create" makes', async () => {
    await inContext(FILES, async (options) => {
      const folder = join(options.context, '..');
      const parts = { a: 'linux/arm64', b: 'linux/arm/v7,linux/s390x' };
      for (const [name, platform] of Object.entries(parts)) {
        const outputs = [`type=oci,dest=${folder}/${name}.tar`];
        await build({ ...options, helper: HELPER, platform, outputs, provenance: 'true' });
      }
      await createIndex({
        ...(options.store !== undefined && { store: options.store }),
        sources: Object.keys(parts).map((name) => join(folder, `${name}.tar`)),
        tags: ['app:v1', 'app:v2'],
        outputs: [`type=oci,tar=false,dest=${folder}/joined`],
      });
      assert.equal((await checkLayout(join(folder, 'joined'))).length, 2);
    });
  });

  it('refuse what is wrong', () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const descriptor = { mediaType: 'a/b', size: 1, digest };
    const config = { architecture: 'a', os: 'o', rootfs: { type: 'layers', diff_ids: [] } };
    const wrong: readonly (readonly [SchemaName, unknown, RegExp])[] = [
      ['layout', { imageLayoutVersion: '2' }, /imageLayoutVersion/],
      ['index', { schemaVersion: 2, manifests: [{ ...descriptor, size: '1' }] }, /size/],
      ['index', { schemaVersion: 2, manifests: [], annotations: { a: 1 } }, /annotations\/a/],
      ['manifest', { schemaVersion: 2, config: descriptor, layers: [{}] }, /layers\/0/],
      ['manifest', { schemaVersion: 2, config: {}, layers: [descriptor] }, /digest/],
      ['config', { ...config, created: 'today' }, /date-time/],
      ['config', { ...config, config: { Labels: { a: null } } }, /Labels/],
      ['config', { os: 'o', rootfs: {} }, /architecture/],
    ];
    for (const [name, document, message] of wrong) {
      assert.throws(() => assertSchema(name, document), message);
    }
    assertSchema('config', config);
    // Of a configuration alone, as BuildKit makes them: the spec's text only advises a layer.
    assertSchema('manifest', { schemaVersion: 2, config: descriptor, layers: [] });
  });
});
