/** Joins images that were built apart, each on a machine of its own, into one index (T-35). */

import { TsbuildError } from './errors.ts';
import {
  type ExportResult,
  nameOfOutput,
  type OciOutput,
  type OutputSpec,
  USUAL_FORM,
  writeOutput,
} from './export/index.ts';
import { inOrder } from './join/in-order.ts';
import { indexContent } from './join/index-content.ts';
import { type JoinWork, openSources } from './join/open-sources.ts';
import { refuseLossAt, refuseLossIn } from './join/refuse-loss.ts';
import { isAttestation } from './oci/attestation.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import { formatAll } from './oci/platform.ts';
import { familiarName } from './oci/reference.ts';
import type { BuildOptions, SessionOptions } from './options.ts';
import { readOutputs } from './outputs.ts';
import { Progress } from './progress/progress.ts';
import { destinationsOf } from './finish/push-output.ts';
import type { OnStage, PushDestination } from './registry/index.ts';
import { openRequestSession, thisMachine } from './request.ts';
import { assembleIndex } from './solve/assemble.ts';

/** What `createIndex()` takes. */
export interface IndexOptions
  extends Omit<SessionOptions, 'helper'>,
    Pick<BuildOptions, 'tags' | 'push' | 'stdout'> {
  /**
   * Layout directories and archives, `PATH[:TAG][@DIGEST]`, and images of registries, `NAME[:TAG][@DIGEST]` or
   * `docker://NAME`; each is an image, or an index of some.
   */
  readonly sources: readonly string[];
  /** `type=oci,…`, or what is pushed; at least one, unless `push` is true. */
  readonly outputs?: readonly string[];
  /**
   * The platforms that there must be, with commas between them, in the order of the index. Default:
   * those of the sources, in theirs.
   */
  readonly platform?: string;
  /** What is replaced in an output, or under a tag, may have had platforms that the new index has not. */
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
 * Writes one index over the images of all sources, complete or not at all; a tag is what is pushed last. Rejects
 * with a TsbuildError when two are for one platform, when one that is asked for is missing, and when an output
 * would lose one.
 */
export async function createIndex(options: IndexOptions): Promise<IndexResult> {
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  const wanted = wantedOf(options);
  if (options.sources.length === 0) throw usage('Cannot make an index of nothing', 'Name sources.');
  const progress = new Progress(options.onEvent);
  const work = { request: { machine: thisMachine() }, progress, signal };
  const session = await openRequestSession(options, work);
  try {
    const result = await told(progress, `joining ${options.sources.join(', ')}`, () =>
      joined(options, wanted, { session, signal }),
    );
    await write(result, wanted, { session, signal, progress, stdout: options.stdout });
    return resultOf(result);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

interface Wanted extends Pick<ExportResult, 'names'> {
  readonly files: readonly OciOutput[];
  readonly destinations: readonly PushDestination[];
}

const WORKING =
  'An index is pushed by "-t NAME --push", and written by type=oci,dest=FILE or type=oci,tar=false,dest=DIRECTORY.';

/** @throws ERR_USAGE, ERR_UNSUPPORTED, ERR_REFERENCE_INVALID */
function wantedOf({ outputs: given = [], tags = [], push = false }: IndexOptions): Wanted {
  const asked = { context: '', outputs: given, tags, push };
  const { outputs, names } = readOutputs(asked, { platforms: [], isIndex: false });
  if (outputs.length === 0) throw usage('Cannot make an index without an output', WORKING);
  for (const [number, output] of outputs.entries()) {
    checkOutput(output, given[number] ?? '--push');
  }
  const files = outputs.filter((output) => output.kind === 'oci');
  const images = outputs.filter((output) => output.kind === 'image');
  return { names, files, destinations: images.flatMap((output) => destinationsOf(output, names)) };
}

/** Images in the index stay as they are. */
function checkOutput(output: OutputSpec, name: string): void {
  if (output.kind === 'oci' || (output.kind === 'image' && output.push)) {
    if (JSON.stringify(output.form) === JSON.stringify(USUAL_FORM)) return;
  }
  throw new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot write an index by "${name}"`,
    details: { feature: name },
    hint: `${WORKING} The images in it stay as they are.`,
  });
}

/** The index, after everything that speaks against it was looked at. */
async function joined(
  options: IndexOptions,
  { names, files, destinations }: Wanted,
  work: JoinWork,
): Promise<ExportResult> {
  const images = inOrder(await openSources(options.sources, work), options);
  const index = assembleIndex(images.map(({ descriptor }) => descriptor));
  const result = { descriptor: index.descriptor, index: index.bytes, images, names };
  if (options.allowFewer === true) return result;
  for (const output of files) await refuseLossIn(output, result, work);
  for (const { reference } of destinations) await refuseLossAt(reference, result, work);
  return result;
}

interface WriteWork extends JoinWork {
  readonly stdout: IndexOptions['stdout'] | undefined;
  readonly progress: Progress;
}

/** Files first: when one of them fails, nobody has seen the tag. */
async function write(
  result: ExportResult,
  { files, destinations }: Wanted,
  { session, signal, progress, stdout }: WriteWork,
): Promise<void> {
  for (const output of files) {
    await told(progress, nameOfOutput(output), async () => {
      const blobs = result.images.flatMap((image) => image.blobs);
      await Promise.all(blobs.map(async ({ fetch }) => await fetch?.(signal)));
      const engine = { address: undefined, certificates: undefined };
      await writeOutput(output, result, { created: undefined, signal, stdout, engine });
    });
  }
  if (destinations.length === 0) return;
  const references = destinations.map(({ reference }) => reference);
  const names = references.map(familiarName).join(', ');
  await told(progress, `pushing ${names}`, async (status) => {
    const registries = references.map(({ registry }) => registry);
    const content = await indexContent(result, registries, session);
    await session.pusher.push(content, destinations, status);
  });
}

async function told<T>(
  progress: Progress,
  name: string,
  work: (status: OnStage) => Promise<T>,
): Promise<T> {
  const reporter = progress.start({ name, location: undefined });
  try {
    const result = await work(reporter.status);
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
