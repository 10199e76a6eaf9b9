/**
 * Replays the build cases of ../shared/corpus against the command, and holds their count to the floor
 * in test/corpus/build-floor.json, which only rises. Arguments go to the replayer (`--only REGEX`, `-v`).
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const REPLAYER = '../shared/corpus/run/replay_builds.py';

const args = process.argv.slice(2);
if (!existsSync(REPLAYER)) {
  process.stdout.write(`corpus: skipped, there is no ${REPLAYER} beside this clone\n`);
  process.exit(0);
}
const command = `${process.execPath} ${process.cwd()}/dist/cli.js build`;
const { stdout, error } = spawnSync(
  'python3',
  [REPLAYER, '--base-mode', 'context', '--cmd', command, ...args],
  {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  },
);
process.stdout.write(stdout ?? `${error?.message}\n`);
const [, passed] = /^(\d+) passed/m.exec(stdout ?? '') ?? [];
const { floor } = JSON.parse(readFileSync('test/corpus/build-floor.json', 'utf8'));
if (args.length === 0 && !(Number(passed) >= floor)) {
  process.stdout.write(`corpus: ${passed ?? 'no'} cases passed, the floor is ${floor}\n`);
  process.exit(1);
}
