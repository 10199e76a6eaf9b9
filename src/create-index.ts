/** Joins images that were built apart, each on a machine of its own, into one index (T-35). */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from './errors.ts';
import {
  type ExportResult,
  nameOfOutput,
  type OciOutput,
  parseOutput,
  replacedEntries,
  unpackArchive,
  USUAL_FORM,
  writeOutput,
} from './export/index.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { formatAll, hostPlatform, parsePlatforms } from './oci/platform.ts';
import { parseReference } from './oci/reference.ts';
import type { BuildOptions } from './options.ts';
import { Progress } from './progress/progress.ts';
import {
  type LayoutImage,
  type LayoutLocation,
  parseLayoutLocation,
  readLayoutImages,
  verifyBlob,
} from './registry/index.ts';
import { openRequestSession, thisMachine } from './request.ts';
import { assembleIndex } from './solve/assemble.ts';
import type { Session } from './solve/session.ts';

/** What `createIndex()` takes. */
export interface IndexOptions
  extends Pick<BuildOptions, 'store' | 'tags' | 'stdout' | 'signal' | 'onEvent'> {
  /** Layout directories and archives, `PATH[:TAG][@DIGEST]`; each is an image, or an index of some. */
  readonly sources: readonly string[];
  /** `type=oci,…`; at least one. */
  readonly outputs: readonly string[];
  /**
   * The platforms that there must be, with commas between them, in the order of the index. Default:
   * those of the sources, in theirs.
   */
  readonly platform?: string;
  /** What is replaced in an output may have had platforms that the new index has not. */
  readonly allowFewer?: boolean;
}

/** What was joined. */
export interface IndexResult {
  /** Of the index. */
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** In the order of the index; attestations are not among them. */
  readonly platforms: readonly {
    readonly platform: string;
    readonly digest: Digest;
    readonly descriptor: Descriptor;
  }[];
}

/**
 * Writes one index over the images of all sources, complete or not at all. Rejects with a TsbuildError
 * when two are for one platform, when one that is asked for is missing, and when an output would lose one.
 */
