import assert from 'node:assert/strict';
import { proxyFor } from '../../src/http/proxy.ts';

describe('proxyFor()', () => {
  const environment = {
    HTTP_PROXY: 'http://plain.proxy:3128',
    HTTPS_PROXY: 'secure.proxy:3129',
    NO_PROXY: 'a.example, .b.example ,10.0.0.0/8,192.168.1.1,c.example:8443,fd00::/8,*.d.example',
  };
  const cases = [
    ['http://registry.example/x', 'http://plain.proxy:3128/'],
    ['https://registry.example/x', 'http://secure.proxy:3129/'],
    // A domain stands for its hosts; with a dot in front for its hosts alone.
    ['https://a.example/', undefined],
    ['https://x.A.example/', undefined],
    ['https://xa.example/', 'http://secure.proxy:3129/'],
    ['https://b.example/', 'http://secure.proxy:3129/'],
    ['https://x.b.example/', undefined],
    ['https://x.d.example/', undefined],
    // Networks and addresses.
    ['https://10.1.2.3/', undefined],
    ['https://11.1.2.3/', 'http://secure.proxy:3129/'],
    ['https://192.168.1.1:5000/', undefined],
    ['https://[fd00::1]/', undefined],
    ['https://[fe80::1]/', 'http://secure.proxy:3129/'],
    // With a port.
    ['https://c.example:8443/', undefined],
    ['https://c.example/', 'http://secure.proxy:3129/'],
    // This machine never.
    ['http://localhost:5000/', undefined],
    ['http://127.9.9.9:5000/', undefined],
    ['http://[::1]:5000/', undefined],
  ] as const;
  for (const [address, expected] of cases) {
    it(`leads ${address} to ${expected ?? 'no proxy'}`, () => {
      assert.equal(proxyFor(new URL(address), environment)?.href, expected);
    });
  }

  it('takes upper case before lower case, and no proxy of a kind that it does not speak', () => {
    const url = new URL('https://x.example/');
    assert.equal(proxyFor(url, { https_proxy: 'http://low:1' })?.host, 'low:1');
    assert.equal(proxyFor(url, { https_proxy: 'low:1', HTTPS_PROXY: 'up:1' })?.host, 'up:1');
    assert.equal(proxyFor(url, { HTTPS_PROXY: 'socks5://s:1' }), undefined);
    assert.equal(proxyFor(url, { HTTPS_PROXY: 'p:1', NO_PROXY: '*' }), undefined);
    assert.equal(proxyFor(url, { HTTP_PROXY: 'p:1', ALL_PROXY: 'p:1' }), undefined);
    assert.equal(proxyFor(url, {}), undefined);
  });
});
