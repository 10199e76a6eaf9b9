/** Writes what was built to a place that was asked for. */

import type { Writable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { writeArchive } from './archive.ts';
import { type Engine, loadIntoEngine } from './engine.ts';
import type { ExportResult, ExportOptions } from './export-result.ts';
import { writeLayout } from './layout.ts';
import type { DockerOutput, OciOutput, OutputSpec } from './output.ts';

export interface WriteOutputOptions extends ExportOptions {
  /** For `dest=-`. */
  readonly stdout: Writable | undefined;
  /** For `type=docker` without a destination. */
  readonly engine: Engine;
}

/** Writes an image. @throws ERR_OUTPUT_FAILED; ERR_USAGE for `dest=-` without a stream */
export async function writeOutput(
  output: OciOutput | DockerOutput,
  result: ExportResult,
  options: WriteOutputOptions,
): Promise<void> {
  const named = { ...result, names: [...result.names, ...output.names] };
  const forDocker = output.kind === 'docker';
  const { created, signal } = options;
  const written = { created, forDocker, signal };
  const { destination } = output;
  if (destination === undefined) await loadIntoEngine(named, options.engine, written);
  else if (!output.isTar) await writeLayout(destination, named, written);
  else if (destination !== '-') await writeArchive(destination, named, written);
  else await writeArchive(stdoutOf(options.stdout), named, written);
}

/** What to call an output in the progress. */
export function nameOfOutput(output: OutputSpec): string {
  switch (output.kind) {
    case 'oci':
      return `exporting to OCI ${output.isTar ? 'archive' : 'layout'} ${output.destination}`;
    case 'docker':
      return output.destination === undefined
        ? 'loading into the container engine'
        : `exporting to docker image format ${output.destination}`;
    case 'image':
      return 'exporting to image';
    case 'local':
      return `exporting to client directory ${output.destination}`;
    case 'tar':
      return `exporting to client tarball ${output.destination}`;
    case 'cacheonly':
      return 'exporting nothing';
  }
}

/** @throws ERR_USAGE when the caller gave none */
export function stdoutOf(stdout: Writable | undefined): Writable {
  if (stdout !== undefined) return stdout;
  throw new TsbuildError('ERR_USAGE', {
    message: 'Cannot write the image to the standard output: the caller gave none',
    details: undefined,
    hint: 'Pass `stdout` to build(), or a path as dest.',
  });
}
