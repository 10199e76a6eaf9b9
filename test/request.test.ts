import assert from 'node:assert/strict';
import { hasCode } from '../src/errors.ts';
import { readRequest } from '../src/request.ts';

describe('readRequest()', () => {
  const platformOf = (platform?: string) =>
    readRequest({ context: '.', ...(platform !== undefined && { platform }) }).platform;

  it('takes one platform, in whatever spelling and however often (MP-1)', () => {
    const arm64 = { os: 'linux', architecture: 'arm64' };
    assert.deepEqual(platformOf('linux/aarch64'), arm64);
    assert.deepEqual(platformOf('linux/arm64,linux/arm64/v8'), arm64);
    assert.deepEqual(platformOf('local'), platformOf());
    assert.deepEqual(platformOf(''), platformOf());
  });

  it('names the platforms that it cannot build at once, in their order (MP-1)', () => {
    assert.throws(
      () => platformOf('linux/arm64,arm64,windows(10.0)/amd64'),
      (error) => {
        assert.ok(hasCode(error, 'ERR_UNSUPPORTED'));
        assert.match(error.message, /for linux\/arm64 and windows\(10\.0\)\/amd64 at once/);
        assert.match(error.hint ?? '', /each platform by itself/);
        return true;
      },
    );
  });
});