export async function createIndex(options: IndexOptions): Promise<IndexResult> {
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const outputs = options.outputs.map(outputOf);
  const names = (options.tags ?? []).map(parseReference);
  const locations = options.sources.map(locationOf);
  if (locations.length === 0) throw usage('Cannot make an index of nothing', 'Name its sources.');
  if (outputs.length === 0) throw usage('Cannot make an index without an output', WORKING);
  const progress = new Progress(options.onEvent);
  const work = { request: { machine: thisMachine() }, progress, signal };
  const session = await openRequestSession(options, work);
  try {
    const images = await told(progress, `joining ${options.sources.join(', ')}`, async () => {
      const found = await readSources(locations, { session, signal });
      await verifyAll(found, signal);
      return inOrder(found, options);
    });
    const index = assembleIndex(images.map(({ descriptor }) => descriptor));
    const result: ExportResult = {
      descriptor: index.descriptor,
      index: index.bytes,
      images: images.map((image) => ({ ...image, platform: image.descriptor.platform })),
      names,
    };
    if (options.allowFewer !== true) {
      for (const output of outputs) await refuseLoss(output, result, { session, signal });
    }
    for (const output of outputs) {
      const { stdout } = options;
      const engine = { address: undefined, certificates: undefined };
      await told(progress, nameOfOutput(output), async () => {
        await writeOutput(output, result, { created: undefined, signal, stdout, engine });
      });
    }
    return resultOf(result);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

interface Work {
  readonly session: Session;
  readonly signal: AbortSignal;
}

const WORKING = 'An index is written by type=oci,dest=FILE and type=oci,tar=false,dest=DIRECTORY.';

function outputOf(text: string): OciOutput {
  const output = parseOutput(text);
  const isUsual =
    output.kind === 'oci' && JSON.stringify(output.form) === JSON.stringify(USUAL_FORM);
  if (isUsual) return output;
  throw new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot write an index by "${text}"`,
    details: { feature: text },
    hint: `${WORKING} The images in it stay as they are.`,
  });
}

interface Source {
  readonly text: string;
  readonly location: LayoutLocation;
}

function locationOf(text: string): Source {
  const location = parseLayoutLocation(
    `oci-layout:${text.replace(/^oci(?:-layout|-archive)?:(?:\/\/)?/, '')}`,
  );
  if (location === undefined) throw usage(`Cannot join "${text}"`, 'Name a layout or an archive.');
  return { text, location };
}

interface Found {
  readonly source: string;
  readonly image: LayoutImage;
}

async function readSources(sources: readonly Source[], work: Work): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const [number, { text, location }] of sources.entries()) {
    const directory = await directoryOf(location.directory, `source-${number}`, work);
    const images = await readLayoutImages({ ...location, directory });
    found.push(...images.map((image) => ({ source: text, image })));
  }
  return found;
}

/** What comes from elsewhere is checked, each file once. @throws ERR_IMAGE_INVALID, ERR_DIGEST_MISMATCH */
async function verifyAll(found: readonly Found[], signal: AbortSignal): Promise<void> {
  const checked = new Set<string>();
  for (const { source, image } of found) {
    for (const blob of image.blobs) {
      if (checked.has(blob.path)) continue;
      checked.add(blob.path);
      await verifyBlob(blob, source, signal);
    }
  }
}

/** An archive is unpacked for as long as it takes. */
async function directoryOf(path: string, name: string, { session, signal }: Work): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return path;
  const directory = join(session.workspace.path, name);
  await unpackArchive(path, directory, signal);
  return directory;
}

/** Images as asked for, then what is said about them (ATT-3). @throws ERR_USAGE, ERR_PLATFORM_MISSING */
function inOrder(
  found: readonly Found[],
  { platform, sources }: IndexOptions,
): readonly LayoutImage[] {
  const byPlatform = new Map<string, Found>();
  for (const each of found.filter(({ image }) => !isAttestation(image.descriptor))) {
    const name = formatAll(each.image.descriptor.platform);
    const other = byPlatform.get(name);
    if (other !== undefined) {
      throw usage(
        `Cannot join two images for ${name}: "${other.source}" and "${each.source}" have one`,
        'An index has one image for each platform. Name each source once.',
      );
    }
    byPlatform.set(name, each);
  }
  const wanted = parsePlatforms(
    platform === undefined ? [] : [platform],
    hostPlatform(process.arch),
  );
  const names = wanted.length === 0 ? [...byPlatform.keys()] : wanted.map(formatAll);
  const others = [...byPlatform.keys()].filter((name) => !names.includes(name));
  if (others.length > 0) {
    throw usage(
      `Cannot leave out ${others.join(', ')}, which the sources have and "--platform" does not name`,
      'Name it, or leave the source out.',
    );
  }
  const images = names.map((name) => {
    const image = byPlatform.get(name)?.image;
    if (image !== undefined) return image;
    throw new TsbuildError('ERR_PLATFORM_MISSING', {
      message: `Cannot find an image for ${name} in ${sources.map((each) => `"${each}"`).join(', ')}`,
      details: { reference: sources.join(', '), platform: name },
      hint: `The sources have ${[...byPlatform.keys()].join(', ')}.`,
    });
  });
  const about = found.map(({ image }) => image);
  return [...images, ...about.filter(({ descriptor }) => isAttestation(descriptor))];
}

function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] !== undefined;
}

/** @throws ERR_OUTPUT_FAILED when what is replaced has a platform that the new index has not */
async function refuseLoss(
  { destination, isTar, names }: OciOutput,
  result: ExportResult,
  work: Work,
): Promise<void> {
  if (destination === '-') return;
  // An archive is replaced whole.
  const written = isTar ? undefined : { ...result, names: [...result.names, ...names] };
  const before = await platformsBefore(destination, written, work);
  const after = resultOf(result).platforms.map(({ platform }) => platform);
  const lost = before.filter((name) => !after.includes(name));
  if (lost.length === 0) return;
  throw new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot replace the image in "${destination}": it is for ${lost.join(', ')}, too`,
    details: { path: destination },
    hint: 'Join the image for that platform, too, or say --allow-fewer (`allowFewer`).',
  });
}

/** What the output has now, under the names of a result or under any. What is no image has none. */
async function platformsBefore(
  destination: string,
  result: ExportResult | undefined,
  work: Work,
): Promise<readonly string[]> {
  const found = await stat(destination).catch(() => undefined);
  if (found === undefined || (result === undefined && !found.isFile())) return [];
  try {
    const directory = await directoryOf(destination, 'replaced', work);
    const digests = await replacedEntries(directory, result);
    const images = await Promise.all(
      digests.map((digest) => readLayoutImages({ directory, digest })),
    );
    const own = images.flat().filter(({ descriptor }) => !isAttestation(descriptor));
    return [...new Set(own.map(({ descriptor }) => formatAll(descriptor.platform)))];
  } catch (error) {
    work.signal.throwIfAborted();
    // Writing it will say what is wrong with a directory; a file is overwritten whatever it is.
    if (error instanceof TsbuildError) return [];
    throw error;
  }
}

async function told<T>(progress: Progress, name: string, work: () => Promise<T>): Promise<T> {
  const reporter = progress.start({ name, location: undefined });
  try {
    const result = await work();
    reporter.end({ cached: false });
    return result;
  } catch (error) {
    reporter.fail(error instanceof TsbuildError ? error : undefined);
    throw error;
  }
}

function resultOf({ descriptor, images }: ExportResult): IndexResult {
  const platforms = images
    .filter((image) => !isAttestation(image.descriptor))
    .map((image) => ({
      platform: formatAll(image.platform),
      digest: image.descriptor.digest,
      descriptor: image.descriptor,
    }));
  return { digest: descriptor.digest, descriptor, platforms };
}

function usage(message: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}
