import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { type ErrorDetails, TsbuildError } from '../../src/errors.ts';
import { type Attempt, diagnose } from '../../src/solve/diagnose.ts';
import type { Facts } from '../../src/solve/facts.ts';

const EVERYTHING: Facts = {
  kernel: '6.8.0-45-generic',
  unprivilegedUserns: undefined,
  maxUserns: 28_633,
  apparmorUserns: undefined,
  hasUserns: true,
  hasOverlay: true,
  hasSeccomp: false,
  noNewPrivs: false,
  bounding: 0xffffffffffn,
  isChroot: false,
  container: undefined,
  systems: ['debian'],
  newuidmap: { path: '/usr/bin/newuidmap', isSetuid: true },
  newgidmap: { path: '/usr/bin/newgidmap', isSetuid: true },
};

function failure(operation: string, errnoName = 'EPERM', message = 'Cannot do it: EPERM') {
  const details: ErrorDetails['ERR_SANDBOX_FAILED'] = { operation };
  return new TsbuildError('ERR_SANDBOX_FAILED', { message, details, cause: { errnoName } });
}

interface Case {
  readonly what: string;
  readonly operation: string;
  readonly mode?: Attempt['mode'];
  readonly errno?: string;
  readonly facts: Partial<Facts>;
  readonly reason: RegExp;
  readonly fix: RegExp;
}

const NO_SYS_ADMIN = EVERYTHING.bounding & ~(1n << 21n);

const CASES: readonly Case[] = [
  {
    what: 'ISO-1: AppArmor, seen when the namespace is made',
    operation: 'UserNamespace',
    facts: { apparmorUserns: 1 },
    reason: /AppArmor gives no rights/,
    fix: /^sudo sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0/,
  },
  {
    what: 'ISO-1: AppArmor, seen one step later',
    operation: 'MountNamespace',
    facts: { apparmorUserns: 1 },
    reason: /AppArmor gives no rights/,
    fix: /kernel\.apparmor_restrict_unprivileged_userns=0/,
  },
  {
    what: 'ISO-1: AppArmor, seen when the one id is mapped',
    operation: 'IdMap',
    facts: { apparmorUserns: 1 },
    reason: /AppArmor gives no rights/,
    fix: /kernel\.apparmor_restrict_unprivileged_userns=0/,
  },
  {
    what: 'a Debian of old',
    operation: 'UserNamespace',
    facts: { unprivilegedUserns: 0 },
    reason: /kernel\.unprivileged_userns_clone is 0/,
    fix: /^sudo sysctl -w kernel\.unprivileged_userns_clone=1/,
  },
  {
    what: 'a limit of none',
    operation: 'UserNamespace',
    errno: 'ENOSPC',
    facts: { maxUserns: 0 },
    reason: /user\.max_user_namespaces is 0/,
    fix: /^sudo sysctl -w user\.max_user_namespaces=\d+/,
  },
  {
    what: 'a limit that is reached',
    operation: 'UserNamespace',
    errno: 'ENOSPC',
    facts: {},
    reason: /too many/,
    fix: /user\.max_user_namespaces/,
  },
  {
    what: 'a kernel without user namespaces',
    operation: 'UserNamespace',
    facts: { hasUserns: false },
    reason: /this kernel has none/,
    fix: /CONFIG_USER_NS/,
  },
  {
    what: 'a chroot',
    operation: 'UserNamespace',
    facts: { isChroot: true },
    reason: /chroot/,
    fix: /outside/,
  },
  {
    what: 'ISO-2: the profile of a pod',
    operation: 'UserNamespace',
    facts: { hasSeccomp: true, container: 'kubernetes' },
    reason: /seccomp profile forbids unshare/,
    fix: /^securityContext\.seccompProfile\.type: Unconfined$/,
  },
  {
    what: 'the profile of docker',
    operation: 'UserNamespace',
    facts: { hasSeccomp: true, container: 'docker' },
    reason: /seccomp profile forbids unshare/,
    fix: /^docker run --security-opt seccomp=unconfined/,
  },
  {
    what: 'a root without CAP_SYS_ADMIN',
    operation: 'MountNamespace',
    mode: 'root',
    facts: { bounding: NO_SYS_ADMIN, container: 'docker' },
    reason: /CAP_SYS_ADMIN is missing/,
    fix: /--cap-add SYS_ADMIN/,
  },
  {
    what: 'newuidmap that is not there, on Debian',
    operation: 'IdMap',
    facts: { newuidmap: undefined },
    reason: /there is no newuidmap/,
    fix: /^sudo apt-get install uidmap$/,
  },
  {
    what: 'newgidmap that is not there, on Alpine',
    operation: 'IdMap',
    facts: { newgidmap: undefined, systems: ['alpine'] },
    reason: /there is no newgidmap/,
    fix: /^apk add shadow-uidmap$/,
  },
  {
    what: 'newuidmap that is not setuid',
    operation: 'IdMap',
    facts: { newuidmap: { path: '/usr/bin/newuidmap', isSetuid: false } },
    reason: /\/usr\/bin\/newuidmap not setuid root/,
    fix: /^sudo chmod u\+s \/usr\/bin\/newuidmap$/,
  },
  {
    what: 'no_new_privs',
    operation: 'IdMap',
    facts: { noNewPrivs: true, container: 'kubernetes' },
    reason: /no_new_privs/,
    fix: /allowPrivilegeEscalation: true/,
  },
  {
    what: 'ISO-4: a kernel without overlay',
    operation: 'OverlayMount',
    errno: 'ENODEV',
    facts: {},
    reason: /no overlay filesystem/,
    fix: /^sudo modprobe overlay$/,
  },
  {
    what: 'a kernel that is too old for overlay in user namespaces',
    operation: 'OverlayMount',
    facts: { kernel: '5.10.0-28-amd64' },
    reason: /Linux 5\.10\.0-28-amd64 has no overlay in user namespaces/,
    fix: /5\.12/,
  },
  {
    what: 'a store on a filesystem that will not do',
    operation: 'OverlayMount',
    facts: {},
    reason: /the store is on /,
    fix: /TSBUILD_STORE/,
  },
  {
    what: 'a masked /proc',
    operation: 'ProcMount',
    facts: { container: 'docker' },
    reason: /new \/proc/,
    fix: /systempaths=unconfined/,
  },
];

describe('diagnose()', () => {
  for (const { what, operation, mode = 'single', errno, facts, reason, fix } of CASES) {
    it(`names the one thing to change for ${what}`, async () => {
      const attempt = { error: failure(operation, errno), mode, scratch: tmpdir() };
      const refusal = await diagnose(attempt, { ...EVERYTHING, ...facts });
      assert.match(refusal.reason, reason);
      assert.match(refusal.fix ?? '', fix);
    });
  }

  it('tells what it does not know as the helper told it', async () => {
    const attempt: Attempt = { error: failure('Other'), mode: 'single', scratch: tmpdir() };
    assert.deepEqual(await diagnose(attempt, EVERYTHING), {
      reason: 'Cannot do it: EPERM',
      fix: undefined,
    });
  });
});
