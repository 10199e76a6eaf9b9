import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasCode } from '../../src/errors.ts';
import { blobOf, signal, withHelper } from '../support/data-plane.ts';
import { paxRecord, tar, type TarMember, tarMember } from '../support/tar.ts';

const END = Buffer.alloc(1024);

/** What an extraction to an index alone, which no filesystem's limits stop, is refused with, or 'it is good'. */
async function refused(plain: Buffer, abort: AbortSignal = signal): Promise<unknown> {
  return await withHelper(async (helper, directory) => {
    const blob = await blobOf(directory, plain);
    const extracting = helper.extract(
      { ...blob, index: join(directory, 'index') },
      { signal: abort },
    );
    const outcome = extracting.then(
      () => 'it is good',
      (error: unknown) => error,
    );
    const error = await Promise.race([
      outcome,
      setTimeout(20_000, 'it does not end', { ref: false }),
    ]);
    if (error !== 'it is good') assert.deepEqual(await readdir(directory), ['blob']);
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
        content: paxRecord(`SCHILY.xattr.user.${i}`, 'x'.repeat(30_000)),
      });
    const piled = Buffer.concat([...[1, 2, 3].map(global), tar([{ name: 'a' }])]);
    assert.ok(hasCode(await refused(piled), 'ERR_LAYER_INVALID'));
    const keys = Array.from({ length: 5000 }, (_, i) => paxRecord(`SCHILY.xattr.user.${i}`, 'x'));
    const many = tarMember({ name: 'x', type: 'x', content: Buffer.concat(keys) });
    const plain = Buffer.concat([many, tar([{ name: 'a' }])]);
    assert.ok(hasCode(await refused(plain), 'ERR_LAYER_INVALID'));
  });

  it('is taken when its global headers say only what nobody uses', async () => {
    const comment = tarMember({
      name: 'g',
      type: 'g',
      content: paxRecord('comment', 'x'.repeat(1_000_000)),
    });
    assert.equal(await refused(Buffer.concat([comment, tar([{ name: 'a' }])])), 'it is good');
  });

  it('is refused when its attributes or the parts of its sparse files would fill the memory', async () => {
    const value = { 'SCHILY.xattr.user.a': 'x'.repeat(1_000_000) };
    const members = Array.from({ length: 70 }, (_, i) => ({ name: `${i}`, pax: value }));
    assert.ok(hasCode(await refused(tar(members)), 'ERR_LAYER_INVALID'));
  });

  it('keeps sparse files as what they are: their zeros take no room in the index', async () => {
    await withHelper(async (helper, directory) => {
      const members = Array.from({ length: 40 }, (_, i) =>
        gnuSparse(0, 1n << 20n, Buffer.alloc(0), `${i}`),
      );
      const blob = await blobOf(directory, Buffer.concat([...members, END]));
      const index = join(directory, 'index');
      await helper.extract({ ...blob, index, tar: join(directory, 'tar') }, { signal });
      assert.ok((await stat(index)).size < 10_000);
    });
  });

  it('takes no time squared for links among whiteouts of one name', async () => {
    const plain = tar([
      { name: 'x', content: 'x' },
      ...Array.from({ length: 40_000 }, () => ({ name: '.wh.x' })),
      ...Array.from({ length: 40_000 }, (_, i) => ({ name: `l${i}`, type: '1', link: 'x' })),
    ]);
    assert.equal(await refused(plain), 'it is good');
  });

  it('takes no time squared for records of one key', async () => {
    const keys = Array.from({ length: 4000 }, (_, i) => paxRecord(`SCHILY.xattr.user.${i}`, 'x'));
    const again = Array.from({ length: 30_000 }, () => paxRecord('SCHILY.xattr.user.1', 'x'));
    const header = tarMember({ name: 'x', type: 'x', content: Buffer.concat([...keys, ...again]) });
    const plain = Buffer.concat([
      ...Array.from({ length: 20 }, () => header),
      tar([{ name: 'a' }]),
    ]);
    assert.equal(await refused(plain), 'it is good');
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
