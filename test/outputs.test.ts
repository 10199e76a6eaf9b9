import assert from 'node:assert/strict';
import { hasCode } from '../src/errors.ts';
import { USUAL_FORM } from '../src/export/index.ts';
import type { BuildOptions } from '../src/index.ts';
import { readOutputs } from '../src/outputs.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ONE = { platforms: [AMD64], isIndex: false };
const TWO = { platforms: [AMD64, { os: 'linux', architecture: 'arm64' }], isIndex: true };

function read(options: Omit<BuildOptions, 'context'>, built = ONE) {
  return readOutputs({ context: '.', ...options }, built);
}

describe('readOutputs()', () => {
  const kinds = (options: Omit<BuildOptions, 'context'>) =>
    read(options).outputs.map(({ kind }) => kind);

  it('adds what --load and --push mean, unless it is there (BXS-2)', () => {
    assert.deepEqual(kinds({ load: true }), ['docker']);
    assert.deepEqual(kinds({ load: true, outputs: ['type=docker'] }), ['docker']);
    assert.deepEqual(kinds({ load: true, outputs: ['type=docker,dest=a'] }), ['docker', 'docker']);
    const both = { load: true, push: true, tags: ['a'], outputs: ['out'] };
    assert.deepEqual(kinds(both), ['local', 'image', 'docker']);
  });

  it('answers the form of the first image', () => {
    assert.deepEqual(read({}).form, USUAL_FORM);
    // Only files are wanted: the image that nobody asked for is not compressed, unless it has a name.
    const files = ['out', 'type=cacheonly'];
    assert.deepEqual(read({ outputs: files }).form, { ...USUAL_FORM, compression: 'none' });
    assert.deepEqual(read({ outputs: files, tags: ['a'] }).form, USUAL_FORM);
    const zstd = 'type=oci,dest=a,compression=zstd';
    assert.equal(read({ outputs: ['out', zstd, 'type=docker'] }).form.compression, 'zstd');
    assert.equal(read({ load: true }).form.mediaTypes, 'docker');
  });

  it('gives --annotation to every image, before its own (5.2)', () => {
    const outputs = ['type=oci,dest=a,annotation.k=2', 'type=docker'];
    const { outputs: given } = read({ annotations: ['k=1'], outputs });
    const values = given.map((output) =>
      'form' in output ? output.form.annotations.map(({ value }) => value) : [],
    );
    assert.deepEqual(values, [['1', '2'], ['1']]);
    assert.equal(read({ annotations: ['k=1'] }).form.annotations.length, 1);
  });

  for (const [what, options, built, message] of [
    [
      'an archive for docker of several platforms (TAR-1)',
      { load: true },
      TWO,
      'docker exporter does not currently support exporting manifest lists',
    ],
    [
      'the files of several platforms in one folder (LOC-1)',
      { outputs: ['type=local,dest=a,platform-split=false'] },
      TWO,
      'Cannot write the files of several platforms into one directory',
    ],
    [
      'two outputs on one stream',
      { outputs: ['-', 'type=oci,dest=-'] },
      ONE,
      'Cannot write two outputs to the standard output',
    ],
    [
      'mode=delete that nobody allowed (LOC-1)',
      { outputs: ['type=local,dest=a,mode=delete'] },
      ONE,
      'Cannot use mode=delete: it deletes what is in the directory and not in the image',
    ],
    [
      'annotations of an index that there will not be (5.2)',
      { annotations: ['index:a=b'] },
      ONE,
      'index annotations not supported for single platform export',
    ],
    [
      'annotations that Docker has no place for (5.2)',
      { annotations: ['a=b'], outputs: ['type=docker,oci-mediatypes=false'] },
      ONE,
      'cannot export annotations with "oci-mediatypes=false"',
    ],
  ] as const) {
    it(`refuses ${what} before anything is built`, () => {
      assert.throws(
        () => read(options, built),
        (error) => hasCode(error, 'ERR_USAGE') && error.message === message,
      );
    });
  }

  it('takes what was allowed, and an index with annotations', () => {
    const outputs = ['type=local,dest=a,mode=delete'];
    assert.ok(read({ outputs, allow: ['buildx.local.delete'] }));
    assert.ok(read({ outputs: ['type=oci,dest=a'], annotations: ['index:a=b'] }, TWO));
  });
});
