/** Runs one command: how long it takes, or how much memory it and everything it started uses at most. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const SAMPLE_MILLISECONDS = 20;

/** Seconds. @throws Error with the last lines of the output when a command fails. */
export async function measureTime(commands: readonly Command[]): Promise<number> {
  const began = performance.now();
  for (const command of commands) await finish(start(command), command);
  return (performance.now() - began) / 1000;
}

/**
 * The highest sum of bytes over all processes: those below the commands, and those below `daemon`.
 * Shared pages count once (PSS); where that cannot be read, resident pages (RSS). Sampling takes time:
 * never measure both in one run.
 */
export async function measureMemory(
  commands: readonly Command[],
  daemon: number | undefined,
): Promise<number> {
  let peak = 0;
  let roots: readonly number[] = [];
  const timer = setInterval(() => {
    peak = Math.max(peak, sumMemory(roots));
  }, SAMPLE_MILLISECONDS);
  try {
    for (const command of commands) {
      const child = start(command);
      roots = [child.pid, daemon].filter((id) => id !== undefined);
      await finish(child, command);
    }
  } finally {
    clearInterval(timer);
  }
  return peak;
}

function start({ program, args, env }: Command): ChildProcess {
  return spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}

function finish(child: ChildProcess, { program, args }: Command): Promise<void> {
  let output = '';
  const keep = (data: Buffer): void => {
    output = (output + data.toString()).slice(-4000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args.join(' ')}: exit code ${code}\n${output}`));
    });
  });
}

function sumMemory(roots: readonly number[]): number {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const id = Number(name);
    const parent = Number.isNaN(id) ? undefined : parentOf(id);
    if (parent === undefined) continue;
    const siblings = children.get(parent) ?? [];
    siblings.push(id);
    children.set(parent, siblings);
  }
  const family = [...roots];
  // The list grows while it is walked: every process brings its children.
  for (const id of family) family.push(...(children.get(id) ?? []));
  return family.reduce((sum, id) => sum + memoryOf(id), 0);
}

function parentOf(id: number): number | undefined {
  const stat = read(`/proc/${id}/stat`);
  // "12 (name with ) and spaces) S 1 …"
  return stat === undefined
    ? undefined
    : Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
}

function memoryOf(id: number): number {
  const [, pss] = /^Pss: +(\d+) kB/m.exec(read(`/proc/${id}/smaps_rollup`) ?? '') ?? [];
  if (pss !== undefined) return Number(pss) * 1024;
  const [, rss] = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${id}/status`) ?? '') ?? [];
  return Number(rss ?? 0) * 1024;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // ended meanwhile, or not ours to look at
  }
}
