import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { type Random, randomFrom } from '../e2e/fuzz-context.ts';
import { blobOf, entriesOf, IS_ROOT, signal, withHelper } from '../support/data-plane.ts';
import { itUnless } from '../support/missing.ts';
import { tar, type TarMember } from '../support/tar.ts';

const ARCHIVES = 400;
const NAMES = ['a', 'b', 'a/a', 'a/b', 'b/a', 'a/b/a', './a/', '/b', '../a', 'a/../../b'];
const test = itUnless(IS_ROOT ? undefined : 'needs root, for whiteouts in directories');

function randomMember(random: Random): TarMember {
  const pick = (names: readonly string[]): string => names[random(names.length)] ?? 'a';
  // What leads out is refused at once: not too often, or nothing else is seen.
  const name = pick(random(20) === 0 ? NAMES : NAMES.slice(0, 8));
  const [, parent = '', last = ''] = /^(.*?)([^/]+)\/?$/.exec(name) ?? [];
  switch (random(10)) {
    case 0:
    case 1:
      return { name, type: '5', mode: 0o755 };
    case 2:
      return { name, type: '2', link: pick(['a', '..', '/', '../../b', 'b/a']) };
    case 3:
      return { name, type: '1', link: pick(NAMES.slice(0, 6)) };
    case 4:
      return { name: `${parent}.wh.${last}` };
    case 5:
      return { name: `${parent}${last}/.wh..wh..opq` };
    case 6:
      return { name, type: '6' };
    case 7:
      return { name, type: '3', device: [random(2), random(2)] };
    default:
      return { name, content: 'x'.repeat(random(3)) };
  }
}

/** An index as a scan of the directory has it: nobody can tell there what was implied. */
const asScanned = (entries: readonly Entry[]): readonly Entry[] =>
  entries.map((entry) => {
    if (entry.type !== 'directory') return entry;
    const { implied: _, ...rest } = entry;
    return rest;
  });

describe('archives made at random', function () {
  this.timeout(120_000);

  test('are refused, or become a directory and an index that say the same, and nothing else', async () => {
    await withHelper(async (helper, directory) => {
      const at = (name: string): string => join(directory, name);
      await mkdir(at('outside'));
      await writeFile(at('outside/a'), 'untouched');
      let taken = 0;
      for (let seed = 0; seed < ARCHIVES; seed++) {
        const random = randomFrom(seed);
        const members = Array.from({ length: 1 + random(8) }, () => randomMember(random));
        const about = `seed ${seed}: ${JSON.stringify(members)}`;
        const blob = await blobOf(directory, tar(members));
        const layer = at('layer');
        try {
          await helper.extract({ ...blob, index: at('index'), directory: layer }, { signal });
        } catch (error) {
          const isRefused =
            hasCode(error, 'ERR_LAYER_UNSAFE_PATH') || hasCode(error, 'ERR_LAYER_INVALID');
          assert.ok(isRefused, `${about}: ${String(error)}`);
          assert.ok(!(await readdir(directory)).includes('layer'), about);
          continue;
        }
        const source = { kind: 'directory', path: layer, format: 'layer', ignore: [] } as const;
        await helper.scan({ source, index: at('scanned') }, { signal });
        const found = asScanned(await entriesOf(at('index')));
        assert.deepEqual(await entriesOf(at('scanned')), found, about);
        await rm(layer, { recursive: true });
        await rm(at('index'));
        taken++;
      }
      assert.ok(taken > ARCHIVES / 4, String(taken));
    });
  });
});
