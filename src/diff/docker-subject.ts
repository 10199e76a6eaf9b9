/** An image of a docker archive without a layout as something to compare. It has no manifest. */

import { readFile, stat } from 'node:fs/promises';
import type { DockerImage } from '../export/index.ts';
import { formatAll, normalizePlatform } from '../oci/platform.ts';
import type { DocumentValue } from './difference.ts';
import { invalidSubject, layerFactsOf, parseObject } from './read-subject.ts';
import type { Subject } from './subject.ts';

/** Bytes. */
const MAX_CONFIG = 16 * 1024 * 1024;

/** The image with a tag, or the only one. @throws ERR_IMAGE_INVALID */
export async function dockerSubject(
  name: string,
  images: readonly DockerImage[],
  tag: string | undefined,
): Promise<Subject> {
  const [image, ...others] = images.filter(
    ({ names }) =>
      tag === undefined ||
      names.some((each) => each === tag || each.endsWith(`:${tag}`) || each.endsWith(`/${tag}`)),
  );
  if (image === undefined || others.length > 0) {
    const has = images.flatMap(({ names }) => names).join(', ');
    throw invalidSubject(name, `The archive has ${has || 'images without names'}: write FILE:TAG.`);
  }
  const { path, digest, size } = image.config;
  if ((await stat(path)).size > MAX_CONFIG) throw invalidSubject(name, 'Its config is too large.');
  const json = parseObject(await readFile(path), name);
  const target = normalizePlatform({
    os: textOf(json['os']),
    architecture: textOf(json['architecture']),
    ...(typeof json['variant'] === 'string' && { variant: json['variant'] }),
  });
  const facts = layerFactsOf(name, json, image.layers.length);
  return {
    name,
    images: [
      {
        platform: formatAll(target),
        target,
        config: { digest, size, json },
        layers: facts.map((fact, index) => {
          const file = image.layers[index];
          if (file === undefined) throw new TypeError(`No file of layer ${index}`);
          const blob = (): Promise<string> => Promise.resolve(file.path);
          return { ...fact, index, digest: file.digest, size: file.size, blob };
        }),
      },
    ],
    attestations: [],
  };
}

function textOf(value: DocumentValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
