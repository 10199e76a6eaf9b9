/** Other users and groups where the kernel has only one: mode `single` with `emulateIDs`. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { ProcessSpec } from '../../native/protocol.ts';
import { describeUnless, itUnless } from '../support/missing.ts';
import { PROC_AND_DEV, type RunFixture, startFixture, whyNot } from '../support/run-fixture.ts';

describeUnless(whyNot('single'))('emulated ids', function () {
  this.timeout(120_000);
  let fixture: RunFixture;

  before(async () => {
    fixture = await startFixture('single');
  });
  after(async () => {
    await fixture?.close();
  });

  const sh = async (command: string, process: Partial<ProcessSpec> = {}) => {
    const changes = { mounts: PROC_AND_DEV, process: { emulateIDs: true, ...process } };
    const outcome = await fixture.sh(command, changes);
    return { code: outcome.reply?.exitCode, lines: outcome.stdout.trim().split('\n'), ...outcome };
  };
  const app = { uid: 1000, gid: 1001, groups: [27, 1001] } as const;

  it('tells a process its user and groups, and its children the same', async () => {
    const { lines } = await sh('id -u; id -g; id -G; (id -u); sh -c "id -u"', app);
    assert.deepEqual(lines, ['1000', '1001', '1001 27', '1000', '1000']);
  });

  it('keeps the owner through rename, link and copy', async () => {
    const { lines } = await sh(
      `echo > /f; chown 33:34 /f; mv /f /g; ln /g /h; cp -p /g /i; mkdir /d; chown 5 /d
       ln -s x /l; chown -h 6:7 /l; mv /l /d/m
       stat -c '%n %u:%g' /g /h /i /d /d/m; chown 0:0 /i; stat -c '%n %u:%g' /i`,
    );
    const owners = ['/g 33:34', '/h 33:34', '/i 33:34', '/d 5:0', '/d/m 6:7', '/i 0:0'];
    assert.deepEqual(lines, owners);
    assert.match(
      await readFile(join(dirname(fixture.upper()), 'owners'), 'latin1'),
      /^6:7 d\/m\0$/,
    );
  });

  it('makes files, directories, symlinks and FIFOs of who makes them', async () => {
    const { lines } = await sh(
      `umask 027; echo > /f; mkdir /d; ln -s x /l; mkfifo /p; stat -c '%n %u:%g %a' /f /d /l /p`,
      app,
    );
    const made = ['/f 1000:1001 640', '/d 1000:1001 750', '/l 1000:1001 777', '/p 1000:1001 640'];
    assert.deepEqual(lines, made);
  });

  it('makes what is in a directory with a set-group-ID bit its group’s', async () => {
    const { lines } = await sh(
      `mkdir /d; chown 7:8 /d; chmod 2775 /d; echo > /d/f; mkdir /d/d; stat -c '%u:%g %a' /d/f /d/d`,
    );
    assert.deepEqual(lines, ['0:8 644', '0:8 2755']);
  });

  it('takes set-ID bits away when the owner changes', async () => {
    const { lines } = await sh(`echo > /f; chmod 6755 /f; chown 7:8 /f; stat -c '%u:%g %a' /f`);
    assert.deepEqual(lines, ['7:8 755']);
  });

  it('lets nobody but root give files away, or become somebody', async () => {
    const { lines } = await sh(
      `echo > /f; chown 0 /f || echo no; chgrp 27 /f && stat -c %g /f; chgrp 5 /f || echo no
       mknod /n c 1 3 || echo no`,
      app,
    );
    assert.deepEqual(lines, ['no', '27', 'no', 'no']);
  });

  it('makes devices that can be seen and not opened as such', async () => {
    const { lines } = await sh(`mknod /n c 1 3; stat -c '%F %t:%T' /n; echo x > /n; cat /n`);
    assert.deepEqual(lines, ['character special file 1:3', 'x']);
  });

  it('knows the owners in another root', async () => {
    const { lines } = await sh(
      `mkdir -p /r/bin; cp /bin/busybox /r/bin/sh; cp /bin/busybox /r/bin/busybox
       chroot /r sh -c 'echo > /f; busybox chown 3:4 /f; busybox ln -s a /l; busybox chown -h 5:6 /l'
       stat -c '%n %u:%g' /r/f /r/l; ls /f`,
    );
    assert.deepEqual(lines, ['/r/f 3:4', '/r/l 5:6']);
  });

  it('reaches nothing outside of the root, whatever is named', async () => {
    const host = dirname(fixture.upper());
    const names = ['self/../1/root', 'self/root/../../1/root', 'thread-self/../../1/root'];
    const attempts = names.flatMap((name) => {
      const path = `/proc/${name}${host}/escaped`;
      return [`mkdir ${path}`, `echo > ${path}`, `ln -s x ${path}`, `chown 5 /proc/${name}${host}`];
    });
    await sh(`${attempts.join('; ')}; mkdir /dev/fd/../../..${host}/escaped; true`, app);
    assert.equal(existsSync(join(host, 'escaped')), false);
    assert.ok(!(await readdir(host)).includes('escaped'));
  });

  it('knows the owners that layers below have, of symlinks too', async () => {
    await sh('echo > /f; chown 5:6 /f; ln -s f /l; chown -h 7:8 /l; ln -s f /m; chown -h 7:8 /m');
    const layers = [fixture.layer, fixture.upper()];
    const changes = { layers, mounts: PROC_AND_DEV, process: { emulateIDs: true } };
    const { stdout } = await fixture.sh(
      `stat -c '%n %u:%g' /f /l; echo more >> /f; mv /l /k; rm /m; ln -s f /m; stat -c '%n %u:%g' /f /k /m`,
      changes,
    );
    const owners = ['/f 5:6', '/l 7:8', '/f 5:6', '/k 7:8', '/m 0:0'];
    assert.deepEqual(stdout.trim().split('\n'), owners);
  });

  itUnless(whyNoAttributes())('knows who a file belongs to that is mounted', async () => {
    const content = Buffer.from('x').toString('base64');
    const file = { content, uid: 1234, gid: 5678, mode: 0o440, readonly: true, flags: [] } as const;
    const { stdout } = await fixture.sh(`stat -c '%u:%g %a' /etc/key`, {
      mounts: [...PROC_AND_DEV, { kind: 'file', target: '/etc/key', ...file }],
      process: { emulateIDs: true },
    });
    assert.equal(stdout, '1234:5678 440\n');
  });

  it('hides its attribute', async () => {
    const { lines } = await sh(
      `echo > /f; chown 5 /f; cp -a /f /g; stat -c %u /g; cat /proc/version >/f`,
    );
    assert.deepEqual(lines, ['5']);
  });

  it('ends with the command, whoever still asks', async () => {
    const { code } = await sh(
      '(while :; do chown 5 /f; done) 2>/dev/null & (while :; do id; done) >/dev/null & exit 3',
    );
    assert.equal(code, 3);
    assert.equal((await sh('id -u')).stdout, '0\n');
  });
});

/** What is mounted from memory has attributes of users' own since Linux 6.6. */
function whyNoAttributes(): string | undefined {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 6) ? undefined : 'needs Linux 6.6';
}
