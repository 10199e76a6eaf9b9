/** The action: inputs and environment in; log, outputs and exit code out. */

import type { Environment } from '../cli/environment.ts';
import { EXIT, exitCodeOf } from '../cli/exit-code.ts';
import { TsbuildError } from '../index.ts';
import { tellFailure } from './failure.ts';
import { explained, shippedHelper } from './helper.ts';
import { withHelperProfile } from './helper-profile.ts';
import { masksOf } from './masks.ts';
import { createPathOf } from './place.ts';
import { type ActionRequest, readRequest } from './request.ts';
import { runBuild } from './run-build.ts';
import { runCheck, runList } from './run-call.ts';
import { createRunner, type Runner } from './runner.ts';
import type { Step } from './step.ts';

export interface Process {
  readonly environment: Environment;
  /** Into the log. */
  readonly write: (text: string) => void;
  /** Aborted when the runner cancels. */
  readonly signal: AbortSignal;
}

/** Does what the inputs ask for; resolves to the exit code, and never rejects. */
export async function run({ environment, write, signal }: Process): Promise<number> {
  const runner = createRunner(environment, write);
  const workspace = environment['GITHUB_WORKSPACE'] || process.cwd();
  try {
    mask(runner, environment['INPUT_GITHUB-TOKEN'] ?? '');
    refuseOtherSystems();
    const request = await readRequest(environment);
    const { options, warnings } = request;
    for (const secret of Object.values(options.secrets ?? {})) mask(runner, textOf(secret));
    for (const warning of warnings) runner.command('warning', warning);
    const pathOf = createPathOf(options, workspace, environment);
    return await runRequest(request, { runner, environment, workspace, pathOf, signal });
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    const told = explained(error, workspace);
    tellFailure(runner, told, { step: undefined, pathOf: () => undefined, environment });
    return exitCodeOf(told);
  }
}

async function runRequest({ call, options }: ActionRequest, step: Step): Promise<number> {
  const helper = options.helper ?? shippedHelper();
  const own = { ...options, ...(helper !== undefined && { helper }) };
  switch (call.kind) {
    case 'build': {
      const { runner, environment } = step;
      const onProfile = (): void => runner.say(PROFILE_NOTE);
      return await withHelperProfile({ helper, environment, onProfile }, async () => {
        return await runBuild(own, step);
      });
    }
    case 'check':
      return await runCheck(own, call, step);
    case 'outline':
    case 'targets':
    case 'describe':
      return await runList(own, call, step);
  }
}

const PROFILE_NOTE =
  'NOTE: AppArmor allows the helper user namespaces while this step runs, by a profile of its own\n';

/** The runner knows the secrets of the workflow, but not what a step reads from files or puts together. */
function mask(runner: Runner, secret: string): void {
  for (const part of masksOf(secret)) runner.command('add-mask', part);
}

/** What is no text cannot be in a log. */
function textOf(secret: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(secret);
  } catch {
    return '';
  }
}

function refuseOtherSystems(): void {
  if (process.platform === 'linux') return;
  throw new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot build on "${process.platform}": this action is for Linux`,
    details: { feature: process.platform },
    hint: 'Use "runs-on: ubuntu-latest", or another runner with Linux.',
  });
}
