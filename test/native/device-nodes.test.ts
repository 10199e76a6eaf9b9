/** Which nodes of the root filesystem open by root: those of devices that the RUN has anyway, or none. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MountOperation } from '../../native/protocol.ts';
import { itUnless } from '../support/missing.ts';
import { PROC_AND_DEV, type RunFixture, startFixture, whyNot } from '../support/run-fixture.ts';

const why = whyNot('root');
/** Elsewhere, none opens. */
const areTold = why === undefined && hasGroups();

const MOUNTS: readonly MountOperation[] = [
  ...PROC_AND_DEV,
  { kind: 'device', name: 'zero', target: '/dev/zero' },
  { kind: 'sysfs', target: '/sys' },
  { kind: 'cgroup', target: '/sys/fs/cgroup' },
];

/** Makes a node, reads a byte of it, and says how many came or why not. */
const TRY =
  'try() { rm -f $1; mknod $1 $2 $3 $4; if head -c 1 $1 > /out 2> /err; then wc -c < /out; else busybox sed "s/.*: //" /err; fi; }';
const DENIED = areTold ? 'Operation not permitted' : 'Permission denied';
const NODES = ['c 1 5', 'c 1 1', 'b 8 0', 'c 1 7', 'c 10 229'];

describe('device nodes of the root filesystem', () => {
  let fixture: RunFixture;

  before(async () => {
    if (why === undefined) fixture = await startFixture('root');
  });
  after(async () => {
    if (why === undefined) await fixture.close();
  });

  const attempt = async (command: string, deviceNodes?: 'listed') => {
    const nodes = deviceNodes === undefined ? {} : { deviceNodes };
    const { stdout, error } = await fixture.sh(command, { mounts: MOUNTS, ...nodes });
    assert.equal(error, undefined);
    return stdout.trim().split('\n');
  };

  itUnless(why)('open when they are those of mounted devices, and no other does', async () => {
    const tries = NODES.map((node) => `try /n ${node}`).join('; ');
    assert.deepEqual(await attempt(`${TRY}; ${tries}`, 'listed'), [
      areTold ? '1' : DENIED,
      ...NODES.slice(1).map(() => DENIED),
    ]);
    // What debootstrap asks for.
    const mknod = 'mknod /null c 1 3 && echo test > /null && echo written';
    assert.deepEqual(await attempt(mknod, 'listed'), [areTold ? 'written' : '']);
  });

  itUnless(why)(
    'stay what they are, whatever the command does about groups and mounts',
    async () => {
      const leave =
        'for file in $(busybox find /sys/fs/cgroup -name cgroup.procs); do (echo 1 > $file) 2> /dev/null && echo left; done; mount -o remount,dev /dev 2> /dev/null && echo mounted';
      assert.deepEqual(
        await attempt(`${leave}; ${TRY}; try /n c 1 1; try /dev/n c 1 5`, 'listed'),
        [DENIED, 'Permission denied'],
      );
    },
  );

  itUnless(why)('do not open where nobody asks to tell devices apart', async () => {
    assert.deepEqual(await attempt(`${TRY}; try /n c 1 5`), ['Permission denied']);
  });
});

/** Whether groups of cgroup v2 can be made here, which tell devices apart. */
function hasGroups(): boolean {
  const [, tree] = / (\S+) cgroup2 /.exec(readFileSync('/proc/mounts', 'utf8')) ?? [];
  if (tree === undefined) return false;
  try {
    rmdirSync(mkdtempSync(join(tree, 'test-')));
    return true;
  } catch {
    return false;
  }
}
