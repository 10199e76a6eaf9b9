import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostPlatform } from '../../src/oci/platform.ts';
import { handles, parseHandler, readHandlers } from '../../src/solve/binfmt.ts';
import { tinyProgram } from '../../src/solve/elf.ts';
import { type Execution, executionOf } from '../../src/solve/emulation.ts';
import { FOREIGN, whyNoForeign, withEmulator, withoutEmulator } from '../support/foreign.ts';
import { itUnless } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

/** As the kernel tells of Debian's. */
const AARCH64 = `enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`;
const ARCHITECTURES = [
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips64le',
  'ppc64le',
  'riscv64',
  's390x',
];

async function executionWith(
  files: Readonly<Record<string, string>> | undefined,
  architecture = 'arm64',
): Promise<Execution> {
  return await withDirectory(async (scratch) => {
    const binfmt = join(scratch, 'binfmt');
    if (files !== undefined) {
      await mkdir(binfmt);
      for (const [name, text] of Object.entries(files)) await writeFile(join(binfmt, name), text);
    }
    const { signal } = new AbortController();
    const host = { os: 'linux', architecture: 'amd64' };
    return await executionOf({ os: 'linux', architecture }, { host, scratch, signal, binfmt });
  });
}

describe('handles()', () => {
  it("knows an architecture's programs by their first bytes, whatever the handler's name", () => {
    const handler = parseHandler('rosetta', AARCH64, true);
    for (const architecture of ARCHITECTURES) {
      const program = tinyProgram(architecture) ?? Buffer.alloc(0);
      assert.equal(handles(handler, program), architecture === 'arm64', architecture);
    }
  });

  it('takes a handler by extension for nothing', () => {
    const handler = parseHandler(
      'java',
      'enabled\ninterpreter /bin/java\nflags: \nextension .jar\n',
      true,
    );
    assert.equal(handles(handler, tinyProgram('arm64') ?? Buffer.alloc(0)), false);
  });
});

describe('readHandlers()', () => {
  it('answers undefined where binfmt_misc is not mounted', async () => {
    await withDirectory(async (folder) => assert.equal(await readHandlers(folder), undefined));
  });
});

describe('executionOf()', () => {
  it('needs nothing for the architecture of the machine', async () => {
    assert.equal((await executionWith({}, 'amd64')).kind, 'native');
  });

  it('MP-4: is emulated where a handler has the flag F', async () => {
    const found = await executionWith({ status: 'enabled\n', 'qemu-aarch64': AARCH64 });
    const interpreter = '/usr/libexec/qemu-binfmt/aarch64-binfmt-P';
    assert.deepEqual(found, { kind: 'emulated', interpreter });
  });

  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp, RegExp])[] =
    [
      [
        'without the flag F',
        { status: 'enabled\n', 'qemu-aarch64': AARCH64.replace('POF', 'OC') },
        /without the flag F/,
        /echo -1 \| sudo tee \/proc\/sys\/fs\/binfmt_misc\/qemu-aarch64/,
      ],
      [
        'that is switched off',
        { status: 'enabled\n', 'qemu-aarch64': AARCH64.replace('enabled', 'disabled') },
        /switched off/,
        /echo 1 \| sudo tee \/proc\/sys\/fs\/binfmt_misc\/qemu-aarch64/,
      ],
      [
        'where all are switched off',
        { status: 'disabled\n', 'qemu-aarch64': AARCH64 },
        /switched off/,
        /echo 1/,
      ],
    ];
  for (const [what, files, reason, fix] of refusals) {
    it(`MP-4: is refused with a handler ${what}, with the command that changes it`, async () => {
      const found = await executionWith(files);
      assert.equal(found.kind, 'refused');
      assert.match(found.reason, reason);
      assert.match(found.fix ?? '', fix);
    });
  }

  it('is refused for another system', async () => {
    const { signal } = new AbortController();
    const platform = { os: 'windows', architecture: 'amd64' };
    const host = hostPlatform(process.arch);
    const found = await executionOf(platform, { host, scratch: '/nowhere', signal });
    assert.equal(found.kind, 'refused');
  });

  const foreign = async (): Promise<Execution> =>
    await withDirectory(async (scratch) => {
      const { signal } = new AbortController();
      const platform = { os: 'linux', architecture: FOREIGN.architecture };
      const host = hostPlatform(process.arch);
      return await executionOf(platform, { host, scratch, signal, binfmt: join(scratch, 'none') });
    });

  itUnless(whyNoForeign())(
    'MP-4: is tried by executing where handlers are not to be seen',
    async () => {
      await withEmulator('F', async () => assert.equal((await foreign()).kind, 'emulated'));
      await withoutEmulator(async () => assert.equal((await foreign()).kind, 'refused'));
    },
  );
});
