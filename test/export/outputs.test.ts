import assert from 'node:assert/strict';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import { parseOutput } from '../../src/export/index.ts';
import { parseReference } from '../../src/oci/reference.ts';

describe('parseOutput()', () => {
  const oci = { kind: 'oci', isTar: true, names: [] } as const;
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
  ] as const;
  for (const [text, expected] of outputs) {
    it(`reads ${text} (OUT-1)`, () => assert.deepEqual(parseOutput(text), expected));
  }

  const failures: readonly (readonly [string, ErrorCode, string])[] = [
    ['type=zip,dest=a', 'ERR_USAGE', 'unsupported output type: zip'],
    ['type=oci', 'ERR_USAGE', 'Cannot use type=oci without a destination'],
    ['type=oci,dest=', 'ERR_USAGE', 'Cannot use type=oci without a destination'],
    ['dest=a,tar=true', 'ERR_USAGE', 'Cannot use an output without a type'],
    ['type=oci,tar=perhaps,dest=a', 'ERR_USAGE', 'Cannot use "perhaps" for tar'],
    ['type=oci,tar=false,dest=-', 'ERR_USAGE', 'Cannot write a directory to the standard output'],
    ['type=oci,dest=a,nmae=x', 'ERR_USAGE', 'Cannot use the output option "nmae"'],
    ['type=oci,dest', 'ERR_USAGE', 'Cannot use "dest" in an output'],
    ['type=oci,"dest=a', 'ERR_USAGE', 'Cannot use the output "type=oci,"dest=a"'],
    ['', 'ERR_USAGE', 'Cannot use "" in an output'],
    ['type=oci,dest=a,name=Bad', 'ERR_REFERENCE_INVALID', 'Cannot use "Bad" as an image name'],
    ['out', 'ERR_UNSUPPORTED', 'Cannot use the output type "local"'],
    ['-', 'ERR_UNSUPPORTED', 'Cannot use the output type "tar"'],
    ['type=docker', 'ERR_UNSUPPORTED', 'Cannot use the output type "docker"'],
    [
      'type=oci,dest=a,compression=zstd',
      'ERR_UNSUPPORTED',
      'Cannot use the output option "compression"',
    ],
  ];
  for (const [text, code, message] of failures) {
    it(`fails with ${code} for "${text}" (OUT-2, OUT-3)`, () => {
      assert.throws(
        () => parseOutput(text),
        (error) => hasCode(error, code) && error.message === message,
      );
    });
  }

  it('names what works where something does not', () => {
    assert.throws(
      () => parseOutput('type=registry'),
      (error) => hasCode(error, 'ERR_UNSUPPORTED') && /type=oci,dest=FILE/.test(error.hint ?? ''),
    );
  });
});
