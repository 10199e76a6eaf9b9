import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const corpus = join(root, '../shared/corpus');
const runner = join(corpus, 'run/replay_api.mjs');
const reason = existsSync(runner) ? '' : ' (skipped: no ../shared/corpus beside the project)';

describe('corpus', () => {
  it(`agrees with what others recorded${reason}`, function () {
    if (reason !== '') return this.skip();
    this.timeout(120_000);
    const adapter = join(root, 'test/corpus/adapter.ts');
    const args = [runner, '--adapter', adapter, '--dir', corpus];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    console.log(stdout.replace(/^/gm, '      '));
    assert.equal(status, 0, stderr);
    return undefined;
  });
});
