/**
 * The gate: format, lint, types, build, tests. One line each; stops at the first that fails and shows
 * what it said. `--no-tests` leaves the tests out, for a run that had them already.
 */

import { spawnSync } from 'node:child_process';

const NATIVE = ['--manifest-path', 'native/Cargo.toml'];
const CLIPPY = ['--all-targets', '--quiet', '--', '-D', 'warnings'];
const TARGET = ['--locked', '--target-dir', 'native/target'];

/** In order of cost: what fails soonest comes first. */
const CHECKS = [
  ['format', 'biome', 'format', '.'],
  ['format (Rust)', 'cargo', 'fmt', '--check', ...NATIVE],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['types', 'tsc', '-p', '.', '--noEmit'],
  ['lint (Rust)', 'cargo', 'clippy', ...NATIVE, ...TARGET, ...CLIPPY],
  ['helper', 'cargo', 'build', '--release', '--quiet', ...TARGET, ...NATIVE],
  ['build', 'node', '.ci/build.mjs'],
  ['declarations', 'tsc', '-p', '.ci/tsconfig.types.json'],
];
if (!process.argv.includes('--no-tests')) CHECKS.push(['tests', 'node', '.ci/test.mjs']);

for (const [name, program, ...args] of CHECKS) {
  const began = Date.now();
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  if (status === 0) {
    const counts = name === 'tests' ? `: ${stdout.trimEnd().split('\n').at(-1)}` : '';
    process.stdout.write(`ok    ${name}${counts} (${seconds} s)\n`);
    continue;
  }
  process.stdout.write(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\n`);
  process.stdout.write(`FAILED  ${name}: ${[program, ...args].join(' ')}\n`);
  process.exit(1);
}
