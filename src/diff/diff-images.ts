/** Names what differs between two images: the story of a comparison. */

import { TsbuildError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import {
  formatAll,
  hostPlatform,
  matchPlatform,
  parsePlatform,
  type Platform,
} from '../oci/platform.ts';
import type { SessionOptions } from '../options.ts';
import { Progress } from '../progress/progress.ts';
import { openRequestSession, thisMachine } from '../request.ts';
import type { Difference } from './difference.ts';
import { type DifferenceCounts, Differences, type DifferencesOptions } from './differences.ts';
import { addAttestations } from './attestation-changes.ts';
import type { CompareWork } from './compare-work.ts';
import { compareImages, isWrittenOtherwise } from './image-changes.ts';
import { LayerFiles } from './layer-files.ts';
import { openSubject } from './open-subject.ts';
import { bytesOf, type Subject } from './subject.ts';
import { indexChanges, pairsOf } from './subject-changes.ts';

/** What `diffImages()` takes besides the images. */
export interface DiffOptions extends SessionOptions, DifferencesOptions {
  /** Which image of an index is compared. Default: all of them. */
  readonly platform?: string;
}

/** One of the two. */
export interface DiffSide {
  /** As it was given. */
  readonly name: string;
  /** Of the manifest or index; a docker archive has none. */
  readonly digest?: Digest;
}

/** What differs. */
export interface ImageDiff {
  /** Whether nothing does, but for what is ignored. */
  readonly equal: boolean;
  readonly a: DiffSide;
  readonly b: DiffSide;
  /** The most important group first; within files, by path. */
  readonly differences: readonly Difference[];
  /** How many there are of each group, those above the limit too. */
  readonly counts: DifferenceCounts;
}

/**
 * Compares two images: layouts, archives of OCI or docker, names in the store or in registries. Nothing is
 * unpacked to a filesystem; memory grows with the differences that are listed, not with the images. Rejects
 * with a TsbuildError when one of them cannot be read, or with the signal's reason.
 */
export async function diffImages(
  a: string,
  b: string,
  options: DiffOptions = {},
): Promise<ImageDiff> {
  const { signal = new AbortController().signal, onEvent } = options;
  signal.throwIfAborted();
  const wanted = platformOf(options);
  const progress = new Progress(onEvent);
  const machine = { request: { machine: thisMachine() }, progress, signal };
  const session = await openRequestSession(options, machine);
  const files = new LayerFiles(session, signal);
  try {
    const open = async (name: string): Promise<Subject> =>
      chosen(await openSubject(name, { session, progress, signal }), wanted);
    const [subjectA, subjectB] = [await open(a), await open(b)];
    const differences = new Differences(options);
    await compare(subjectA, subjectB, { differences, files, signal });
    return {
      equal: differences.isEmpty,
      a: sideOf(subjectA),
      b: sideOf(subjectB),
      differences: differences.list(),
      counts: differences.counts(),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await files.settled();
    await session.close();
  }
}

async function compare(a: Subject, b: Subject, work: CompareWork): Promise<void> {
  if (a.digest !== undefined && a.digest === b.digest) return;
  const { differences } = work;
  differences.addAll(indexChanges(a, b));
  await addAttestations(a, b, work);
  for (const pair of pairsOf(a, b)) await compareImages(pair, work);
  const common = { group: 'bytes', change: 'changed' } as const;
  if (isWrittenOtherwise(a.index, b.index)) {
    differences.add({ ...common, key: 'index', a: bytesOf(a.index), b: bytesOf(b.index) });
  }
  // Other digests always have a reason, if only one that nobody has thought of.
  if (a.digest === undefined || b.digest === undefined || differences.hasSeen) return;
  const key = a.index === undefined ? 'manifest' : 'index';
  differences.add({ ...common, key, a: { digest: a.digest }, b: { digest: b.digest } });
}

/** @throws ERR_PLATFORM_INVALID */
function platformOf({ platform }: DiffOptions): Platform | undefined {
  return platform === undefined ? undefined : parsePlatform(platform, hostPlatform(process.arch));
}

/** The image for a platform alone, without the index. @throws ERR_PLATFORM_MISSING */
function chosen(subject: Subject, wanted: Platform | undefined): Subject {
  const { name, images, index } = subject;
  if (wanted === undefined || index === undefined) return subject;
  const offered = images.map((image) => ({ image, score: matchPlatform(wanted, image.target) }));
  const [best] = offered.filter(({ score }) => score > 0).toSorted((x, y) => y.score - x.score);
  if (best === undefined) {
    throw new TsbuildError('ERR_PLATFORM_MISSING', {
      message: `Cannot find "${name}" for ${formatAll(wanted)}`,
      details: { reference: name, platform: formatAll(wanted) },
      hint: `It exists for ${images.map(({ platform }) => platform).join(', ')}.`,
    });
  }
  const { manifest } = best.image;
  const digest = manifest === undefined ? {} : { digest: manifest.digest };
  return { name, ...digest, images: [best.image], attestations: [] };
}

function sideOf({ name, digest }: Subject): DiffSide {
  return { name, ...(digest !== undefined && { digest }) };
}
