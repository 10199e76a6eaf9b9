import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import {
  formatAll,
  formatPlatform,
  hostPlatform,
  matchPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  parsePlatforms,
} from '../../src/oci/platform.ts';

const HOST: Platform = { os: 'linux', architecture: 'amd64' };
const parse = (text: string): string => formatAll(parsePlatform(text, HOST));

describe('parsePlatform()', () => {
  const spellings: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/x86-64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/v8.0', 'linux/arm64'],
    ['linux/arm64/v8.2', 'linux/arm64/v8.2'],
    ['linux/arm64/9', 'linux/arm64/v9'],
    ['linux/arm64/v9.0', 'linux/arm64/v9'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v8', 'linux/arm/v8'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows(10.0.17763.1)/amd64', 'windows(10.0.17763.1)/amd64'],
    ['linux/made-up/v.1', 'linux/made-up/v.1'],
    ['linux', 'linux/amd64'],
    ['windows(10.0)', 'windows(10.0)/amd64'],
    ['freebsd', 'freebsd/amd64'],
    ['arm64', 'linux/arm64'],
    ['aarch64', 'linux/arm64'],
    ['arm', 'linux/arm/v7'],
    ['s390x', 'linux/s390x'],
    ['local', 'linux/amd64'],
    ['LOCAL', 'linux/amd64'],
  ];
  for (const [text, normal] of spellings) {
    it(`reads ${text} as ${normal} (MP-2)`, () => {
      assert.equal(parse(text), normal);
    });
  }

  for (const text of ['', 'neither', 'a/b/c/d', '/amd64', 'linux/', 'linux/*', 'amd64(1)', 'a b']) {
    it(`rejects ${JSON.stringify(text)}, with an example (MP-2)`, () => {
      assert.throws(
        () => parsePlatform(text, HOST),
        (error) => {
          assert.ok(hasCode(error, 'ERR_PLATFORM_INVALID'));
          assert.deepEqual(error.details, { platform: text });
          assert.match(error.hint ?? '', /linux\/arm\/v7/);
          return true;
        },
      );
    });
  }

  it('brings what documents say into the same form (MP-2)', () => {
    const arm64 = { os: 'Linux', architecture: 'ARM64', variant: 'V8' };
    assert.deepEqual(normalizePlatform(arm64), { os: 'linux', architecture: 'arm64' });
  });

  it('names the machine as Go does (ARG-5)', () => {
    const names = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 'riscv64'].map((arch) =>
      formatPlatform(hostPlatform(arch)),
    );
    assert.deepEqual(names, [
      'linux/amd64',
      'linux/arm64',
      'linux/arm/v7',
      'linux/386',
      'linux/ppc64le',
      'linux/riscv64',
    ]);
  });
});

describe('parsePlatforms()', () => {
  it('takes commas and repetition, keeps the order, and each platform once (MP-1)', () => {
    const texts = ['linux/arm64, local', 'aarch64,linux/x86_64', 'arm'];
    assert.deepEqual(parsePlatforms(texts, HOST).map(formatAll), [
      'linux/arm64',
      'linux/amd64',
      'linux/arm/v7',
    ]);
    assert.deepEqual(parsePlatforms([''], HOST), []);
  });
});

describe('matchPlatform()', () => {
  const orders: readonly (readonly [string, readonly string[]])[] = [
    ['linux/amd64/v3', ['amd64/v3', 'amd64/v2', 'amd64', '386']],
    ['linux/amd64', ['amd64', '386']],
    ['linux/arm/v7', ['arm/v7', 'arm/v6', 'arm/v5']],
    ['linux/arm/v5', ['arm/v5']],
    ['linux/arm64', ['arm64', 'arm/v8', 'arm/v7', 'arm/v6', 'arm/v5']],
    ['linux/arm64/v8.2', ['arm64/v8.2', 'arm64/v8.1', 'arm64', 'arm/v8', 'arm/v7']],
    [
      'linux/arm64/v9.1',
      ['arm64/v9.1', 'arm64/v9', 'arm64/v8.6', 'arm64/v8.5', 'arm64/v8.1', 'arm64', 'arm/v8'],
    ],
    ['linux/386', ['386']],
    ['linux/s390x', ['s390x']],
  ];
  for (const [wanted, served] of orders) {
    it(`prefers ${served.join(', ')} in this order for ${wanted} (MP-3)`, () => {
      const scores = served.map((name) =>
        matchPlatform(parsePlatform(wanted, HOST), parsePlatform(`linux/${name}`, HOST)),
      );
      assert.ok(scores.every((score) => score > 0));
      assert.deepEqual(
        scores,
        [...scores].sort((a, b) => b - a),
      );
      assert.equal(new Set(scores).size, scores.length);
    });
  }

  const others: readonly (readonly [string, string])[] = [
    ['linux/amd64', 'linux/amd64/v2'],
    ['linux/amd64', 'linux/arm64'],
    ['linux/amd64', 'windows/amd64'],
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/arm/v7', 'linux/arm64'],
    ['linux/arm64', 'linux/arm64/v8.1'],
    ['linux/386', 'linux/amd64'],
  ];
  for (const [wanted, offered] of others) {
    it(`does not take ${offered} for ${wanted} (MP-3)`, () => {
      assert.equal(matchPlatform(parsePlatform(wanted, HOST), parsePlatform(offered, HOST)), 0);
    });
  }

  it('compares what documents say in its normal form (MP-3)', () => {
    const arm64 = parsePlatform('linux/arm64', HOST);
    const named = { os: 'linux', architecture: 'arm64', variant: 'v8' };
    assert.equal(matchPlatform(arm64, named), matchPlatform(arm64, arm64));
  });
});
