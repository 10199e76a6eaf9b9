/**
 * npm run bench [-- --only NAME,… --runs N --peers buildah,docker]: the workloads of README.md here,
 * tsbuild against each builder that the machine has, in turn. Prints a table in Markdown.
 */

import { execFile } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { debianLayout } from '../support/debian.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { measureMemory, measureTime } from './measure.ts';
import { type Peer, startPeers } from './peers.ts';
import { header, type Result, row } from './table.ts';
import { createWorkloads, type Workload } from './workloads.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '5' },
    peers: { type: 'string', default: 'buildah,docker' },
    work: { type: 'string', default: '' },
  },
});
/** Downloaded and generated data stays here between runs. */
const FOLDER = join(process.cwd(), '.bench');
/** What builders write; removed at the end. In memory, if there is enough: README.md says why. */
const WORK = join(
  values.work || (roomIn('/dev/shm') ? '/dev/shm' : FOLDER),
  `bench-${process.pid}`,
);

await mkdir(WORK, { recursive: true });
const registry = await startDockerRegistry(FOLDER);
try {
  say('the base image (the first time: about a minute)');
  const base = await registry.push(await debianLayout(FOLDER, 'important'));
  // The registry's port is in the Dockerfiles; the 30,000 files stay.
  const workloads = await createWorkloads(join(FOLDER, 'contexts'), base);
  const started = await startPeers(values.peers.split(','), WORK);
  const peers = started.filter((peer): peer is Peer => 'commands' in peer);
  try {
    const [cpu] = cpus();
    print(
      `${cpus().length} × ${cpu?.model ?? 'processor'}, Node ${process.versions.node}, in ${dirname(WORK)}\n`,
    );
    for (const peer of started)
      print(`- ${peer.name}: ${'note' in peer ? peer.note : `not here: ${peer.reason}`}`);
    print(`\n${header(peers.map((peer) => peer.name))}`);
    const names = values.only.split(',').filter(Boolean);
    for (const workload of workloads) {
      if (names.length > 0 && !names.includes(workload.name)) continue;
      print(row(workload.title, await compare(workload, peers)));
    }
  } finally {
    // All of them, also when one cannot.
    await Promise.allSettled(peers.map((peer) => peer.close()));
  }
} finally {
  await registry.close();
  await rm(WORK, { recursive: true, force: true });
}

/** Every builder in turn, run by run, so that a slow moment of the machine meets all of them. */
async function compare(workload: Workload, peers: readonly Peer[]): Promise<readonly Result[]> {
  const results = peers.map((peer) => ({ peer, seconds: [] as number[], failure: '' }));
  for (let index = 0; index < Number(values.runs); index++) {
    for (const result of results.filter(({ failure }) => failure === '')) {
      say(`${workload.name}, ${result.peer.name}, run ${index + 1}`);
      try {
        result.seconds.push(await build(workload, result.peer, index === 0));
      } catch (error) {
        result.failure = String(error);
        process.stderr.write(`${result.failure}\n`);
      }
    }
  }
  const done: Result[] = [];
  for (const { peer, seconds, failure } of results) {
    const memory = failure === '' ? await peakMemory(workload, peer) : 0;
    done.push(failure === '' ? { kind: 'measured', seconds, memory } : { kind: 'failed' });
  }
  return done;
}

async function build(workload: Workload, peer: Peer, isFirst: boolean): Promise<number> {
  if (workload.state === 'cold' || isFirst) await prepare(workload, peer);
  const output = await freshOutput();
  // What the builder before wrote must not be written to disk on this one's time.
  await flush();
  return measureTime(peer.commands(workload.context, output));
}

/** Whether a filesystem has room for every builder's data at once: 10 GB. */
function roomIn(path: string): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize > 10e9;
}

/** sync(1): waits until everything written is on disk. */
async function flush(): Promise<void> {
  await promisify(execFile)('sync');
}

async function peakMemory(workload: Workload, peer: Peer): Promise<number> {
  if (workload.state === 'cold') await prepare(workload, peer);
  return measureMemory(peer.commands(workload.context, await freshOutput()), peer.daemon);
}

async function prepare(workload: Workload, peer: Peer): Promise<void> {
  await peer.reset();
  if (workload.state === 'warm')
    await measureTime(peer.commands(workload.context, await freshOutput()));
}

async function freshOutput(): Promise<string> {
  const output = join(WORK, 'output');
  if (existsSync(output)) await rm(output, { recursive: true });
  return output;
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
