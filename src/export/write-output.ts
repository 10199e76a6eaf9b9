/** Writes what was built to a place that was asked for. */

import type { Writable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { writeArchive } from './archive.ts';
import type { ExportResult, ExportOptions } from './export-result.ts';
import { writeLayout } from './layout.ts';
import type { OutputSpec } from './outputs.ts';

/** @throws ERR_OUTPUT_FAILED; ERR_USAGE for `dest=-` without a stream */
export async function writeOutput(
  output: OutputSpec,
  result: ExportResult,
  options: ExportOptions & { readonly stdout: Writable | undefined },
): Promise<void> {
  const named = { ...result, names: [...result.names, ...output.names] };
  if (!output.isTar) return await writeLayout(output.destination, named, options);
  if (output.destination !== '-') return await writeArchive(output.destination, named, options);
  if (options.stdout === undefined) {
    throw new TsbuildError('ERR_USAGE', {
      message: 'Cannot write the image to the standard output: the caller gave none',
      details: undefined,
      hint: 'Pass `stdout` to build(), or a path as dest.',
    });
  }
  return await writeArchive(options.stdout, named, options);
}
