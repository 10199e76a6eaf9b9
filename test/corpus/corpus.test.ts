import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { whyNoCorpus } from '../support/corpus.ts';
import { itUnless } from '../support/missing.ts';

const root = resolve(import.meta.dirname, '../..');
const corpus = join(root, '../shared/corpus');
const runner = join(corpus, 'run/replay_api.mjs');
const whyNot = whyNoCorpus();
const test = itUnless(whyNot);

/** The sets that the runner replays; build cases have `npm run corpus`. */
const SETS = ['parser.json', 'patternmatcher.json', 'lint.json', 'realworld'];

describe('corpus', () => {
  let output = '';

  before(function () {
    if (whyNot !== undefined) return;
    this.timeout(120_000);
    const adapter = join(root, 'test/corpus/adapter.ts');
    const args = [runner, '--adapter', adapter, '--dir', corpus];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    output = stdout;
    assert.match(output, /^\d+ passed, \d+ failed$/m, stderr);
  });

  for (const set of SETS) {
    const cases = set === 'realworld' ? 'Dockerfiles of realworld' : `cases of ${set}`;
    test(`agrees with what others recorded: ${cases}`, async function () {
      const { passed, failed } = countsOf(output, set.replace('.json', ''));
      // How many they are is known only now, and belongs into the report.
      if (this.test !== undefined) {
        this.test.title = `passes ${passed} of ${passed + failed} ${cases}`;
      }
      assert.ok(passed > 0, `nothing ran:\n${output}`);
      assert.equal(failed, 0, output);
    });
  }

  test('has a line here for every set', async () => {
    const ran = [...output.matchAll(GROUP)].map(([, group = '']) => group);
    assert.deepEqual(new Set(ran), new Set(SETS.map((set) => set.replace('.json', ''))));
  });
});

/** `parser/upstream/dump          17 ok 0 failed` */
const GROUP = /^([a-z]+)\/\S+ +(\d+) ok (\d+) failed$/gm;

function countsOf(output: string, set: string): { passed: number; failed: number } {
  const counts = { passed: 0, failed: 0 };
  for (const [, group, passed, failed] of output.matchAll(GROUP)) {
    if (group !== set) continue;
    counts.passed += Number(passed);
    counts.failed += Number(failed);
  }
  return counts;
}
