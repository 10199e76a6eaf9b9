/** What attestations say: materials, packages, the same bytes again, and no secrets (ATT-7 … ATT-10). */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../src/oci/digest.ts';
import { whyNoAccount } from '../support/accounts.ts';
import {
  FILES,
  provenanceIn,
  readAttested,
  sbomIn,
  type Statement,
  withBuild,
} from '../support/attestations.ts';
import { commitFiles, makeRepository, noGit, serveGit } from '../support/git-server.ts';
import { withHttp } from '../support/http-server.ts';
import { makeImage, makeIndex } from '../support/image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry } from '../support/registry.ts';
import { openRunBuilds } from '../support/run-builds.ts';
import { checkSpdx, type SpdxDocument } from '../support/spdx.ts';

const BOTH = { provenance: true, sbom: true } as const;

describe('attestations of a build', function () {
  this.timeout(60_000);

  it('is the same, byte for byte, with SOURCE_DATE_EPOCH (REP-1)', () =>
    withBuild(FILES, async ({ make, read, folder }) => {
      const digests: string[] = [];
      for (const store of ['one', 'two']) {
        const args = { buildArgs: { SOURCE_DATE_EPOCH: '1700000000' } };
        digests.push((await make({ ...BOTH, ...args, store: join(folder, store) })).digest);
      }
      assert.equal(digests[0], digests[1]);
      const [about] = (await read()).attestations;
      const { metadata } = provenanceIn(about?.statements).runDetails;
      assert.equal(metadata['startedOn'], '2023-11-14T22:13:20Z');
      assert.equal(metadata['finishedOn'], '2023-11-14T22:13:20Z');
      assert.ok(!('invocationId' in metadata));
    }));

  itUnless(noGit)(
    'lists what came from elsewhere with digests, without passwords or paths (ATT-7, ATT-8)',
    () =>
      withBuild({ ...FILES, Dockerfile: '' }, async ({ make, read, folder }) => {
        const registry = await startRegistry();
        const repository = await makeRepository(folder, 'repo', { f: 'f' });
        const commit = await commitFiles(repository, { g: 'g' });
        const server = await serveGit(folder);
        try {
          const image = await makeImage();
          const index = makeIndex([image]);
          registry.addIndex('base', '1', index, [image]);
          await withHttp(
            (_, response) => void response.end('bytes'),
            async ({ url }) => {
              const lines = [
                `FROM ${registry.host}/base:1 AS base`,
                `FROM scratch`,
                `COPY --from=base / /`,
                `ADD ${url.replace('//', '//me:hush@')}/file /`,
                `ADD ${server.url}/repo.git#main /repo`,
              ];
              const dockerfile = join(folder, 'Other.Dockerfile');
              await writeFile(dockerfile, lines.join('\n'));
              await make({
                ...{ dockerfile, provenance: true, buildContexts: { more: folder } },
                buildArgs: { HTTP_PROXY: 'http://me:hush@proxy.example', Y: '2' },
                labels: { l: 'v' },
              });
              const [about] = (await read()).attestations;
              const made = provenanceIn(about?.statements);
              const { buildDefinition, runDetails } = made;
              assert.deepEqual(
                buildDefinition.resolvedDependencies,
                [
                  { uri: `${url}/file`, digest: { sha256: digestOf('bytes').slice(7) } },
                  { uri: `${server.url}/repo.git#main`, digest: { sha1: commit } },
                  {
                    uri: `pkg:docker/${registry.host}/base@1?platform=linux%2Famd64`,
                    digest: { sha256: index.descriptor.digest.slice(7) },
                  },
                ].toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
              );
              const { configSource, request } = buildDefinition.externalParameters;
              assert.deepEqual(configSource, { path: 'Other.Dockerfile' });
              assert.deepEqual(request.args, {
                'build-arg:Y': '2',
                'context:more': 'local:more',
                'label:l': 'v',
              });
              assert.deepEqual(
                request.locals,
                ['context', 'dockerfile', 'more'].map((name) => ({ name })),
              );
              assert.equal(runDetails.metadata['buildkit_hermetic'], false);
              const source = Buffer.from(lines.join('\n')).toString('base64');
              const text = JSON.stringify(made).replace(source, '');
              for (const secret of ['hush', folder]) assert.ok(!text.includes(secret), secret);
            },
          );
        } finally {
          await registry.close();
          await server.close();
        }
      }),
  );

  itUnless(noGit)('names the commit of a context that is a repository (ATT-7, ATT-9)', () =>
    withBuild(FILES, async ({ make, read, folder }) => {
      const repository = await makeRepository(folder, 'repo', {
        'dir/Dockerfile': 'FROM scratch\nCOPY f /\n',
      });
      const commit = await commitFiles(repository, { 'dir/f': 'f' });
      const server = await serveGit(folder);
      try {
        await make({ context: `${server.url}/repo.git#main:dir`, provenance: 'mode=min' });
        const uri = `${server.url}/repo.git#main`;
        const digest = { sha1: commit };
        const [about] = (await read()).attestations;
        const { buildDefinition, runDetails } = provenanceIn(about?.statements);
        const { configSource } = buildDefinition.externalParameters;
        assert.deepEqual(configSource, { uri, digest, path: 'Dockerfile' });
        assert.deepEqual(buildDefinition.resolvedDependencies, [{ uri, digest }]);
        const { metadata } = runDetails;
        assert.equal(metadata['buildkit_hermetic'], true);
        assert.deepEqual(metadata['buildkit_metadata'], {
          vcs: { source: `${server.url}/repo.git`, revision: commit },
        });
      } finally {
        await server.close();
      }
    }),
  );

  it('refuses an argument with the value of a secret that no RUN mounts (ATT-8, T-55)', () =>
    withBuild(FILES, async ({ make, read }) => {
      const secrets = { TOKEN: Buffer.from('hush-hush-5b1e77') };
      const given = { secrets, buildArgs: { X: 'a hush-hush-5b1e77' } };
      await assert.rejects(make({ ...given, provenance: true }), { code: 'ERR_SECRET_LEAKED' });
      await make({ ...given, provenance: 'mode=min' });
      assert.ok(!JSON.stringify(await read()).includes('hush-hush'));
    }));

  it('makes SBOMs of stages and of the context where the Dockerfile says so (ATT-10)', () => {
    const Dockerfile = `FROM scratch AS deps
ARG BUILDKIT_SBOM_SCAN_STAGE=true
COPY node_modules /node_modules
FROM scratch AS unscanned
COPY node_modules /n/node_modules
FROM scratch
ARG BUILDKIT_SBOM_SCAN_CONTEXT
COPY --from=deps /node_modules/a/package.json /x
COPY --from=unscanned /n/node_modules/a/package.json /y
`;
    return withBuild({ ...FILES, Dockerfile }, async ({ make, folder }) => {
      const out = join(folder, 'files');
      await make({
        ...{ outputs: [out], sbom: true },
        buildArgs: { BUILDKIT_SBOM_SCAN_CONTEXT: 'true' },
      });
      const namesIn = async (file: string): Promise<readonly string[]> => {
        const { predicate } = JSON.parse(await readFile(join(out, file), 'utf8')) as Statement;
        const document = predicate as SpdxDocument;
        checkSpdx(document);
        return document.packages.slice(1).map(({ name }) => name);
      };
      assert.deepEqual(await namesIn('sbom.spdx.json'), []);
      assert.deepEqual(await namesIn('sbom-deps.spdx.json'), ['a']);
      assert.deepEqual(await namesIn('sbom-build-context.spdx.json'), ['a']);
      await assert.rejects(namesIn('sbom-unscanned.spdx.json'), { code: 'ENOENT' });
    });
  });

  itUnless(whyNoAccount('root') ?? missing('busybox'))(
    'has no secret: an argument with its value fails the build, unless it is left out (ATT-8, T-55)',
    async () => {
      const builds = await openRunBuilds('root');
      try {
        const secret = join(builds.account.home, 'secret');
        await writeFile(secret, 'hush-hush-5b1e77\n');
        const dockerfile = 'FROM base\nRUN --mount=type=secret,id=key true\n';
        const flags = [`--secret=id=key,src=${secret}`, '--build-arg=T=hush-hush-5b1e77'];
        const failed = await builds.attempt(dockerfile, ...flags, '--provenance=true');
        assert.match(
          failed.stderr,
          /the secret "key" is in the image’s attestation: .*build-arg:T/,
        );
        assert.doesNotMatch(failed.stderr, /hush-hush/);
        const made = await builds.attempt(dockerfile, ...flags, '--provenance=mode=min');
        assert.equal(made.code, 0, made.stderr);
        const layout = join(builds.account.home, 'image');
        const [about] = (await readAttested(layout)).attestations;
        assert.ok(!JSON.stringify(about).includes('hush-hush'));
        assert.ok(!JSON.stringify(about).includes('"key"'));
      } finally {
        await builds.account.close();
      }
    },
  );

  itUnless(whyNoAccount('user') ?? missing('busybox'))(
    'lists a package in a file that only another id may read (ATT-10)',
    async () => {
      const builds = await openRunBuilds('user', { subids: true });
      try {
        const place = '/n/node_modules/a';
        const json = '{"name":"a","version":"1.0.0"}';
        const dockerfile = `FROM base
RUN mkdir -p ${place} && echo '${json}' > ${place}/package.json && chmod 600 ${place}/package.json && chown 1234 ${place}/package.json
`;
        const made = await builds.attempt(dockerfile, '--sbom=true');
        assert.equal(made.code, 0, made.stderr);
        const [about] = (await readAttested(join(builds.account.home, 'image'))).attestations;
        const { packages } = sbomIn(about?.statements);
        assert.deepEqual(
          packages.slice(1).map(({ name }) => name),
          ['a'],
        );
      } finally {
        await builds.account.close();
      }
    },
  );
});
