import assert from 'node:assert/strict';
import { resolvConfFor } from '../../src/solve/run-network.ts';

const NONE = { nameservers: [], search: [], options: [] };
const STUB = 'nameserver 127.0.0.53\noptions edns0\nsearch a.test\n';

describe('resolvConfFor()', () => {
  it("is the host's file where the host's network is (EX-8)", () => {
    const host = { resolvConf: `# told by nobody\n${STUB}`, upstream: 'nameserver 192.0.2.1\n' };
    assert.equal(resolvConfFor('default', host, NONE), host.resolvConf);
    assert.equal(resolvConfFor('none', host, NONE), host.resolvConf);
  });

  it("has systemd-resolved's own servers for its stub in a private network (EX-8)", () => {
    const host = { resolvConf: STUB, upstream: 'nameserver 192.0.2.1\nsearch b.test\n' };
    const expected = 'nameserver 192.0.2.1\nsearch b.test\n';
    assert.equal(resolvConfFor('private', host, NONE), expected);
  });

  it('leaves loopback addresses out of a private network, where nobody listens to them (EX-8)', () => {
    const mixed = 'nameserver 127.0.0.1\nnameserver 192.0.2.9\nnameserver ::1\n';
    const host = { resolvConf: mixed, upstream: '' };
    assert.equal(resolvConfFor('private', host, NONE), 'nameserver 192.0.2.9\n');
    const alone = { resolvConf: 'nameserver ::1\n', upstream: '' };
    assert.equal(resolvConfFor('private', alone, NONE), 'nameserver 10.0.2.3\n');
  });

  it('takes what flags say for what it replaces, and the rest from the host', () => {
    const host = { resolvConf: STUB, upstream: '' };
    const dns = { ...NONE, nameservers: ['192.0.2.2'], search: ['.'] };
    const expected = 'nameserver 192.0.2.2\noptions edns0\n';
    assert.equal(resolvConfFor('default', host, dns), expected);
  });
});
