/** Images with attestations: their layout, and what others make of them (ATT-2 … ATT-5, LOC-2). */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import { metadataText } from '../../src/cli/result-files.ts';
import { push } from '../../src/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import {
  FILES,
  PROVENANCE,
  provenanceIn,
  readAttested,
  SBOM,
  sbomIn,
  type Statement,
  withBuild,
} from '../support/attestations.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';
import { checkSpdx } from '../support/spdx.ts';

const run = promisify(execFile);
const BOTH = { provenance: true, sbom: true } as const;

async function failsWith(code: ErrorCode, message: RegExp, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(hasCode(error, code), String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe('build() with attestations', function () {
  this.timeout(60_000);

  it('leaves an image that nobody wants attested a plain manifest, when it is pushed too (ATT-2, T-47)', () =>
    withBuild(FILES, async ({ make }) => {
      const registry = await startRegistry();
      try {
        const tags = [`${registry.host}/app:1`];
        const { descriptor } = await make({ tags, push: true });
        assert.equal(descriptor.mediaType, 'application/vnd.oci.image.manifest.v1+json');
      } finally {
        await registry.close();
      }
    }));

  it('puts them behind the image, which stays as it is, into an index (ATT-3, ATT-4, ATT-5, MD-1)', () =>
    withBuild(FILES, async ({ make, read }) => {
      const plain = await make();
      const result = await make(BOTH);
      const { digest, manifests, attestations } = await read();
      const [about] = attestations;
      assert.equal(result.digest, digest);
      assert.equal(result.descriptor.mediaType, 'application/vnd.oci.image.index.v1+json');
      assert.equal(result.platforms.length, 1);
      assert.equal(result.platforms[0].digest, plain.digest);
      assert.deepEqual(result.platforms[0].provenance, provenanceIn(about?.statements));
      const metadata = JSON.parse(metadataText(result)) as Record<string, unknown>;
      assert.deepEqual(metadata['buildx.build.provenance'], result.platforms[0].provenance);
      assert.equal(result.configDigest, plain.configDigest);
      assert.deepEqual(
        manifests.map((each) => each.digest),
        [plain.digest, attestations[0]?.descriptor.digest],
      );
      assert.deepEqual(about?.descriptor.platform, { os: 'unknown', architecture: 'unknown' });
      assert.deepEqual(about.descriptor.annotations, {
        'vnd.docker.reference.digest': plain.digest,
        'vnd.docker.reference.type': 'attestation-manifest',
      });
      const { manifest, config, statements } = about;
      assert.equal(manifest.artifactType, 'application/vnd.docker.attestation.manifest.v1+json');
      assert.equal(manifest.config.mediaType, 'application/vnd.oci.empty.v1+json');
      assert.deepEqual(config, {});
      const { mediaType, size } = plain.descriptor;
      assert.deepEqual(manifest.subject, { mediaType, digest: plain.digest, size });
      const types = manifest.layers.map((layer) => [
        layer.mediaType,
        layer.annotations?.['in-toto.io/predicate-type'],
      ]);
      const statement = 'application/vnd.in-toto+json';
      assert.deepEqual(types, [
        [statement, SBOM],
        [statement, PROVENANCE],
      ]);
      for (const { _type, subject } of statements) {
        assert.equal(_type, 'https://in-toto.io/Statement/v1');
        assert.equal(subject[0]?.digest['sha256'], plain.digest.slice('sha256:'.length));
        assert.match(subject[0].name, /^pkg:docker\/app@v1\?platform=linux%2F/);
      }
      const document = sbomIn(statements);
      checkSpdx(document);
      const [, found] = document.packages;
      assert.deepEqual(
        [found?.name, found?.versionInfo, found?.licenseDeclared],
        [...['a', '1.2.3', 'MIT']],
      );
    }));

  itUnless(missing('docker-registry', 'skopeo'))('is taken by another registry', () =>
    withBuild(FILES, async ({ make, folder }) => {
      const registry = await startDockerRegistry(folder);
      try {
        const name = `${registry.address}/app:1`;
        const { digest } = await make({
          ...{ ...BOTH, tags: [name], outputs: ['type=registry'] },
          platform: 'linux/amd64,linux/arm64',
        });
        const flags = ['inspect', '--raw', '--tls-verify=false'];
        const { stdout } = await run('skopeo', [...flags, `docker://${name}`]);
        assert.equal(digestOf(Buffer.from(stdout)), digest);
        const copy = `oci:${join(folder, 'pulled')}:1`;
        await run('skopeo', [
          ...['copy', '--all', '--insecure-policy', '--src-tls-verify=false'],
          ...[`docker://${name}`, copy],
        ]);
        assert.equal((await readAttested(join(folder, 'pulled'))).attestations.length, 2);
      } finally {
        await registry.close();
      }
    }),
  );

  itUnless(missing('skopeo'))('makes what skopeo copies, whole or the image alone', () =>
    withBuild(FILES, async ({ make, folder, layout }) => {
      const { digest, platforms } = await make(BOTH);
      const { stdout } = await run('skopeo', ['inspect', '--raw', `oci:${layout}:v1`]);
      assert.equal(digestOf(Buffer.from(stdout)), digest);
      const copy = async (to: string, ...flags: readonly string[]): Promise<string> => {
        const target = `oci:${join(folder, to)}:v1`;
        await run('skopeo', ['copy', '--insecure-policy', ...flags, `oci:${layout}:v1`, target]);
        const raw = await run('skopeo', ['inspect', '--raw', target]);
        return digestOf(Buffer.from(raw.stdout));
      };
      assert.equal(await copy('all', '--all'), digest);
      assert.equal((await readAttested(join(folder, 'all'))).attestations.length, 1);
      assert.equal(await copy('one'), platforms[0].digest);
    }),
  );

  it('attests each of several platforms, behind all images, with all its names (ATT-3, ATT-5)', () =>
    withBuild(FILES, async ({ make, read }) => {
      const { platforms } = await make({
        ...{ platform: 'linux/arm64,linux/amd64', tags: ['a:1', 'b.example/c/d:2'] },
        provenance: 'inline-only=true',
        annotations: ['index:k=v'],
      });
      const { manifests, attestations } = await read();
      assert.equal(manifests.length, 4);
      assert.deepEqual(
        attestations.map(({ manifest }) => manifest.subject?.digest),
        platforms.map(({ digest }) => digest),
      );
      assert.deepEqual(
        attestations.map(({ statements }) => statements[0]?.subject.map(({ name }) => name)),
        ['arm64', 'amd64'].map((architecture) => [
          `pkg:docker/a@1?platform=linux%2F${architecture}`,
          `pkg:docker/b.example/c/d@2?platform=linux%2F${architecture}`,
        ]),
      );
    }));

  it('makes images of them for registries that know no artifacts (ATT-4)', () =>
    withBuild(FILES, async ({ make, read, layout }) => {
      await make({
        provenance: true,
        outputs: [`type=oci,tar=false,oci-artifact=false,dest=${layout}`],
      });
      const [about] = (await read()).attestations;
      assert.equal(about?.manifest.artifactType, undefined);
      assert.equal(about?.manifest.subject, undefined);
      assert.equal(about?.manifest.config.mediaType, 'application/vnd.oci.image.config.v1+json');
      assert.deepEqual(about?.config, {
        ...{ os: 'unknown', architecture: 'unknown', config: {} },
        rootfs: {
          type: 'layers',
          diff_ids: about?.manifest.layers.map(({ digest }) => digest),
        },
      });
    }));

  it('says nothing of an image without a name but its digest (ATT-5)', () =>
    withBuild(FILES, async ({ make, read }) => {
      const { platforms } = await make({ ...BOTH, tags: [] });
      const sha256 = platforms[0].digest.slice('sha256:'.length);
      const [about] = (await read()).attestations;
      assert.deepEqual(about?.statements[0]?.subject, [{ name: '_', digest: { sha256 } }]);
      checkSpdx(sbomIn(about.statements));
    }));

  it('refuses docker’s archive before anything is built (ATT-2, TAR-1)', () =>
    withBuild(FILES, async ({ make }) => {
      await failsWith('ERR_USAGE', /manifest lists/, make({ ...BOTH, load: true, outputs: [] }));
    }));

  it('puts them beside the files of an image, of each platform, about each file (LOC-1, LOC-2)', () =>
    withBuild(FILES, async ({ make, folder }) => {
      const out = join(folder, 'files');
      const platform = 'linux/amd64,linux/arm64';
      const outputs = [`type=local,dest=${out},attestation-prefix=app.`];
      await make({ ...BOTH, platform, outputs, provenance: 'filename=p.json' });
      for (const part of ['linux_amd64', 'linux_arm64']) {
        const text = await readFile(join(out, part, 'app.p.json'), 'utf8');
        const { subject, predicateType } = JSON.parse(text) as Statement;
        assert.equal(predicateType, PROVENANCE);
        const name = 'node_modules/a/package.json';
        const sha256 = digestOf(FILES[name]).slice('sha256:'.length);
        assert.deepEqual(
          subject.filter((each) => each.name === name),
          [{ name, digest: { sha256 } }],
        );
        await readFile(join(out, part, 'app.sbom.spdx.json'));
      }
      const tar = join(folder, 'files.tar');
      await make({ ...BOTH, outputs: [`type=tar,dest=${tar}`] });
      const { stdout } = await run('tar', ['-tf', tar]);
      assert.deepEqual(
        stdout.split('\n').filter((name) => name.endsWith('.json')),
        ['node_modules/a/package.json', 'provenance.json', 'sbom.spdx.json'],
      );
    }));

  it('takes nothing of the image’s for that, and leaves no file (LOC-2)', () =>
    withBuild({ ...FILES, 'provenance.json': '{}' }, async ({ make, folder }) => {
      const out = join(folder, 'files');
      const work = make({ provenance: true, outputs: [out] });
      await failsWith('ERR_OUTPUT_FAILED', /"provenance.json"/, work);
      await assert.rejects(readFile(join(out, 'provenance.json')), { code: 'ENOENT' });
    }));

  it('is pushed with its attestations, and again from the store (ATT-3, T-59)', () =>
    withBuild(FILES, async ({ make, folder }) => {
      const registry = await startRegistry();
      try {
        const store = join(folder, 'a-store');
        const [name, later] = [`${registry.host}/app:1`, `${registry.host}/other:2`];
        const { digest } = await make({
          ...{ ...BOTH, outputs: [], push: true },
          ...{ tags: [name], store },
        });
        await push({ name: later, source: name, store, helper: HELPER });
        assert.equal(registry.manifests.get('other:2')?.descriptor.digest, digest);
        const index = registry.manifests.get('app:1');
        assert.equal(index?.descriptor.digest, digest);
        const { manifests } = JSON.parse(Buffer.from(index.bytes).toString()) as {
          readonly manifests: readonly { readonly digest: string }[];
        };
        assert.equal(manifests.length, 2);
        for (const child of manifests) {
          const manifest = registry.manifests.get(`app@${child.digest}`);
          assert.ok(manifest !== undefined);
          const { config, layers } = JSON.parse(Buffer.from(manifest.bytes).toString()) as {
            readonly config: { readonly digest: string };
            readonly layers: readonly { readonly digest: string }[];
          };
          for (const blob of [config, ...layers]) assert.ok(registry.blobs.has(blob.digest));
        }
      } finally {
        await registry.close();
      }
    }));
});
