import assert from 'node:assert/strict';
import { type NamedContextValue, parseNamedContext } from '../../src/context/named-context.ts';

describe('parseNamedContext()', () => {
  const directory = (name: string): NamedContextValue => ({
    kind: 'files',
    source: { kind: 'directory', directory: name },
  });
  const cases: readonly (readonly [value: string, parsed: NamedContextValue])[] = [
    ['../lib', directory('../lib')],
    ['gitty', directory('gitty')],
    ['docker-image://alpine:3', { kind: 'image', reference: 'alpine:3' }],
    ['docker-image:alpine:3', { kind: 'image', reference: 'alpine:3' }],
    ['docker-image://scratch', { kind: 'scratch' }],
    ['oci-layout://dir:tag', { kind: 'oci-layout', location: 'oci-layout://dir:tag' }],
    [
      'https://example.com/x.tar',
      { kind: 'files', source: { kind: 'http', url: 'https://example.com/x.tar' } },
    ],
  ];
  for (const [value, parsed] of cases) {
    it(`takes ${value} for a context of the kind ${parsed.kind} (CTX-6)`, () => {
      assert.deepEqual(parseNamedContext('name', value), parsed);
    });
  }

  for (const value of [
    'https://example.com/x.git#main',
    'git@example.com:x.git',
    'git://example.com/x',
    'ssh://git@example.com/x',
    'github.com/moby/buildkit',
  ]) {
    it(`takes ${value} for a repository (CTX-3, CTX-6)`, () => {
      const parsed = parseNamedContext('name', value);
      assert.equal(parsed.kind === 'files' && parsed.source.kind, 'git');
    });
  }

  const refused = [
    ['target:base', '"target:" names a target of "docker buildx bake"'],
    ['input:base', '"input:" names the result of another build'],
  ] as const;
  for (const [value, why] of refused) {
    it(`refuses ${value}, and says why (CTX-6)`, () => {
      assert.throws(() => parseNamedContext('lib', value), {
        code: 'ERR_CONTEXT_UNSUPPORTED',
        message: `Cannot use "${value}" as the build context "lib": ${why}`,
        details: { context: value },
      });
    });
  }
});
