import assert from 'node:assert/strict';
import { resolveOwner, resolveUser } from '../../src/tree/owner.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# a comment
broken:x:::
app:x:1000:1001:App:/home/app:/bin/sh
42:x:7:8::/odd:
`;
const GROUP = `root:x:0:
wheel:x:10:root,app
app:x:1001:
video:x:27:other,app
`;

describe('resolveOwner()', () => {
  const owners: readonly (readonly [spec: string, uid: number, gid: number])[] = [
    ['app', 1000, 1001],
    ['app:wheel', 1000, 10],
    ['app:5', 1000, 5],
    ['1000', 1000, 1000],
    ['42', 42, 42],
    ['5:video', 5, 27],
    ['5:6', 5, 6],
    ['app:', 1000, 1001],
    [':wheel', 0, 10],
    ['0', 0, 0],
  ];
  for (const [spec, uid, gid] of owners) {
    it(`reads "${spec}" as ${uid}:${gid} (CP-13)`, () => {
      assert.deepEqual(resolveOwner(spec, PASSWD, GROUP), { uid, gid });
    });
  }

  it('needs no files for numbers (CP-13)', () => {
    assert.deepEqual(resolveOwner('1:2', undefined, undefined), { uid: 1, gid: 2 });
  });

  for (const spec of ['nobody', 'app:nobody', 'broken', '4294967295', '-1']) {
    it(`rejects "${spec}", which the image does not know (CP-13)`, () => {
      assert.throws(() => resolveOwner(spec, PASSWD, GROUP), { code: 'ERR_OWNER_UNKNOWN' });
      assert.throws(() => resolveOwner(spec, undefined, undefined), { code: 'ERR_OWNER_UNKNOWN' });
    });
  }
});

describe('resolveUser()', () => {
  it('gives a user its groups and its home (META-4)', () => {
    const app = { uid: 1000, gid: 1001, groups: [1001, 10, 27], home: '/home/app' };
    assert.deepEqual(resolveUser('app', PASSWD, GROUP), app);
    assert.deepEqual(resolveUser('1000', PASSWD, GROUP), app);
  });

  it('gives no supplementary groups when a group is named (META-4)', () => {
    const app = { uid: 1000, gid: 27, groups: [27], home: '/home/app' };
    assert.deepEqual(resolveUser('app:video', PASSWD, GROUP), app);
    assert.deepEqual(resolveUser('1000:27', PASSWD, GROUP), app);
  });

  it('takes unknown numbers, with gid 0 (META-4)', () => {
    const user = { uid: 42, gid: 0, groups: [0], home: '/' };
    assert.deepEqual(resolveUser('42', PASSWD, GROUP), user);
    assert.deepEqual(resolveUser('42', undefined, undefined), user);
  });

  it('is root when there is no user', () => {
    assert.deepEqual(resolveUser('', PASSWD, GROUP), {
      uid: 0,
      gid: 0,
      groups: [0, 10],
      home: '/root',
    });
    assert.deepEqual(resolveUser('', undefined, undefined).home, '/root');
  });

  it('rejects an unknown name in the words of BuildKit (META-4)', () => {
    assert.throws(() => resolveUser('x', PASSWD, GROUP), {
      code: 'ERR_OWNER_UNKNOWN',
      details: { owner: 'x' },
      message: /unable to find user x: no matching entries in passwd file$/,
    });
    assert.throws(() => resolveUser('app:x', PASSWD, GROUP), {
      code: 'ERR_OWNER_UNKNOWN',
      message: /unable to find group x: no matching entries in group file$/,
    });
  });
});
