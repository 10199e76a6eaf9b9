/**
 * node .ci/test.mjs [--counts FILE] [MOCHA ARGUMENTS…]: every test of mocha and of cargo but the slow ones of
 * test/real, or those of mocha that the arguments name. Ends with one line of counts, and writes them into
 * FILE.
 *
 * With CI=true a skipped test is a failed one; only what reads ../shared, which a clone elsewhere
 * lacks, may skip.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAY_SKIP = '../shared';

/** Files side by side: most of the time goes by while programs start and end. */
const EVERYTHING = ['--parallel', '--jobs', '4', '--ignore', 'test/real/**', 'test/**/*.test.ts'];

const args = process.argv.slice(2);
const counts = args.indexOf('--counts');
const countsFile = counts < 0 ? undefined : args.splice(counts, 2)[1];
const suites = [await mocha(args.length > 0 ? args : EVERYTHING)];
if (args.length === 0) suites.push(await cargo());

const total = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites) for (const key of Object.keys(total)) total[key] += suite[key];
if (countsFile !== undefined) writeFileSync(countsFile, JSON.stringify(total));
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function mocha(specs) {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  const file = join(folder, 'counts.json');
  try {
    const status = await run('mocha', ['--reporter', './.ci/reporter.mjs', ...specs], {
      TSBUILD_TEST_COUNTS: file,
    });
    const counts = parse(file);
    // A suite that did not come to its end (a crash, a file that does not load) is a failure too.
    if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
    if (status !== 0 && counts.failed === 0) counts.failed = 1;
    return judgeSkips(counts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In CI what skipped counts as failed, and is named. */
function judgeSkips({ passed, failed, skipped }) {
  const forbidden =
    process.env.CI === 'true' ? skipped.filter((title) => !title.includes(MAY_SKIP)) : [];
  if (forbidden.length > 0) {
    process.stdout.write('Skipped, which in CI is a failure:\n');
    for (const title of forbidden) process.stdout.write(`  - ${title}\n`);
  }
  const count = forbidden.length;
  return { passed, failed: failed + count, skipped: skipped.length - count };
}

async function cargo() {
  const manifest = ['--manifest-path', 'native/Cargo.toml', '--target-dir', 'native/target'];
  let output = '';
  const status = await run('cargo', ['test', '--release', '--locked', '--quiet', ...manifest], {
    onOutput(text) {
      output += text;
      process.stdout.write(text);
    },
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const result = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm;
  for (const [, passed, failed, ignored] of output.matchAll(result)) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Runs a program in the terminal, or with its stdout going to `onOutput`. Resolves to its exit code. */
function run(program, args, { onOutput, ...env }) {
  const stdout = onOutput === undefined ? 'inherit' : 'pipe';
  const child = spawn(program, args, {
    stdio: ['inherit', stdout, 'inherit'],
    env: { ...process.env, ...env },
  });
  child.stdout?.setEncoding('utf8').on('data', onOutput);
  process.on('SIGINT', () => undefined); // the child has it too; its counts must still be told
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`Cannot run "${program}": ${error.message}\n`);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function parse(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // never written: the suite did not end
  }
}
