import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { familiarName, formatReference, parseReference } from '../../src/oci/reference.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('parseReference()', () => {
  const full: readonly (readonly [string, string])[] = [
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['library/alpine', 'docker.io/library/alpine:latest'],
    ['user/app:v1', 'docker.io/user/app:v1'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/user/app', 'docker.io/user/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['registry:5000/app:v1', 'registry:5000/app:v1'],
    ['registry.example/a/b/c', 'registry.example/a/b/c:latest'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    ['Registry/app', 'Registry/app:latest'],
    ['a__b/c-d--e.f', 'docker.io/a__b/c-d--e.f:latest'],
    [`alpine@${DIGEST}`, `docker.io/library/alpine@${DIGEST}`],
    [`alpine:3@${DIGEST}`, `docker.io/library/alpine:3@${DIGEST}`],
  ];
  for (const [text, expected] of full) {
    it(`reads "${text}" as "${expected}"`, () => {
      const reference = parseReference(text);
      assert.equal(formatReference(reference), expected);
      assert.deepEqual(parseReference(expected), reference);
      assert.deepEqual(parseReference(familiarName(reference)), reference);
    });
  }

  const invalid = [
    '',
    'Alpine',
    'a//b',
    '/a',
    'a/',
    'a:',
    'a:-tag',
    `a:${'t'.repeat(129)}`,
    'a@sha256:12',
    `a@sha512:${'a'.repeat(128)}`,
    `a@${DIGEST}@${DIGEST}`,
    'a b',
    'a\n',
    '-host.example/a',
    'host.example:port/a',
    'a___b',
    '../a',
    'ab'.repeat(32),
    `user/${'a'.repeat(256)}`,
  ];
  for (const text of invalid) {
    it(`rejects ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => hasCode(error, 'ERR_REFERENCE_INVALID') && error.details.reference === text,
      );
    });
  }
});

describe('familiarName()', () => {
  it('leaves out what docker assumes, and the tag only when there is none', () => {
    assert.equal(familiarName(parseReference('docker.io/library/alpine')), 'alpine:latest');
    assert.equal(familiarName(parseReference('docker.io/user/app:1')), 'user/app:1');
    assert.equal(familiarName(parseReference('docker.io/library/a/b')), 'library/a/b:latest');
    assert.equal(familiarName(parseReference('localhost/app')), 'localhost/app:latest');
  });
});
