/** Annotations of images: `--annotation`, and `annotation….KEY=VALUE` of outputs (5.2). */

import { TsbuildError } from '../errors.ts';
import { formatAll, parsePlatform, type Platform } from '../oci/platform.ts';

/** The documents that have annotations, and the descriptors by which others name them. */
const PLACES = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const;
export type AnnotationPlace = (typeof PLACES)[number];

export interface Annotation {
  readonly place: AnnotationPlace;
  /** Of this platform's image alone. */
  readonly platform: Platform | undefined;
  readonly key: string;
  readonly value: string;
}

const LONG_FORM = new RegExp(`^annotation(?:-(${PLACES.join('|')}))?(?:\\[([^\\]]*)\\])?\\.(.+)$`);
const SHORT_FORM = /^(?:([a-z,-]+)(?:\[([A-Za-z0-9_/().-]*)\])?:)?([^=]+)=(.*)$/s;
/** What is said without a platform is said of each. */
const ANY_HOST: Platform = { os: 'linux', architecture: 'amd64' };

/** An option of an output; undefined when it is no annotation. @throws ERR_USAGE, ERR_PLATFORM_INVALID */
export function readAnnotation(option: string, value: string): Annotation | undefined {
  const [match, place = 'manifest', platform, key = ''] = LONG_FORM.exec(option) ?? [];
  if (match === undefined) return undefined;
  return annotationOf({ place, platform, key, value }, option);
}

/** `[PLACE[,PLACE][PLATFORM]:]KEY=VALUE` as docker's flag has it. @throws ERR_USAGE, ERR_PLATFORM_INVALID */
export function parseAnnotation(text: string): readonly Annotation[] {
  const [match, places = 'manifest', platform, key = '', value = ''] = SHORT_FORM.exec(text) ?? [];
  if (match === undefined) throw unclear(text, 'It is KEY=VALUE, or PLACE:KEY=VALUE.');
  return places.split(',').map((place) => annotationOf({ place, platform, key, value }, text));
}

/** Those of a place, as a document has them; undefined when there are none. Later ones win. */
export function annotationsAt(
  place: AnnotationPlace,
  annotations: readonly Annotation[],
  platform?: Platform,
): Readonly<Record<string, string>> | undefined {
  const isMeant = (annotation: Annotation): boolean =>
    annotation.place === place &&
    (annotation.platform === undefined || isSame(annotation.platform, platform));
  const found = annotations.filter(isMeant);
  // What is said of a platform counts more than what is said of all, in whatever order.
  found.sort((a, b) => Number(a.platform !== undefined) - Number(b.platform !== undefined));
  if (found.length === 0) return undefined;
  const values = new Map(found.map(({ key, value }) => [key, value]));
  // In whatever order they were given, it is the same document.
  return Object.fromEntries([...values].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** @throws ERR_USAGE for annotations of what these platforms' image does not have */
export function checkAnnotations(
  annotations: readonly Annotation[],
  { platforms, isIndex }: { readonly platforms: readonly Platform[]; readonly isIndex: boolean },
): void {
  for (const { place, platform } of annotations) {
    if (!isIndex && place.startsWith('index')) {
      throw new TsbuildError('ERR_USAGE', {
        message: 'index annotations not supported for single platform export',
        details: undefined,
        hint: 'Annotate the manifest, or build for several platforms.',
      });
    }
    if (platform === undefined || platforms.some((built) => isSame(platform, built))) continue;
    throw new TsbuildError('ERR_USAGE', {
      message: `invalid annotation: no platform ${formatAll(platform)} found in source`,
      details: undefined,
      hint: `The build is for ${platforms.map(formatAll).join(', ')}.`,
    });
  }
}

function annotationOf(
  given: {
    readonly place: string;
    readonly platform: string | undefined;
    readonly key: string;
    readonly value: string;
  },
  text: string,
): Annotation {
  const place = PLACES.find((known) => known === given.place);
  if (place === undefined) {
    throw unclear(text, `"${given.place}" is none of ${PLACES.join(', ')}.`);
  }
  const { key, value } = given;
  if (!given.platform) return { place, platform: undefined, key, value };
  if (place.startsWith('index')) throw unclear(text, 'An index is of no platform.');
  return { place, platform: parsePlatform(given.platform, ANY_HOST), key, value };
}

function isSame(a: Platform, b: Platform | undefined): boolean {
  return b !== undefined && formatAll(a) === formatAll(b);
}

function unclear(text: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', {
    message: `Cannot understand the annotation "${text}"`,
    details: undefined,
    hint,
  });
}
