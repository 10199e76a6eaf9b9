import assert from 'node:assert/strict';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import { parseOutput, USUAL_FORM } from '../../src/export/index.ts';
import { parseReference, parseRepository } from '../../src/oci/reference.ts';

describe('parseOutput()', () => {
  const form = USUAL_FORM;
  const image = { names: [], form } as const;
  const oci = { ...image, kind: 'oci', isTar: true } as const;
  const docker = { ...oci, kind: 'docker', form: { ...form, mediaTypes: 'docker' } } as const;
  const pushed = { pushByDigest: false, nameCanonical: false, insecure: false } as const;
  const files = { platformSplit: undefined, epoch: undefined, attestationPrefix: '' } as const;
  const local = {
    ...{ kind: 'local', destination: 'out', mode: 'copy' },
    ...files,
  } as const;
  const tar = { kind: 'tar', ...files } as const;
  const outputs = [
    ['type=oci,dest=a.tar', { ...oci, destination: 'a.tar' }],
    ['TYPE=oci,DEST=-', { ...oci, destination: '-' }],
    ['type=oci,tar=false,dest=out', { ...oci, destination: 'out', isTar: false }],
    ['type=oci,tar=1,dest=a=b', { ...oci, destination: 'a=b' }],
    ['type=oci,"dest=a,b.tar"', { ...oci, destination: 'a,b.tar' }],
    ['type=oci,"dest=a""b"', { ...oci, destination: 'a"b' }],
    [
      'type=oci,dest=a,"name=app,user/app:v1"',
      { ...oci, destination: 'a', names: ['app', 'user/app:v1'].map(parseReference) },
    ],
    [
      'type=oci,dest=a,compression=zstd,compression-level=19,force-compression=true',
      {
        ...{ ...oci, destination: 'a' },
        form: { ...form, compression: 'zstd', level: 19, forceCompression: true },
      },
    ],
    [
      'type=oci,dest=a,rewrite-timestamp=true,source-date-epoch=5,compression=uncompressed',
      {
        ...{ ...oci, destination: 'a' },
        form: { ...form, rewriteTimestamp: true, epoch: 5, compression: 'none' },
      },
    ],
    [
      'type=oci,dest=a,annotation.K=v,annotation-index-descriptor.a.b=c=d,annotation[linux/ARM].x=y',
      {
        ...{ ...oci, destination: 'a' },
        form: {
          ...form,
          annotations: [
            { place: 'manifest', platform: undefined, key: 'K', value: 'v' },
            { place: 'index-descriptor', platform: undefined, key: 'a.b', value: 'c=d' },
            {
              ...{ place: 'manifest', key: 'x', value: 'y' },
              platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
            },
          ],
        },
      },
    ],
    ['type=docker', { ...docker, destination: undefined }],
    [
      'type=oci,dest=a,oci-mediatypes=false',
      { ...oci, destination: 'a', form: { ...form, mediaTypes: 'docker-only' } },
    ],
    ['type=docker,dest=-', { ...docker, destination: '-' }],
    ['type=docker,tar=false,dest=a', { ...docker, destination: 'a', isTar: false }],
    ['type=docker,dest=a,oci-mediatypes=true', { ...docker, destination: 'a', form }],
    [
      'type=docker,dest=a,compression=zstd',
      { ...docker, destination: 'a', form: { ...form, compression: 'zstd' } },
    ],
    ['type=registry', { ...image, ...pushed, kind: 'image', push: true }],
    ['type=image', { ...image, ...pushed, kind: 'image', push: false }],
    [
      'type=image,push=true,name=a.example/b,push-by-digest=1,registry.insecure=t',
      {
        ...{ ...image, ...pushed, kind: 'image', push: true, pushByDigest: true, insecure: true },
        names: [parseRepository('a.example/b')],
      },
    ],
    ['out', local],
    ['type=local,dest=out,mode=delete', { ...local, mode: 'delete' }],
    [
      'type=local,dest=out,platform-split=true,source-date-epoch=0',
      { ...local, platformSplit: true, epoch: 0 },
    ],
    ['type=local,dest=out,attestation-prefix=app-', { ...local, attestationPrefix: 'app-' }],
    [
      'type=oci,dest=a,oci-artifact=false',
      { ...oci, destination: 'a', form: { ...form, ociArtifact: false } },
    ],
    ['-', { ...tar, destination: '-' }],
    ['type=tar,dest=a.tar', { ...tar, destination: 'a.tar' }],
    ['type=tar', { ...tar, destination: '-' }],
    ['type=cacheonly', { kind: 'cacheonly' }],
  ] as const;
  for (const [text, expected] of outputs) {
    it(`reads ${text} (OUT-1, OUT-2)`, () => assert.deepEqual(parseOutput(text), expected));
  }

  const failures: readonly (readonly [string, ErrorCode, string])[] = [
    ['type=zip,dest=a', 'ERR_USAGE', 'unsupported output type: zip'],
    ['type=oci', 'ERR_USAGE', 'Cannot use type=oci without a destination'],
    ['type=oci,dest=', 'ERR_USAGE', 'Cannot use type=oci without a destination'],
    ['type=local', 'ERR_USAGE', 'Cannot use type=local without a destination'],
    ['type=local,dest=-', 'ERR_USAGE', 'Cannot write a directory to the standard output'],
    ['type=docker,tar=false', 'ERR_USAGE', 'Cannot use type=docker without a destination'],
    ['dest=a,tar=true', 'ERR_USAGE', 'Cannot use an output without a type'],
    ['type=oci,tar=perhaps,dest=a', 'ERR_USAGE', 'Cannot use "perhaps" for tar'],
    ['type=oci,tar=false,dest=-', 'ERR_USAGE', 'Cannot write a directory to the standard output'],
    ['type=oci,dest=a,nmae=x', 'ERR_USAGE', 'Cannot use the output option "nmae" with type=oci'],
    ['type=tar,name=x', 'ERR_USAGE', 'Cannot use the output option "name" with type=tar'],
    ['type=oci,dest', 'ERR_USAGE', 'Cannot use "dest" in an output'],
    ['type=oci,"dest=a', 'ERR_USAGE', 'Cannot use the output "type=oci,"dest=a"'],
    ['', 'ERR_USAGE', 'Cannot use "" in an output'],
    ['type=oci,dest=a,name=Bad', 'ERR_REFERENCE_INVALID', 'Cannot use "Bad" as an image name'],
    ['type=local,dest=a,mode=move', 'ERR_USAGE', 'Cannot use "move" for mode'],
    ['type=oci,dest=a,compression=lz4', 'ERR_USAGE', 'Cannot use "lz4" for compression'],
    ['type=oci,dest=a,compression=estargz', 'ERR_UNSUPPORTED', 'Cannot use compression=estargz'],
    ['type=oci,dest=a,compression-level=10', 'ERR_USAGE', 'Cannot use "10" for compression-level'],
    [
      'type=oci,dest=a,compression=zstd,oci-mediatypes=false',
      'ERR_USAGE',
      'Cannot use compression=zstd with oci-mediatypes=false',
    ],
    [
      'type=oci,dest=a,annotation.a=b,oci-mediatypes=false',
      'ERR_USAGE',
      'cannot export annotations with "oci-mediatypes=false"',
    ],
    [
      'type=oci,dest=a,annotation-index[linux/arm64].a=b',
      'ERR_USAGE',
      'Cannot understand the annotation "annotation-index[linux/arm64].a"',
    ],
    ['type=image,unpack=true', 'ERR_UNSUPPORTED', 'Cannot use the output option "unpack"'],
  ];
  for (const [text, code, message] of failures) {
    it(`fails with ${code} for "${text}" (OUT-2, OUT-3)`, () => {
      assert.throws(
        () => parseOutput(text),
        (error) => hasCode(error, code) && error.message === message,
      );
    });
  }

  it('gives the reason for what is not done', () => {
    assert.throws(
      () => parseOutput('type=oci,dest=a,compression=estargz'),
      (error) => hasCode(error, 'ERR_UNSUPPORTED') && /containerd/.test(error.hint ?? ''),
    );
  });
});
