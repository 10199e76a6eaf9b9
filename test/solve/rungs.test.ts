import assert from 'node:assert/strict';
import { type Isolation, type Rung, rungsFor } from '../../src/solve/rungs.ts';

const ROOT = { uid: 0, gid: 0, user: 'root' };
const NOBODY = { uid: 54_321, gid: 54_322, user: 'tsbuild-nobody' };

async function all(rungs: AsyncIterable<Rung>): Promise<readonly Rung[]> {
  const found: Rung[] = [];
  for await (const rung of rungs) found.push(rung);
  return found;
}

const modes = (rungs: readonly Rung[]): readonly string[] =>
  rungs.map(({ kind, mode }) => `${mode} ${kind}`);

describe('rungsFor()', () => {
  it('offers root mount namespaces, then its own ids in a user namespace, then one id', async () => {
    const rungs = await all(rungsFor(ROOT));
    assert.deepEqual(
      rungs.map(({ mode }) => mode),
      ['root', 'subids', 'single'],
    );
    const subids = rungs[1];
    if (subids?.kind === 'usable') assert.match(subids.uidMap ?? '', /^(\d+):\1:\d+/);
  });

  it('refuses sub-ids to a user who has none, and says how to add them', async () => {
    const [refused] = await all(rungsFor(NOBODY));
    assert.equal(refused?.kind, 'refused');
    assert.match(refused.reason, /\/etc\/subuid has no line for "tsbuild-nobody"/);
    assert.match(refused.fix ?? '', /^sudo usermod --add-subuids .* tsbuild-nobody$/);
  });

  it('maps the user alone to root where there is one id', async () => {
    const [single] = await all(rungsFor(NOBODY, 'single'));
    assert.equal(single?.kind, 'usable');
    assert.equal(single.uidMap, '0:54321:1');
    assert.equal(single.gidMap, '0:54322:1');
  });

  const forced: readonly (readonly [Isolation, string])[] = [
    ['root', 'root refused'],
    ['subids', 'subids refused'],
    ['single', 'single usable'],
  ];
  for (const [isolation, only] of forced) {
    it(`offers a user who asks for "${isolation}" nothing else`, async () => {
      assert.deepEqual(modes(await all(rungsFor(NOBODY, isolation))), [only]);
    });
  }
});
