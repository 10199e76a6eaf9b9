import assert from 'node:assert/strict';
import { parseMount } from '../../parser/index.ts';
import type { Step } from '../../src/plan/step.ts';
import type { BaseImage } from '../../src/solve/layer.ts';
import { guardedSecrets } from '../../src/solve/secret-guard.ts';

/** A plan with one RUN that mounts these secrets: all of a plan that is looked at. */
function stepsWith(...ids: readonly string[]): readonly Step<BaseImage>[] {
  const mounts = ids.map((id) => ({ mount: parseMount(`type=secret,id=${id}`) }));
  return [{ kind: 'run', mounts }] as unknown as readonly Step<BaseImage>[];
}

function guarded(
  secrets: Readonly<Record<string, string>>,
  steps: readonly Step<BaseImage>[],
  unguarded: readonly string[] = [],
): Readonly<Record<string, string>> {
  const given = new Map(Object.entries(secrets).map(([id, text]) => [id, Buffer.from(text)]));
  const found = guardedSecrets(steps, given, unguarded);
  return Object.fromEntries(found.map(({ id, bytes }) => [id, bytes.toString()]));
}

describe('guardedSecrets() (T-55)', () => {
  it('are those that a RUN mounts, but for what is let go', () => {
    const secrets = { a: 'the first', b: 'the second', c: 'the third' };
    assert.deepEqual(guarded(secrets, stepsWith('a', 'b', 'd'), ['b']), { a: 'the first' });
  });

  it('are looked for without the blanks around them, from eight bytes on', () => {
    const secrets = { a: ' \n12345678\r\n', b: '1234567\n', c: '  \n ', d: 'a b\nc d e\n' };
    assert.deepEqual(guarded(secrets, stepsWith('a', 'b', 'c', 'd')), {
      a: '12345678',
      d: 'a b\nc d e',
    });
  });
});
