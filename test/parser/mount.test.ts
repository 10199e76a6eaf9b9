import assert from 'node:assert/strict';
import { parseMount } from '../../parser/index.ts';
import { hasCode } from '../../src/errors.ts';

describe('parseMount()', () => {
  it('RUN-9, RUN-14: takes bind for the type, and its defaults', () => {
    assert.deepEqual(parseMount('target=/x'), {
      kind: 'bind',
      target: '/x',
      from: undefined,
      source: '/',
      readonly: true,
    });
  });

  it('RUN-10: knows the aliases, in any case', () => {
    const mount = parseMount('TYPE=Bind,SRC=a,dst=/x,rw,from=stage');
    assert.deepEqual(mount, {
      kind: 'bind',
      target: '/x',
      from: 'stage',
      source: 'a',
      readonly: false,
    });
  });

  it('RUN-16: reads a cache mount', () => {
    const mount = parseMount('type=cache,target=/c,id=k,sharing=LOCKED,mode=0755,uid=1,gid=2,ro');
    assert.deepEqual(mount, {
      kind: 'cache',
      target: '/c',
      id: 'k',
      sharing: 'locked',
      from: undefined,
      source: undefined,
      readonly: true,
      mode: 0o755,
      uid: 1,
      gid: 2,
    });
  });

  for (const [size, bytes] of [
    ['64m', 64 << 20],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['100', 100],
    ['2 kb', 2048],
    ['7B', 7],
    ['0', undefined],
    ['.5k', 512],
    ['1e3', 1000],
    ['+2.k', 2048],
  ] as const) {
    it(`RUN-19: reads size=${size}`, () => {
      const mount = parseMount(`type=tmpfs,target=/t,size=${size}`);
      assert.equal(mount.kind === 'tmpfs' && mount.size, bytes);
    });
  }

  for (const [text, id, target, env] of [
    ['id=s', 's', '/run/secrets/s', undefined],
    ['source=a/s', 'a/s', '/run/secrets/s', undefined],
    ['target=/etc/s', 's', '/etc/s', undefined],
    ['id=s,env=S', 's', undefined, 'S'],
    ['id=s,env=S,target=/t', 's', '/t', 'S'],
  ] as const) {
    it(`RUN-20: gives type=secret,${text} its defaults`, () => {
      const rest = { required: false, mode: 0o400, uid: 0, gid: 0 };
      assert.deepEqual(parseMount(`type=secret,${text}`), {
        kind: 'secret',
        id,
        target,
        env,
        ...rest,
      });
    });
  }

  it('RUN-22: gives an ssh mount its defaults', () => {
    assert.deepEqual(parseMount('type=ssh,required'), {
      kind: 'ssh',
      id: 'default',
      target: undefined,
      required: true,
      mode: 0o600,
      uid: 0,
      gid: 0,
    });
  });

  it('RUN-18: takes private sharing, which Buildah does not have', () => {
    const mount = parseMount('type=cache,target=/c,sharing=private');
    assert.equal(mount.kind === 'cache' && mount.sharing, 'private');
  });

  it('RUN-8: reads quoted fields', () => {
    const mount = parseMount('type=bind,"target=/a,b""c"');
    assert.equal(mount.target, '/a,b"c');
  });

  it('RUN-12: expands values after the commas are split', () => {
    const mount = parseMount('target=$x', { expand: () => '/a,readwrite' });
    assert.equal(mount.target, '/a,readwrite');
  });

  for (const [text, problem] of [
    ['type=tmp', 'unsupported mount type "tmp"'],
    ['type=bnd', '(did you mean bind?)'],
    ['tagret=/x', "unexpected key 'tagret' in 'tagret=/x' (did you mean target?)"],
    ['target', "invalid field 'target' must be a key=value pair"],
    ['type=tmpfs,sharing=shared', 'invalid cache sharing set for tmpfs mount'],
    ['type=cache,sharing=lock', 'unsupported sharing value "lock"'],
    ['size=1m', "unexpected key 'size' for mount type 'bind'"],
    ['type=tmpfs,size=x', 'invalid value for size: x'],
    ['type=tmpfs,size=1ki', 'invalid value for size: 1ki'],
    ['type=tmpfs,size=1ib', 'invalid value for size: 1ib'],
    ['type=tmpfs,size=1  m', 'invalid value for size: 1  m'],
    ['type=tmpfs,size=-1', 'invalid value for size: -1'],
    ['required', "unexpected key 'required' for mount type 'bind'"],
    ['type=bind,mode=0755', 'mode not allowed for "bind" type mounts'],
    ['type=cache,mode=9', 'invalid value 9 for mode'],
    ['type=cache,uid=-1', 'invalid value -1 for uid'],
    ['ro=maybe', 'invalid value for ro: maybe'],
    ['type=secret', 'invalid secret mount. one of source, target required'],
    ['type=ssh,source=a', 'ssh does not support source'],
    ['type=secret,id=a,src=b', "both source and id can't be set"],
    ['type=secret,id=a,from=b', 'secret mount should not have a from'],
    ['', 'failed to parse csv mounts'],
    ['a"b', 'failed to parse csv mounts'],
  ] as const) {
    it(`RUN-8 to RUN-22: rejects "${text}"`, () => {
      assert.throws(
        () => parseMount(text),
        (error) => hasCode(error, 'ERR_INSTRUCTION_INVALID') && error.message.includes(problem),
      );
    });
  }
});
