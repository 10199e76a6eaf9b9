import assert from 'node:assert/strict';
import { type ErrorDetails, TsbuildError } from '../../src/errors.ts';
import { rungsFor, type UsableRung } from '../../src/solve/rungs.ts';

const NOBODY = { uid: 54_321, gid: 54_322, user: 'tsbuild-nobody' };

function failure(operation: string): TsbuildError {
  const details: ErrorDetails['ERR_SANDBOX_FAILED'] = { operation };
  return new TsbuildError('ERR_SANDBOX_FAILED', { message: 'Cannot do it: EPERM', details });
}

async function usable(machine: typeof NOBODY, mode: string): Promise<UsableRung> {
  const rung = (await rungsFor(machine)).find(
    (each) => each.kind === 'usable' && each.mode === mode,
  );
  assert.equal(rung?.kind, 'usable');
  return rung;
}

describe('rungsFor()', () => {
  it('offers root mount namespaces, then one id', async () => {
    const rungs = await rungsFor({ uid: 0, gid: 0, user: 'root' });
    assert.deepEqual(
      rungs.map((rung) => rung.kind === 'usable' && rung.mode),
      ['root', 'single'],
    );
  });

  it('refuses sub-ids to a user who has none, and says how to add them', async () => {
    const [refused] = await rungsFor(NOBODY);
    assert.equal(refused?.kind, 'refused');
    assert.match(refused.reason, /\/etc\/subuid has no line for "tsbuild-nobody" \(add one with/);
  });

  it('maps the user alone to root where there is one id', async () => {
    const { uidMap, gidMap } = await usable(NOBODY, 'single');
    assert.equal(uidMap, '0:54321:1');
    assert.equal(gidMap, '0:54322:1');
  });

  const settings: readonly (readonly [operation: string, setting: RegExp])[] = [
    ['UserNamespace', /kernel\.apparmor_restrict_unprivileged_userns=0/],
    ['IdMap', /package "uidmap"/],
    ['OverlayMount', /it needs Linux 5\.\d+, and the store must not itself be on overlay/],
    ['ProcMount', /systempaths=unconfined/],
    ['Other', /^Cannot do it: EPERM$/],
  ];
  for (const [operation, setting] of settings) {
    it(`names what to change when ${operation} fails`, async () => {
      const rung = await usable(NOBODY, 'single');
      assert.match(rung.explain(failure(operation)), setting);
    });
  }

  it('says what root needs', async () => {
    const rung = await usable({ uid: 0, gid: 0, user: 'root' }, 'root');
    assert.match(rung.explain(failure('MountNamespace')), /CAP_SYS_ADMIN/);
  });
});
