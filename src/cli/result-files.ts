/** `--iidfile` and `--metadata-file`: what a build came to, for scripts. */

import { rename, rm, writeFile } from 'node:fs/promises';
import { type BuildResult, TsbuildError } from '../index.ts';

/** Paths of the files that are asked for. */
export interface ResultFiles {
  readonly iidfile?: string | undefined;
  readonly metadataFile?: string | undefined;
}

/** Takes the id of an earlier build away: a build that fails must not leave it there. */
export async function removeStale({ iidfile }: ResultFiles): Promise<void> {
  if (iidfile !== undefined) await written(iidfile, () => rm(iidfile, { force: true }));
}

/** Writes what was asked for. @throws ERR_OUTPUT_FAILED */
export async function writeResultFiles(files: ResultFiles, result: BuildResult): Promise<void> {
  const { iidfile, metadataFile } = files;
  if (iidfile !== undefined) await replace(iidfile, imageId(result));
  if (metadataFile !== undefined) await replace(metadataFile, metadataText(result));
}

/** The image's id is its config's digest; of several images, that of the index. */
export function imageId({ digest, configDigest = digest }: BuildResult): string {
  return configDigest;
}

/** What build-push-action reads (MD-1), with its keys in order. */
export function metadataText(result: BuildResult): string {
  const { digest, descriptor, configDigest, names } = result;
  const metadata = {
    ...provenancesOf(result),
    ...(configDigest !== undefined && { 'containerimage.config.digest': configDigest }),
    'containerimage.descriptor': descriptor,
    'containerimage.digest': digest,
    ...(names.length > 0 && { 'image.name': names.join(',') }),
  };
  return JSON.stringify(metadata, null, 2);
}

/** Of several platforms each by its own key. */
function provenancesOf({ platforms }: BuildResult): Readonly<Record<string, object>> {
  const entries = platforms.flatMap(({ platform, provenance }) => {
    if (provenance === undefined) return [];
    const suffix = platforms.length === 1 ? '' : `/${platform}`;
    return [[`buildx.build.provenance${suffix}`, provenance] as const];
  });
  return Object.fromEntries(entries);
}

/** Whoever reads it sees all of it or nothing. A device is written into. */
async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await written(path, async () => {
    if (path.startsWith('/dev/')) return await writeFile(path, text);
    try {
      await writeFile(temporary, text);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

async function written(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? `: ${String(cause.code)}` : '';
    throw new TsbuildError('ERR_OUTPUT_FAILED', {
      message: `Cannot write "${path}"${reason}`,
      details: { path },
      hint: 'Its directory must be there, and be writable.',
      cause,
    });
  }
}
