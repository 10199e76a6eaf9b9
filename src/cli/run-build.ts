/** One build from the command line: shows its progress, reports its failure, answers with an exit code. */

import { type BuildEvent, type BuildOptions, build, plainProgress } from '../index.ts';
import { usage } from './argv.ts';
import type { Environment } from './environment.ts';
import { EXIT } from './exit-code.ts';
import type { BuildRequest, ProgressKind } from './request.ts';
import { removeStale, writeResultFiles } from './result-files.ts';
import { runReported } from './run-reported.ts';

interface RunOptions {
  /** What to tell before the build's own notices. */
  readonly warnings: readonly string[];
  readonly environment: Environment;
}

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runBuild(request: BuildRequest, options: RunOptions): Promise<number> {
  const show = createDisplay(request.progress);
  const steps = new Map<number, string>();
  let failed: string | undefined;
  const onEvent = (event: BuildEvent): void => {
    if (event.kind === 'step-start') steps.set(event.step, event.name);
    // The first that fails is the one the build rejects with; the others were stopped by it.
    if (event.kind === 'step-error' && event.failed) failed ??= steps.get(event.step);
    show(event);
  };
  for (const message of options.warnings) {
    onEvent({ kind: 'notice', level: 'warning', message, location: undefined });
  }
  const run = async (signal: AbortSignal): Promise<number> => {
    refuseTerminal(request.options.outputs ?? []);
    await removeStale(request.files);
    const result = await build({ ...request.options, stdout: process.stdout, signal, onEvent });
    await writeResultFiles(request.files, result);
    if (request.progress === 'quiet') process.stdout.write(`${result.digest}\n`);
    return EXIT.ok;
  };
  return await runReported(options.environment, run, () => failed);
}

function createDisplay(kind: ProgressKind): (event: BuildEvent) => void {
  switch (kind) {
    case 'plain':
      return plainProgress((text) => process.stderr.write(text));
    case 'quiet':
    case 'none':
      return () => undefined;
  }
}

/** BXS-3: an archive on a terminal helps nobody. */
function refuseTerminal(outputs: NonNullable<BuildOptions['outputs']>): void {
  const isStdout = (output: unknown): boolean =>
    typeof output === 'string' &&
    (/^-$|(^|,)dest=-(,|$)/.test(output) ||
      (/(^|,)type=tar(,|$)/.test(output) && !/dest=/.test(output)));
  if (process.stdout.isTTY && outputs.some(isStdout)) {
    throw usage('Cannot write the image to a terminal', 'Redirect it, e.g. "> image.tar".');
  }
}
