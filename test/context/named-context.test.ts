import assert from 'node:assert/strict';
import { type NamedContextValue, parseNamedContext } from '../../src/context/named-context.ts';

describe('parseNamedContext()', () => {
  const cases: readonly (readonly [value: string, parsed: NamedContextValue])[] = [
    ['../lib', { kind: 'directory', directory: '../lib' }],
    ['gitty', { kind: 'directory', directory: 'gitty' }],
    ['docker-image://alpine:3', { kind: 'image', reference: 'alpine:3' }],
    ['oci-layout://dir:tag', { kind: 'oci-layout', location: 'oci-layout://dir:tag' }],
  ];
  for (const [value, parsed] of cases) {
    it(`takes ${value} for a ${parsed.kind} (CTX-6)`, () => {
      assert.deepEqual(parseNamedContext('name', value), parsed);
    });
  }

  for (const value of [
    'https://example.com/x.git',
    'http://example.com/x.tar',
    'git@example.com:x.git',
    'git://example.com/x',
    'ssh://example.com/x',
    'target:base',
    'input:base',
  ]) {
    it(`refuses ${value}, and says what it takes (CTX-6)`, () => {
      assert.throws(() => parseNamedContext('lib', value), {
        code: 'ERR_UNSUPPORTED',
        message: `Cannot use "${value}" as the build context "lib"`,
        details: { feature: 'remote build context' },
      });
    });
  }
});
