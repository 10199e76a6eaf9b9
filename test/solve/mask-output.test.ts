import assert from 'node:assert/strict';
import { OutputMask } from '../../src/solve/mask-output.ts';

const SECRETS = ['secret12', 'secret123456', 'stream-of'].map((text) => Buffer.from(text));

/** What comes out for chunks of stdout, piece by piece, and at the end. */
function masked(chunks: readonly string[], secrets = SECRETS): readonly string[] {
  const out: string[] = [];
  const mask = new OutputMask(secrets, (_, data) => out.push(Buffer.from(data).toString()));
  for (const chunk of chunks) mask.write('stdout', Buffer.from(chunk));
  mask.end();
  return out;
}

describe('OutputMask (T-55)', () => {
  it('masks a secret wherever it is cut', () => {
    const text = 'a secret12 b stream-of c';
    for (let cut = 0; cut <= text.length; cut++) {
      const chunks = [text.slice(0, cut), text.slice(cut)];
      assert.equal(masked(chunks).join(''), 'a *** b *** c', `cut at ${cut}`);
    }
    assert.equal(masked([...text]).join(''), 'a *** b *** c');
  });

  it('masks the longer of two that begin alike', () => {
    assert.equal(masked(['<secret123456>']).join(''), '<***>');
  });

  it('holds back only what may become a secret, and gives it at the end', () => {
    assert.deepEqual(masked(['line\nsecre', 't1']), ['line\n', 'secret1']);
    assert.deepEqual(masked(['sec', 'ond']), ['second']);
  });

  it('changes nothing when there is nothing to mask, byte for byte', () => {
    assert.deepEqual(masked(['secret12', ''], []), ['secret12', '']);
  });

  it('does not mix the streams', () => {
    const out: string[] = [];
    const mask = new OutputMask(SECRETS, (stream) => out.push(stream));
    mask.write('stdout', Buffer.from('secr'));
    mask.write('stderr', Buffer.from('et12'));
    mask.end();
    assert.deepEqual(out.toSorted(), ['stderr', 'stdout']);
  });
});
