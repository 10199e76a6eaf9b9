import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasCode } from '../../src/errors.ts';
import { blobOf, signal, withHelper } from '../support/data-plane.ts';
import { paxRecord, tar, type TarMember, tarMember } from '../support/tar.ts';

const END = Buffer.alloc(1024);

/** What an extraction to an index alone, which no filesystem's limits stop, is refused with. */
async function refused(plain: Buffer, abort: AbortSignal = signal): Promise<unknown> {
  return await withHelper(async (helper, directory) => {
    const blob = await blobOf(directory, plain);
    const extracting = helper.extract(
      { ...blob, index: join(directory, 'index') },
      { signal: abort },
    );
    const outcome = extracting.then(
      () => undefined,
      (error: unknown) => error,
    );
    const error = await Promise.race([
      outcome,
      setTimeout(5000, 'it does not end', { ref: false }),
    ]);
    assert.deepEqual(await readdir(directory), ['blob']);
    return error;
  });
}

describe('an archive that means harm', () => {
  it('is refused when its sparse map promises more than its size', async () => {
    const size = tarMember({ name: 'x', type: 'x', content: paxRecord('size', '0') });
    const plain = Buffer.concat([size, gnuSparse(512, 512n, Buffer.alloc(512)), END]);
    assert.ok(hasCode(await refused(plain), 'ERR_LAYER_INVALID'));
  });

  it('can be cancelled in a hole of a petabyte', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    void setTimeout(200).then(() => controller.abort(reason));
    const plain = Buffer.concat([gnuSparse(0, 1n << 50n, Buffer.alloc(0)), END]);
    assert.equal(await refused(plain, controller.signal), reason);
  });

  const paths: Readonly<Record<string, readonly TarMember[]>> = {
    'of half a million directories': [{ name: 'a', pax: { path: 'a/'.repeat(500_000) } }],
    'deeper than can be walked': [{ name: 'a', pax: { path: `${'a/'.repeat(256)}b` } }],
    'longer than the kernel takes': [{ name: 'a', pax: { path: 'a'.repeat(4097) } }],
    'to link to that is as deep': [{ name: 'a', type: '1', pax: { linkpath: 'a/'.repeat(257) } }],
    'that is a symlink and opaque': [
      { name: 'd', type: '2', link: 'x' },
      { name: 'd/.wh..wh..opq' },
    ],
  };
  for (const [what, members] of Object.entries(paths)) {
    it(`is refused for a path ${what}`, async () => {
      assert.ok(hasCode(await refused(tar(members)), 'ERR_LAYER_UNSAFE_PATH'));
    });
  }

  it('is refused when its PAX headers pile up', async () => {
    const global = (i: number) =>
      tarMember({
        name: 'g',
        type: 'g',
        content: paxRecord(`comment.${i}`, 'x'.repeat(1_000_000)),
      });
    const piled = Buffer.concat([...[1, 2, 3].map(global), tar([{ name: 'a' }])]);
    assert.ok(hasCode(await refused(piled), 'ERR_LAYER_INVALID'));
    const keys = Array.from({ length: 5000 }, (_, i) => paxRecord(`SCHILY.xattr.user.${i}`, 'x'));
    const many = tarMember({ name: 'x', type: 'x', content: Buffer.concat(keys) });
    const plain = Buffer.concat([many, tar([{ name: 'a' }])]);
    assert.ok(hasCode(await refused(plain), 'ERR_LAYER_INVALID'));
  });

  it('does not fill the memory with zeros: small sparse files are kept in the index to a sum', async () => {
    await withHelper(async (helper, directory) => {
      const members = Array.from({ length: 40 }, (_, i) =>
        gnuSparse(0, 1n << 20n, Buffer.alloc(0), `${i}`),
      );
      const blob = await blobOf(directory, Buffer.concat([...members, END]));
      const index = join(directory, 'index');
      await helper.extract({ ...blob, index, tar: join(directory, 'tar') }, { signal });
      const { size } = await stat(index);
      assert.ok(size > 15 << 20 && size < 17 << 20, String(size));
    });
  });
});

/** A sparse member in the format of old GNU tar, with one part of `length` at its front. */
function gnuSparse(length: number, size: bigint, content: Buffer, name = 'sparse'): Buffer {
  const block = tarMember({ name, type: 'S', content });
  block.write('ustar  \0', 257, 'latin1');
  block.write(`${'0'.repeat(11)}\0${length.toString(8).padStart(11, '0')}\0`, 386, 'latin1');
  const real = Buffer.alloc(12);
  real.writeBigUInt64BE(size, 4);
  real.writeUInt8(0x80, 0);
  real.copy(block, 483);
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return block;
}
