/** What is replaced must not lose a platform. */

import { stat } from 'node:fs/promises';
import { hasCode, TsbuildError } from '../errors.ts';
import {
  type ExportImage,
  type ExportResult,
  type OciOutput,
  replacedEntries,
} from '../export/index.ts';
import { isAttestation } from '../oci/attestation.ts';
import { formatAll } from '../oci/platform.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { readLayoutImages } from '../registry/index.ts';
import { type JoinWork, layoutAt, pulledImages } from './open-sources.ts';

/** @throws ERR_OUTPUT_FAILED when what a file has is for a platform that the new index has not */
export async function refuseLossIn(
  { destination, isTar, names }: OciOutput,
  result: ExportResult,
  work: JoinWork,
): Promise<void> {
  if (destination === '-') return;
  // An archive is replaced whole.
  const written = isTar ? undefined : { ...result, names: [...result.names, ...names] };
  refuse(await imagesBefore(destination, written, work), destination, result);
}

/** The same of a tag. @throws ERR_OUTPUT_FAILED, ERR_REGISTRY_* */
export async function refuseLossAt(
  { registry, repository, tag }: Reference,
  result: ExportResult,
  work: JoinWork,
): Promise<void> {
  if (tag === undefined) return;
  const reference = { registry, repository, tag };
  try {
    refuse(
      await pulledImages(reference, { ...work, isOrigin: true }),
      familiarName(reference),
      result,
    );
  } catch (error) {
    // What is not there is not lost, and what is no image has no platforms.
    if (hasCode(error, 'ERR_IMAGE_NOT_FOUND') || hasCode(error, 'ERR_IMAGE_INVALID')) return;
    throw error;
  }
}

function refuse(before: readonly ExportImage[], name: string, result: ExportResult): void {
  const after = platformsOf(result.images);
  const lost = platformsOf(before).filter((platform) => !after.includes(platform));
  if (lost.length === 0) return;
  throw new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot replace the image in "${name}": it is for ${lost.join(', ')}, too`,
    details: { path: name },
    hint: 'Join the image for that platform, too, or say --allow-fewer (`allowFewer`).',
  });
}

function platformsOf(images: readonly ExportImage[]): readonly string[] {
  const own = images.filter(({ descriptor }) => !isAttestation(descriptor));
  return [...new Set(own.map(({ platform }) => formatAll(platform)))];
}

/** What a file has now, under the names of a result or under any. What is no image has none. */
async function imagesBefore(
  destination: string,
  result: ExportResult | undefined,
  work: JoinWork,
): Promise<readonly ExportImage[]> {
  const found = await stat(destination).catch(() => undefined);
  if (found === undefined || (result === undefined && !found.isFile())) return [];
  try {
    const directory = await layoutAt(destination, 'replaced', work);
    const digests = await replacedEntries(directory, result);
    const images = await Promise.all(
      digests.map((digest) => readLayoutImages({ directory, digest })),
    );
    return images.flat().map((image) => ({ ...image, platform: image.descriptor.platform }));
  } catch (error) {
    work.signal.throwIfAborted();
    // Writing it will say what is wrong with a directory; a file is overwritten whatever it is.
    if (error instanceof TsbuildError) return [];
    throw error;
  }
}
