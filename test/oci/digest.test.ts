import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { hasCode } from '../../src/errors.ts';
import { digestOf, parseDigest, verifyBytes, verifyStream } from '../../src/oci/digest.ts';

const DATA = randomBytes(100_000);
const EXPECTED = { digest: digestOf(DATA), size: DATA.length };

async function pass(expected: typeof EXPECTED): Promise<Buffer> {
  const chunks = [DATA.subarray(0, 40_000), DATA.subarray(40_000)];
  return buffer(Readable.from(chunks).compose(await verifyStream(expected)));
}

describe('verifyStream()', () => {
  it('passes the bytes that were expected', async () => {
    assert.ok(DATA.equals(await pass(EXPECTED)));
  });

  it('fails with ERR_DIGEST_MISMATCH and both digests', async () => {
    const other = digestOf('other');
    await assert.rejects(pass({ ...EXPECTED, digest: other }), (error) => {
      assert.ok(hasCode(error, 'ERR_DIGEST_MISMATCH'));
      assert.deepEqual(error.details, { expected: other, found: EXPECTED.digest });
      return true;
    });
  });

  for (const size of [0, 39_999, DATA.length - 1, DATA.length + 1]) {
    it(`fails with ERR_DIGEST_MISMATCH when ${size} bytes were expected`, async () => {
      await assert.rejects(
        pass({ ...EXPECTED, size }),
        (error) =>
          hasCode(error, 'ERR_DIGEST_MISMATCH') &&
          error.details.expected.startsWith(`${size} bytes`),
      );
    });
  }
});

describe('verifyBytes()', () => {
  it('agrees with verifyStream()', () => {
    verifyBytes(DATA, EXPECTED);
    for (const wrong of [
      { ...EXPECTED, size: 1 },
      { ...EXPECTED, digest: digestOf('') },
    ]) {
      assert.throws(
        () => verifyBytes(DATA, wrong),
        (error) => hasCode(error, 'ERR_DIGEST_MISMATCH'),
      );
    }
  });
});

describe('parseDigest()', () => {
  for (const text of ['', 'sha256:', 'sha256:AB', `sha512:${'a'.repeat(64)}`, 'a'.repeat(64)]) {
    it(`rejects "${text.slice(0, 20)}"`, () => {
      assert.throws(
        () => parseDigest(text),
        (error) => hasCode(error, 'ERR_DIGEST_INVALID'),
      );
    });
  }
});
