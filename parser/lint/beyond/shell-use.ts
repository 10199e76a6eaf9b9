/** Checks of how RUN uses the shell: pipes that hide a failure, `cd` for nothing, sudo for root. */

import { userOf } from './base.ts';
import type { BeyondChecks, BeyondStage, StageRun } from './context.ts';
import { OWN_RULES } from './rules.ts';
import { baseName } from './run-scripts.ts';

/** Looks at the RUNs of a stage. */
export function checkShellUse(stage: BeyondStage, checks: BeyondChecks): void {
  for (const run of stage.runs) {
    checkPipe(run, checks);
    checkCd(run, checks);
    checkSudo(run, stage, checks);
  }
}

/** Only downloads: other commands rarely fail, or are meant to, as `grep` is. */
function checkPipe(
  { run, calls, scripts, hasPipefail }: StageRun,
  { reporter }: BeyondChecks,
): void {
  const isSet = calls.some(
    ({ name, args }) => name === 'set' && args.some(({ value }) => value === 'pipefail'),
  );
  // With `-o pipefail` in `bash -o pipefail -c`, or in a shebang.
  const isGiven = calls.some(
    ({ name, args }) =>
      /^(?:ba|z|k|a)?sh$/.test(name) && args.some(({ text }) => /pipefail/.test(text)),
  );
  if (hasPipefail || isSet || isGiven || scripts.some(({ text }) => /^#!.*pipefail/.test(text)))
    return;
  const piped = calls.find(
    ({ name, command }) => (name === 'curl' || name === 'wget') && command.next === '|',
  );
  if (piped !== undefined) reporter.at(run)(OWN_RULES.PipeWithoutPipefail, piped.name);
}

function checkCd({ run, calls }: StageRun, { reporter }: BeyondChecks): void {
  const last = calls.at(-1);
  const [directory, more] = last?.args ?? [];
  if (last?.name !== 'cd' || directory === undefined || more !== undefined) return;
  const isPart = last.command.depth > 0 || last.script.kind === 'nested';
  // After others, it only leaves the place tidy.
  const isReturn = calls.filter(({ name }) => /^(?:cd|pushd|popd)$/.test(name)).length > 1;
  if (!isPart && !isReturn) reporter.at(run)(OWN_RULES.CdWithoutEffect, directory.text);
}

function checkSudo(run: StageRun, stage: BeyondStage, { reporter }: BeyondChecks): void {
  const call = run.calls.find(({ command }) => baseName(command.words[0]?.value ?? '') === 'sudo');
  const args = call?.command.words.slice(1) ?? [];
  // As another user, or with other rights.
  const isPlain = args[0] !== undefined && !args[0].text.startsWith('-');
  if (isPlain && userOf(run, stage) === 'root') reporter.at(run.run)(OWN_RULES.SudoAsRoot);
}
