import assert from 'node:assert/strict';
import type { MountOperation } from '../../native/index.ts';
import { maskMounts, parseHost, rootMounts, textFile } from '../../src/solve/root-mounts.ts';

const OPTIONS = {
  shmSize: undefined,
  hostname: 'machine',
  resolvConf: 'nameserver 192.0.2.1\n',
  addHosts: [],
};

function textAt(mounts: readonly MountOperation[], target: string): string {
  const found = mounts.find((mount) => mount.target === target);
  assert.equal(found?.kind, 'file');
  return Buffer.from(found.content, 'base64').toString();
}

describe('rootMounts()', () => {
  it('has /proc, /dev and /sys, in an order that can be mounted (EX-5)', () => {
    const targets = rootMounts(OPTIONS).map(({ target }) => target);
    for (const [number, target] of targets.entries()) {
      const parent = target.slice(0, target.lastIndexOf('/'));
      if (parent.startsWith('/dev')) assert.ok(targets.indexOf(parent) < number, target);
    }
    for (const target of ['/proc', '/dev/null', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys']) {
      assert.ok(targets.includes(target), target);
    }
    for (const target of ['/run', '/dev/fuse', '/dev/kvm', '/etc/hostname']) {
      assert.ok(!targets.includes(target), target);
    }
  });

  it('makes /dev/shm 64 MiB, or as large as asked for (EX-5)', () => {
    const sizeOf = (shmSize: number | undefined) => {
      const found = rootMounts({ ...OPTIONS, shmSize }).findLast((m) => m.target === '/dev/shm');
      return found?.kind === 'tmpfs' ? found.size : undefined;
    };
    assert.equal(sizeOf(undefined), 64 * 1024 * 1024);
    assert.equal(sizeOf(4096), 4096);
  });

  it('shows the resolver as it is given, read-only (EX-6, EX-8)', () => {
    const mounts = rootMounts(OPTIONS);
    assert.equal(textAt(mounts, '/etc/resolv.conf'), OPTIONS.resolvConf);
    const file = mounts.find(({ target }) => target === '/etc/resolv.conf');
    assert.deepEqual(file, textFile('/etc/resolv.conf', OPTIONS.resolvConf));
    assert.equal(file?.kind === 'file' && file.readonly, true);
  });

  it('knows itself, and the hosts that were added (EX-7)', () => {
    const addHosts = ['db:192.0.2.7', 'six=[2001:db8::1]'];
    assert.equal(
      textAt(rootMounts({ ...OPTIONS, addHosts }), '/etc/hosts'),
      '127.0.0.1\tlocalhost machine\n' +
        '::1\tlocalhost ip6-localhost ip6-loopback\n' +
        '192.0.2.7\tdb\n' +
        '2001:db8::1\tsix\n',
    );
  });
});

describe('maskMounts()', () => {
  it('hides and protects what Docker does (EX-4)', () => {
    const of = (kind: string) =>
      maskMounts()
        .filter((mount) => mount.kind === kind)
        .map(({ target }) => target);
    assert.equal(of('mask').length, 11);
    assert.ok(of('mask').includes('/proc/kcore'));
    assert.deepEqual(of('readonly'), [
      '/proc/bus',
      '/proc/fs',
      '/proc/irq',
      '/proc/sys',
      '/proc/sysrq-trigger',
    ]);
  });
});

describe('parseHost()', () => {
  const cases: readonly (readonly [host: string, name: string, address: string])[] = [
    ['db:192.0.2.7', 'db', '192.0.2.7'],
    ['db=192.0.2.7', 'db', '192.0.2.7'],
    ['six:2001:db8::1', 'six', '2001:db8::1'],
    ['six=::1', 'six', '::1'],
    ['six:[::1]', 'six', '::1'],
    ['up:host-gateway', 'up', '127.0.0.1'],
  ];
  for (const [host, name, address] of cases) {
    it(`reads "${host}" as ${name} at ${address}`, () => {
      assert.deepEqual(parseHost(host), { name, address });
    });
  }

  for (const host of ['db', 'db:', ':192.0.2.7', 'db:1 2', 'a b:192.0.2.7', 'db:192.0.2.7\nx']) {
    it(`rejects ${JSON.stringify(host)}`, () => {
      assert.throws(() => parseHost(host), { code: 'ERR_USAGE' });
    });
  }
});
