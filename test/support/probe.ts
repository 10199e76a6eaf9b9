/** Programs of tests, for what no shell can do: test/e2e/*.rs, static. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Why it cannot be used here; undefined when it can. */
export function whyNoProbe(): string | undefined {
  return process.arch === 'x64' ? undefined : 'has x86_64 numbers of system calls';
}

/** Builds what tries to get out of a RUN at a path. Needs rustc. */
export function buildProbe(path: string): void {
  compile('escape-probe.rs', path);
}

/** Builds what executes another program below a seccomp listener. Needs rustc. */
export function buildListener(path: string): void {
  compile('listener.rs', path);
}

function compile(name: string, path: string): void {
  const source = fileURLToPath(new URL(`../e2e/${name}`, import.meta.url));
  const options = ['--edition', '2024', '-C', 'target-feature=+crt-static', '-o', path];
  execFileSync('rustc', [...options, source], { stdio: 'pipe' });
}
