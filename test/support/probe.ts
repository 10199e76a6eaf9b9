/** The program of the tests that try what no shell can: test/e2e/escape-probe.rs, static. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../e2e/escape-probe.rs', import.meta.url));

/** Why it cannot be used here; undefined when it can. */
export function whyNoProbe(): string | undefined {
  return process.arch === 'x64' ? undefined : 'has x86_64 numbers of system calls';
}

/** Builds it at a path. Needs rustc. */
export function buildProbe(path: string): void {
  const options = ['--edition', '2024', '-C', 'target-feature=+crt-static', '-o', path];
  execFileSync('rustc', [...options, SOURCE], { stdio: 'pipe' });
}
