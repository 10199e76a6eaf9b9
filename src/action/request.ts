/** Inputs to what the command line would be asked for, with the command line's own reader. */

import { parseArgs } from '../cli/args.ts';
import { type Call, readCall } from '../cli/call.ts';
import type { Environment } from '../cli/environment.ts';
import { createRequest } from '../cli/request.ts';
import { type BuildOptions, TsbuildError } from '../index.ts';
import { toFlags } from './flags.ts';
import { INPUTS, readInputs } from './inputs.ts';
import { withInput } from './naming.ts';

/** What this step is to do. */
export interface ActionRequest {
  readonly call: Call;
  readonly options: BuildOptions;
  readonly warnings: readonly string[];
}

/** @throws what the command line throws for the flags; an input that is to blame is named */
export async function readRequest(environment: Environment): Promise<ActionRequest> {
  const inputs = readInputs(environment);
  const { context, flags, warnings, environment: own } = await toFlags(inputs, environment);
  try {
    const read = await readFlags([...flags.values()].flat(), context, own);
    return { ...read, warnings: [...warnings, ...read.warnings] };
  } catch (error) {
    throw await blame(error, async (input) => {
      await readFlags(flags.get(input) ?? [], context, own);
    });
  }
}

async function readFlags(
  flags: readonly string[],
  context: string,
  environment: Environment,
): Promise<ActionRequest> {
  const command = parseArgs(['build', ...flags, '--', context]);
  // No input is a flag that asks for anything else.
  if (command.kind !== 'build') throw new Error(`inputs asked for ${command.kind}`);
  const { options } = await createRequest(command.flags, environment);
  return { call: readCall(command.flags), options, warnings: command.warnings };
}

/** The failure with the name of the input that alone fails in the same way. */
async function blame(error: unknown, read: (input: string) => Promise<void>): Promise<unknown> {
  if (!(error instanceof TsbuildError)) return error;
  for (const input of INPUTS.keys()) {
    try {
      await read(input);
    } catch (alone) {
      if (alone instanceof TsbuildError && alone.message === error.message) {
        return withInput(error, input);
      }
    }
  }
  return error;
}
