import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Entry } from '../../src/tree/entry.ts';
import { blobOf, entriesOf, signal, withHelper, writeList } from '../support/data-plane.ts';
import { itUnless } from '../support/missing.ts';
import { describeFiles, HOLE, makeOddFiles, whyNoOddFiles } from '../support/odd-files.ts';

const execute = promisify(execFile);
const test = itUnless(whyNoOddFiles());

/** What a directory takes on its disk, MiB. */
async function diskUse(path: string): Promise<number> {
  const { stdout } = await execute('du', ['-s', '--block-size=1M', path]);
  return Number.parseInt(stdout, 10);
}

async function unpack(archive: string, to: string): Promise<void> {
  await mkdir(to);
  const flags = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-C', to];
  await execute('tar', ['-xpf', archive, ...flags]);
}

const withoutSources = (entries: readonly Entry[]): readonly Entry[] =>
  entries.map((entry) => {
    if (entry.type !== 'file') return entry;
    const { source: _, ...rest } = entry;
    return rest;
  });

function fromLayer(entries: readonly Entry[]): readonly Entry[] {
  return entries.map((entry) =>
    entry.type === 'file'
      ? { ...entry, source: { kind: 'path', root: 0, path: entry.path } }
      : entry,
  );
}

describe('files of every kind', function () {
  this.timeout(120_000);

  const FORMATS = {
    'of PAX with sparse members': ['--format=pax', '--sparse', '--sparse-version=1.0'],
    'of PAX with sparse members, 0.1': ['--format=pax', '--sparse', '--sparse-version=0.1'],
    'of PAX with sparse members, 0.0': ['--format=pax', '--sparse', '--sparse-version=0.0'],
    'of PAX': ['--format=pax'],
  };
  for (const [format, flags] of Object.entries(FORMATS)) {
    test(`come out of an archive ${format} as GNU tar packed them, and go into a layer again (LAY-1)`, async () => {
      await withHelper(async (helper, directory) => {
        const at = (name: string): string => join(directory, name);
        await makeOddFiles(at('files'));
        const packing = ['--xattrs', '--xattrs-include=*', ...flags, '-C', at('files')];
        await execute('tar', ['-cf', at('in.tar'), ...packing, '.']);
        const blob = await blobOf(directory, await readFile(at('in.tar')));
        const layer = at('layer');
        await helper.extract({ ...blob, index: at('index'), directory: layer }, { signal });
        // GNU tar makes two FIFOs of one with two names; all else is what it packed.
        await unpack(at('in.tar'), at('judge'));
        const expected = await describeFiles(at('judge'));
        assert.equal(await describeFiles(layer), expected);
        assert.ok((await diskUse(layer)) < HOLE / 8);

        const source = { kind: 'directory', path: layer, format: 'layer', ignore: [] } as const;
        await helper.scan({ source, index: at('scanned') }, { signal });
        const entries = await entriesOf(at('scanned'));
        assert.deepEqual(entries, withoutSources(await entriesOf(at('index'))));

        const list = await writeList(at('list'), fromLayer(entries));
        const composing = { path: at('out.tar'), compression: 'none' } as const;
        const copy = at('copy');
        const request = { list, roots: [layer], files: [], blob: composing, directory: copy };
        await helper.compose(request, { signal });
        assert.equal(await describeFiles(copy), expected);
        assert.ok((await diskUse(copy)) < HOLE / 8);
        await unpack(at('out.tar'), at('out'));
        assert.equal(await describeFiles(at('out')), expected);
      });
    });
  }

  test('of an archive are copied from its sparse members, holes and all (CP-21)', async () => {
    await withHelper(async (helper, directory) => {
      const at = (name: string): string => join(directory, name);
      await mkdir(at('files'));
      const make = 'printf a > s; truncate -s 300M s; printf b >> s; truncate -s 1G hole';
      await execute('sh', ['-ec', make], { cwd: at('files') });
      await execute('tar', ['-cSf', at('in.tar'), '--format=gnu', '-C', at('files'), 's', 'hole']);
      const source = { kind: 'archive', path: at('in.tar'), format: 'files' } as const;
      await helper.scan({ source, index: at('index') }, { signal });
      const entries = (await entriesOf(at('index'))).filter(({ path }) => path === 's');
      const list = await writeList(at('list'), entries);
      const copy = at('copy');
      const request = { list, roots: [], files: [at('in.tar')], directory: copy };
      await helper.compose(request, { signal });
      await execute('cmp', [at('files/s'), join(copy, 's')]);
      assert.ok((await diskUse(copy)) < 4);
    });
  });

  test('are never labelled by SELinux, whatever an archive or this machine says', async () => {
    await withHelper(async (helper, directory) => {
      const at = (name: string): string => join(directory, name);
      await mkdir(at('files'));
      await writeFile(at('files/a'), 'a');
      // Where SELinux is off, only root may set its attribute; where it is on, it is there anyway.
      await execute('setfattr', ['-n', 'security.selinux', '-v', 'a:b:c', at('files/a')]).catch(
        () => undefined,
      );
      for (const format of ['context', 'layer'] as const) {
        const source = { kind: 'directory', path: at('files'), format, ignore: [] } as const;
        await helper.scan({ source, index: at('index') }, { signal });
        assert.deepEqual(
          (await entriesOf(at('index'))).map(({ xattrs }) => xattrs),
          [undefined],
        );
      }
    });
  });
});
