/** Which of the images that were found become the index. */

import { TsbuildError } from '../errors.ts';
import type { ExportImage } from '../export/index.ts';
import { isAttestation } from '../oci/attestation.ts';
import { formatAll, hostPlatform, parsePlatforms } from '../oci/platform.ts';
import type { Joined } from './open-sources.ts';

export interface Asked {
  readonly sources: readonly string[];
  readonly platform?: string;
}

/** Images as asked for, then what is said about them (ATT-3). @throws ERR_USAGE, ERR_PLATFORM_MISSING */
export function inOrder(
  found: readonly Joined[],
  { platform, sources }: Asked,
): readonly ExportImage[] {
  const byPlatform = new Map<string, Joined>();
  for (const each of found.filter(({ image }) => !isAttestation(image.descriptor))) {
    const name = formatAll(each.image.platform);
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

function usage(message: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}
