/**
 * node test/bench/parser.ts: how long the parser takes, as a table in Markdown. Exits with 1 when a
 * number is over its limit.
 */

import { execFileSync } from 'node:child_process';
import { parseDockerfile, print } from '../../parser/index.ts';

const RUNS = 7;
/** Four kinds of instruction, as long as people write them. */
const LINES = [
  'RUN --mount=type=cache,target=/root/.cache apt-get update && apt-get install -y git',
  'ENV PATH="/app/bin:$PATH" LANG=C.UTF-8',
  'COPY --from=build --chown=app:app /src/dist /app/',
  'CMD ["node", "server.js", "--port", "8080"]',
];

const small = dockerfile(10_000);
const large = dockerfile(100_000);
const parseSmall = median(() => parseDockerfile(small));
const parseLarge = median(() => parseDockerfile(large));
const ast = parseDockerfile(small);
const rows: readonly (readonly [what: string, milliseconds: number, limit: number])[] = [
  // Ours, as it is installed: bundled, with Node's own start left out.
  ['import dist/parser.js', medianOf(() => inNewProcess('')), 30],
  ['import it, parse `FROM a`', medianOf(() => inNewProcess("parseDockerfile('FROM a');")), 60],
  ['parse 10,000 instructions', parseSmall, 200],
  ['parse 100,000 instructions', parseLarge, 15 * parseSmall],
  ['print 10,000 instructions', median(() => print(ast)), 400],
];

process.stdout.write('| work | ms | at most |\n| --- | --- | --- |\n');
for (const [what, milliseconds, limit] of rows) {
  process.stdout.write(`| ${what} | ${milliseconds.toFixed(1)} | ${limit.toFixed(0)} |\n`);
  if (milliseconds > limit) process.exitCode = 1;
}

function dockerfile(instructions: number): string {
  const lines = Array.from({ length: instructions - 1 }, (_, at) => LINES[at % LINES.length]);
  return `FROM alpine AS build\n${lines.join('\n')}\n`;
}

function median(work: () => unknown): number {
  return medianOf(() => {
    const began = performance.now();
    work();
    return performance.now() - began;
  });
}

function medianOf(measure: () => number): number {
  const times = Array.from({ length: RUNS }, measure).toSorted((a, b) => a - b);
  return times[RUNS >> 1] ?? 0;
}

function inNewProcess(use: string): number {
  const code = `const began = performance.now();
    const { parseDockerfile } = await import('./dist/parser.js');
    ${use}
    console.log(performance.now() - began);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', code]));
}
