import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../src/doctor/finding.ts';
import { platformFindings } from '../../src/doctor/platform-findings.ts';
import { withDirectory } from '../support/temporary.ts';

const AARCH64 = `enabled
interpreter /usr/bin/qemu-aarch64-static
flags: F
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`;

async function findingsWith(
  handlers: Readonly<Record<string, string>>,
): Promise<readonly Finding[]> {
  return await withDirectory(async (scratch) => {
    const binfmt = join(scratch, 'binfmt');
    await mkdir(binfmt);
    await writeFile(join(binfmt, 'status'), 'enabled\n');
    for (const [name, text] of Object.entries(handlers)) await writeFile(join(binfmt, name), text);
    const { signal } = new AbortController();
    const host = { os: 'linux', architecture: 'amd64' };
    return await platformFindings({ host, scratch, signal, binfmt });
  });
}

describe('platformFindings()', () => {
  it('lists what is executed, by whom, and the handlers with their flags', async () => {
    const [works] = await findingsWith({ 'qemu-aarch64': AARCH64 });
    assert.equal(works?.status, 'ok');
    assert.match(works.text, /^linux\/amd64\b.*; by emulation linux\/arm64$/);
    assert.deepEqual(works.details?.['binfmt'], [
      {
        name: 'qemu-aarch64',
        enabled: true,
        interpreter: '/usr/bin/qemu-aarch64-static',
        flags: 'F',
      },
    ]);
  });

  it('tells what is missing for one reason once, and what is wrong with a handler by itself', async () => {
    const findings = await findingsWith({ 'qemu-aarch64': AARCH64.replace('flags: F', 'flags: ') });
    const missing = findings.filter(({ id }) => id === 'platforms.missing');
    const flagless = missing.find(({ text }) => text.includes('without the flag F'));
    assert.match(flagless?.text ?? '', /^not linux\/arm64: /);
    assert.ok(missing.every(({ fix }) => fix !== undefined));
  });
});
