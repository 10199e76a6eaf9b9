/** What checks and outlines could not look at, in text and JSON. */

import type { UnseenImage } from '../index.ts';
import { jsonLocation, type JsonLocation } from './json-text.ts';
import { clean } from './report.ts';

/** For stderr: a line for each image, then what `missing` says; '' when all were seen. */
export function unseenText(images: readonly UnseenImage[], missing: string): string {
  if (images.length === 0) return '';
  const lines = images.map(({ reason: { message, hint, location } }) => {
    const place = location === undefined ? '' : `${location.file}:${location.range.start.line}: `;
    return `${place}${message}${hint === undefined ? '' : `. ${hint}`}`;
  });
  return [...lines, missing].map((line) => `NOTE: ${clean(line)}\n`).join('');
}

/** Without the images, a check leaves this out. */
export const UNCHECKED =
  'Not checked on images that were not looked at: undefined variables, the platform, triggers, the user';

/** Without the images, an outline leaves this out. */
export const UNLISTED =
  'Without a look at the base images, what their variables and triggers add is not listed';

interface JsonUnseen {
  readonly image: string;
  readonly code: string;
  readonly message: string;
  readonly location: JsonLocation | undefined;
}

/** Undefined when all were seen: the field is ours, not BuildKit's. */
export function unseenJson(images: readonly UnseenImage[]): readonly JsonUnseen[] | undefined {
  if (images.length === 0) return undefined;
  return images.map(({ image, reason: { code, message, location } }) => ({
    image,
    code,
    message,
    location: location && jsonLocation(location.range),
  }));
}
