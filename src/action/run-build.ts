/** One build: its log, outputs and summary. */

import { EXIT, exitCodeOf } from '../cli/exit-code.ts';
import { imageId, metadataText } from '../cli/result-files.ts';
import { build, type BuildOptions, type BuildResult } from '../index.ts';
import { createDisplay } from './display.ts';
import { failureText, tellFailure } from './failure.ts';
import { explained } from './helper.ts';
import type { Step } from './step.ts';
import { type Summary, summaryText } from './summary.ts';

/** Resolves to the exit code; never rejects for a build that fails. */
export async function runBuild(options: BuildOptions, step: Step): Promise<number> {
  const { runner, environment, workspace, pathOf, signal } = step;
  const annotates = environment['DOCKER_BUILD_CHECKS_ANNOTATIONS'] !== 'false';
  const display = createDisplay(runner, { annotates, pathOf });
  const began = performance.now();
  const summarize = async (
    outcome: Pick<Summary, 'names' | 'platforms' | 'digest' | 'failure'>,
  ): Promise<void> => {
    if (environment['DOCKER_BUILD_SUMMARY'] === 'false') return;
    const duration = performance.now() - began;
    await runner.addSummary(summaryText({ ...outcome, duration, steps: display.steps }));
  };
  try {
    const result = await build({ ...options, signal, onEvent: display.onEvent });
    display.close();
    await tellOutputs(result, options, step);
    const platforms = result.platforms.map(({ platform }) => platform);
    const { names, digest } = result;
    await summarize({ names, platforms, digest, failure: undefined });
    return EXIT.ok;
  } catch (caught) {
    display.close();
    if (signal.aborted) {
      runner.say('Cancelled: nothing is left of the build but its cache.\n');
      return EXIT.interrupted;
    }
    const error = explained(caught, workspace);
    tellFailure(runner, error, { step: display.failed(), pathOf, environment });
    const platforms = options.platform === undefined ? [] : options.platform.split(',');
    const names = options.tags ?? [];
    await summarize({ names, platforms, digest: undefined, failure: failureText(error) });
    return exitCodeOf(error);
  }
}

/** ACT-1: the outputs of the step, each in the log, too. */
async function tellOutputs(
  result: BuildResult,
  { outputs = [] }: BuildOptions,
  { runner }: Step,
): Promise<void> {
  // ACT-5: files are no image, and have no id.
  const isFiles = outputs.length > 0 && outputs.every(isFilesOutput);
  const told: readonly (readonly [string, string, string])[] = [
    ...(isFiles ? [] : [['ImageID', 'imageid', imageId(result)] as const]),
    ['Digest', 'digest', result.digest],
    ['Metadata', 'metadata', metadataText(result)],
  ];
  for (const [title, name, value] of told) {
    runner.command('group', title);
    runner.say(`${value}\n`);
    runner.command('endgroup', '');
    await runner.setOutput(name, value);
  }
}

function isFilesOutput(output: NonNullable<BuildOptions['outputs']>[number]): boolean {
  return (
    typeof output === 'string' &&
    (!output.includes('=') || /(?:^|,)type=(?:local|tar)\b/.test(output))
  );
}
