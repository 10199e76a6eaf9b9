/** `tsbuild context ls`: what the build context holds, on stdout; what is wrong with it on stderr. */

import {
  explainContextPath,
  listContext,
  type ContextListing,
  type ContextOptions,
  type TsbuildError,
} from '../index.ts';
import type { ContextFlags } from './args.ts';
import { explanationJson, explanationText, listingJson, listingText } from './context-text.ts';
import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { report, warn } from './report.ts';
import { runReported } from './run-reported.ts';
import { writeOut } from './write-out.ts';

interface RunOptions {
  readonly flags: ContextFlags;
  /** What to tell before. */
  readonly warnings: readonly string[];
  readonly environment: Environment;
}

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runContext(
  options: ContextOptions,
  { flags, warnings, environment }: RunOptions,
): Promise<number> {
  for (const message of warnings) warn(message);
  return await runReported(environment, async (signal) => {
    const { why, json = false, all = false } = flags;
    if (why === undefined) {
      const listing = await listContext({ ...options, all, signal });
      await writePieces(json ? listingJson(listing) : listingText(listing));
      return conclude(listing, environment);
    }
    const explanation = await explainContextPath({ ...options, signal }, why);
    await writeOut(json ? explanationJson(explanation) : explanationText(explanation));
    return concludePlan(explanation.unplanned, environment);
  });
}

function conclude(listing: ContextListing, environment: Environment): number {
  for (const { rule, message } of listing.warnings) warn(`${rule}: ${message}`);
  for (const failure of listing.failures) report(failure, { step: undefined, environment });
  const [failure] = listing.failures;
  return failure === undefined ? concludePlan(listing.unplanned, environment) : exitCodeOf(failure);
}

/** A registry that does not answer is no fault of the context's: the list is right, if not complete. */
function concludePlan(unplanned: TsbuildError | undefined, environment: Environment): number {
  if (unplanned === undefined) return EXIT.ok;
  const code = exitCodeOf(unplanned);
  if (code !== EXIT.registry) {
    report(unplanned, { step: undefined, environment });
    return code;
  }
  warn(`It is not known what the build uses: ${unplanned.message}`);
  return EXIT.ok;
}

const PIECE = 1 << 16;

async function writePieces(pieces: Iterable<string>): Promise<void> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE) continue;
    await writeOut(text);
    text = '';
  }
  await writeOut(text);
}
