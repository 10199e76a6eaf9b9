/** `type=image` and `type=registry`: what a name stands for in the store, and pushing it. */

import { type ExportResult, type ImageForm, type RegistryOutput } from '../export/index.ts';
import type { Digest } from '../oci/digest.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { pushImage, type PushImageOptions } from './push-image.ts';
import type { PushDestination, Pusher } from '../registry/index.ts';
import type { Request } from '../request.ts';
import type { LayerBlob } from '../solve/layer-blobs.ts';
import type { Session } from '../solve/session.ts';

/** Puts an image's documents into the store, and its names: `tsbuild push` knows by these what to push (T-59). */
export async function rememberImage(
  { descriptor: image, index, images, names }: ExportResult,
  { store }: Pick<Session, 'store'>,
): Promise<void> {
  for (const { config, manifest } of images) {
    await store.putBytes(config);
    await store.putBytes(manifest);
  }
  if (index !== undefined) await store.putBytes(index);
  const origins = originsOf(images);
  const created = Math.floor(Date.now() / 1000);
  for (const name of new Set(names.map(formatReference))) {
    await store.putImage(name, { image, origins, created });
  }
}

/** Where its layers came from, by digest. */
function originsOf(images: ExportResult['images']): Readonly<Record<string, string>> {
  const blobs = images.flatMap((one) => one.blobs);
  return Object.fromEntries(
    blobs.flatMap(({ descriptor, origin }) => (origin ? [[descriptor.digest, origin]] : [])),
  );
}

/**
 * Gives it its names, and pushes to them if asked for: the output's and those of the result, which is in the store with its layers, and stays
 * there when it fails (T-25). @throws ERR_REGISTRY_*, ERR_DIGEST_MISMATCH
 */
export async function pushOutput(
  output: RegistryOutput,
  result: ExportResult,
  options: Omit<PushImageOptions, 'origins'>,
): Promise<void> {
  await rememberImage({ ...result, names: [...result.names, ...output.names] }, options.session);
  const origins = originsOf(result.images);
  const destinations = destinationsOf(output, result.names);
  await pushImage(result.descriptor.digest, destinations, { ...options, origins });
}

/** Where an output is pushed to; nowhere if it is not. */
export function destinationsOf(
  { push, names, pushByDigest, nameCanonical, insecure }: RegistryOutput,
  tagged: readonly Reference[],
): readonly PushDestination[] {
  if (!push) return [];
  return [...tagged, ...names].flatMap((reference) => {
    const { registry, repository } = reference;
    const bare = { reference: { registry, repository }, insecure };
    const full = { reference, insecure };
    return pushByDigest ? [bare] : nameCanonical ? [full, bare] : [full];
  });
}

/** Full names, each once; `name-canonical` adds those with the digest. */
export function namesOf(
  { names, outputs }: Pick<Request, 'names' | 'outputs'>,
  digest: Digest,
): readonly string[] {
  const images = outputs.filter((output) => output.kind === 'image');
  const all = [...names, ...outputs.flatMap((output) => ('names' in output ? output.names : []))];
  const canonical = images.flatMap((output) => {
    if (!output.nameCanonical) return [];
    return [...names, ...output.names].map(({ registry, repository }) => ({
      registry,
      repository,
      digest,
    }));
  });
  return [...new Set([...all, ...canonical].map(formatReference))];
}

/** Layers leave while later steps run: to the first repository of each registry that will be pushed to. */
export function earlyPush(
  { names, outputs, form }: Pick<Request, 'names' | 'outputs' | 'form'>,
  pusher: Pusher,
): (blob: LayerBlob) => void {
  const first = new Map<string, PushDestination>();
  for (const output of outputs) {
    if (output.kind !== 'image' || !isPackedAs(output.form, form)) continue;
    for (const destination of destinationsOf(output, names)) {
      const { registry } = destination.reference;
      if (!first.has(registry)) first.set(registry, destination);
    }
  }
  return ({ descriptor: { digest, size }, path, origin, fetch }) => {
    for (const to of first.values()) pusher.begin({ digest, size, path, origin, fetch }, to);
  };
}

/** The layers of another form are not those that are made while steps run. */
function isPackedAs(form: ImageForm, other: ImageForm): boolean {
  const packing = ({
    compression,
    level,
    forceCompression,
    rewriteTimestamp,
    epoch,
  }: ImageForm) => [
    compression,
    level,
    forceCompression,
    rewriteTimestamp,
    rewriteTimestamp && epoch,
  ];
  return packing(form).every((value, number) => value === packing(other)[number]);
}
