import assert from 'node:assert/strict';
import { hasCode } from '../src/errors.ts';
import { formatAll } from '../src/oci/platform.ts';
import { readRequest } from '../src/request.ts';

describe('readRequest()', () => {
  const requestOf = (platform?: string, multi?: string) =>
    readRequest({
      context: '.',
      ...(platform !== undefined && { platform }),
      ...(multi !== undefined && { buildArgs: { BUILDKIT_MULTI_PLATFORM: multi } }),
    });
  const platformOf = (platform?: string) => requestOf(platform).platform;

  it('takes one platform, in whatever spelling and however often (MP-1)', () => {
    const arm64 = { os: 'linux', architecture: 'arm64' };
    assert.deepEqual(platformOf('linux/aarch64'), arm64);
    assert.deepEqual(platformOf('linux/arm64,linux/arm64/v8'), arm64);
    assert.equal(requestOf('linux/arm64,linux/arm64/v8').isIndex, false);
    assert.deepEqual(platformOf('local'), platformOf());
    assert.deepEqual(platformOf(''), platformOf());
  });

  it('makes an index for several platforms, in their order (MP-1)', () => {
    const { platforms, isIndex } = requestOf('linux/arm64,arm64,windows(10.0)/amd64,linux/386');
    const expected = ['linux/arm64', 'windows(10.0)/amd64', 'linux/386'];
    assert.deepEqual(platforms.map(formatAll), expected);
    assert.equal(isIndex, true);
  });

  it('makes an index of one where BUILDKIT_MULTI_PLATFORM says so, and none of several (MP-1)', () => {
    assert.equal(requestOf('linux/arm64', '1').isIndex, true);
    assert.equal(requestOf(undefined, 'true').isIndex, true);
    assert.equal(requestOf('linux/arm64', 'false').isIndex, false);
    for (const [platform, value] of [
      ['linux/arm64,linux/amd64', '0'],
      ['linux/arm64', 'maybe'],
    ] as const) {
      assert.throws(
        () => requestOf(platform, value),
        (error) => hasCode(error, 'ERR_USAGE'),
      );
    }
  });
});
