/**
 * Bytes from outside to the documents of an image. Lenient where documents in the wild are (null for
 * absent, unknown keys), strict where a mistake would change what is built.
 */

import { TsbuildError } from '../errors.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type DiffID, isDigest, parseDiffID, parseDigest } from '../oci/digest.ts';
import type {
  ContainerConfig,
  Healthcheck,
  History,
  ImageConfig,
  Index,
  Manifest,
} from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';

export type ParsedDocument =
  | { readonly kind: 'index'; readonly mediaType: string; readonly index: Index }
  | { readonly kind: 'manifest'; readonly mediaType: string; readonly manifest: Manifest };

type Json = Readonly<Record<string, unknown>>;

/**
 * A manifest or an index, whichever the bytes are. One that could be read as both is refused: two
 * tools would see two images in it (CVE-2021-41190). @throws ERR_IMAGE_INVALID
 */
export function parseDocument(
  document: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
  name: string,
): ParsedDocument {
  const json = parseJson(document.bytes, name);
  if (json.schemaVersion !== 2) {
    throw invalid(name, 'Its manifest has not schema version 2, the only one in use since 2017.');
  }
  const isIndex = Array.isArray(json.manifests);
  const isManifest = json.config !== undefined || json.layers !== undefined;
  const stated = text(json, 'mediaType', name) ?? document.mediaType?.split(';')[0]?.trim();
  const said = stated === undefined ? undefined : INDEX_TYPES.includes(stated);
  if (isIndex === isManifest || (said !== undefined && said !== isIndex)) {
    throw invalid(name, 'Its manifest is not what its media type says.');
  }
  const annotations = texts(json, 'annotations', name);
  const common = { schemaVersion: 2 as const, ...(stated && { mediaType: stated }) };
  const more = annotations && { annotations };
  if (isIndex) {
    const manifests = list(json, 'manifests', name).map((item) => parseDescriptor(item, name));
    const index: Index = { ...common, manifests, ...more };
    return { kind: 'index', mediaType: stated ?? MEDIA_TYPE.index, index };
  }
  const config = parseDescriptor(json.config, name);
  const layers = list(json, 'layers', name).map((item) => parseDescriptor(item, name));
  const manifest: Manifest = { ...common, config, layers, ...more };
  return { kind: 'manifest', mediaType: stated ?? MEDIA_TYPE.manifest, manifest };
}

const INDEX_TYPES: readonly string[] = [MEDIA_TYPE.index, MEDIA_TYPE.dockerIndex];

/** What `parseDocument()` reads; whatever else a descriptor names is a blob. */
export const DOCUMENT_TYPES: readonly string[] = [
  MEDIA_TYPE.index,
  MEDIA_TYPE.manifest,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.dockerManifest,
];

const MAX_DEPTH = 3;

/** An index of indexes is legal; a tower of them is an attack. @throws ERR_IMAGE_INVALID */
export function checkDepth(depth: number, name: string): void {
  if (depth > MAX_DEPTH) throw invalid(name, 'Its indexes are nested too deeply.');
}

/** A layout's index.json: an index whose media type goes without saying. @throws ERR_IMAGE_INVALID */
export function parseLayoutIndex(bytes: Uint8Array, name: string): Index {
  const document = parseDocument({ mediaType: MEDIA_TYPE.index, bytes }, name);
  if (document.kind === 'index') return document.index;
  throw invalid(name, 'Its index.json is no index.');
}

/** An image config; `platform` stands in for one that does not say its own. @throws ERR_IMAGE_INVALID */
export function parseConfig(bytes: Uint8Array, platform: Platform, name: string): ImageConfig {
  const json = parseJson(bytes, name);
  const rootfs = object(json, 'rootfs', name) ?? {};
  return compact<ImageConfig>({
    architecture: text(json, 'architecture', name) || platform.architecture,
    os: text(json, 'os', name) || platform.os,
    variant: text(json, 'variant', name) || undefined,
    'os.version': text(json, 'os.version', name) || undefined,
    'os.features': strings(json, 'os.features', name),
    created: text(json, 'created', name),
    author: text(json, 'author', name),
    config: parseContainerConfig(object(json, 'config', name) ?? {}, name),
    rootfs: {
      type: 'layers',
      diff_ids: (strings(rootfs, 'diff_ids', name) ?? []).map((id) => diffID(id, name)),
    },
    history: list(json, 'history', name).map((item) => parseHistory(item, name)),
  });
}

function parseContainerConfig(json: Json, name: string): ContainerConfig {
  const healthcheck = object(json, 'Healthcheck', name);
  return compact<ContainerConfig>({
    User: text(json, 'User', name),
    ExposedPorts: keys(json, 'ExposedPorts', name),
    Env: strings(json, 'Env', name),
    Entrypoint: strings(json, 'Entrypoint', name),
    Cmd: strings(json, 'Cmd', name),
    ArgsEscaped: truth(json, 'ArgsEscaped', name),
    Volumes: keys(json, 'Volumes', name),
    WorkingDir: text(json, 'WorkingDir', name),
    Labels: texts(json, 'Labels', name),
    StopSignal: text(json, 'StopSignal', name),
    Healthcheck: healthcheck && parseHealthcheck(healthcheck, name),
    OnBuild: strings(json, 'OnBuild', name),
    Shell: strings(json, 'Shell', name),
  });
}

function parseHealthcheck(json: Json, name: string): Healthcheck {
  return compact<Healthcheck>({
    Test: strings(json, 'Test', name),
    Interval: count(json, 'Interval', name),
    Timeout: count(json, 'Timeout', name),
    StartPeriod: count(json, 'StartPeriod', name),
    StartInterval: count(json, 'StartInterval', name),
    Retries: count(json, 'Retries', name),
  });
}

function parseHistory(value: unknown, name: string): History {
  if (!isObject(value)) throw wrongType(name, 'history');
  return compact<History>({
    created: text(value, 'created', name),
    created_by: text(value, 'created_by', name),
    author: text(value, 'author', name),
    comment: text(value, 'comment', name),
    empty_layer: truth(value, 'empty_layer', name),
  });
}

function parseDescriptor(value: unknown, name: string): Descriptor {
  if (!isObject(value)) throw wrongType(name, 'descriptor');
  const mediaType = text(value, 'mediaType', name);
  const digest = text(value, 'digest', name);
  const size = count(value, 'size', name);
  if (mediaType === undefined || digest === undefined || size === undefined || size < 0) {
    throw invalid(name, 'A descriptor in its manifest lacks its media type, digest or size.');
  }
  if (!isDigest(digest)) throw invalid(name, `Its manifest names "${digest}", no sha256 digest.`);
  const platform = object(value, 'platform', name);
  return compact<Descriptor>({
    mediaType,
    digest: parseDigest(digest),
    size,
    annotations: texts(value, 'annotations', name),
    platform: platform && parsePlatformObject(platform, name),
  });
}

function parsePlatformObject(json: Json, name: string): Platform | undefined {
  const os = text(json, 'os', name);
  const architecture = text(json, 'architecture', name);
  if (!os || !architecture) return undefined;
  const variant = text(json, 'variant', name) || undefined;
  return compact<Platform>({
    os,
    architecture,
    // containerd's normal form leaves these two out (MP-2), so that they compare equal.
    variant: NORMAL_VARIANTS.includes(`${architecture}/${variant}`) ? undefined : variant,
    'os.version': text(json, 'os.version', name) || undefined,
  });
}

const NORMAL_VARIANTS: readonly string[] = ['amd64/v1', 'arm64/v8'];

function parseJson(bytes: Uint8Array, name: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(name, 'One of its documents is no JSON.', cause);
  }
  if (!isObject(value)) throw invalid(name, 'One of its documents is no JSON object.');
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(json: Json, key: string, name: string): string | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw wrongType(name, key);
}

function count(json: Json, key: string, name: string): number | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value)))
    return value;
  throw wrongType(name, key);
}

function truth(json: Json, key: string, name: string): boolean | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw wrongType(name, key);
}

function object(json: Json, key: string, name: string): Json | undefined {
  const value = json[key] ?? undefined;
  if (value === undefined || isObject(value)) return value;
  throw wrongType(name, key);
}

function list(json: Json, key: string, name: string): readonly unknown[] {
  const value = json[key] ?? [];
  if (Array.isArray(value)) return value;
  throw wrongType(name, key);
}

function strings(json: Json, key: string, name: string): readonly string[] | undefined {
  if (json[key] === undefined || json[key] === null) return undefined;
  return list(json, key, name).map((item) => {
    if (typeof item !== 'string') throw wrongType(name, key);
    return item;
  });
}

function texts(json: Json, key: string, name: string): Record<string, string> | undefined {
  const value = object(json, key, name);
  if (value === undefined) return undefined;
  return Object.fromEntries(
    Object.keys(value).map((item) => [item, text(value, item, name) ?? '']),
  );
}

/** Go's way to write a set: `{"80/tcp": {}}`. */
function keys(json: Json, key: string, name: string): ContainerConfig['Volumes'] | undefined {
  const value = object(json, key, name);
  return value && Object.fromEntries(Object.keys(value).map((item) => [item, {}]));
}

function diffID(value: string, name: string): DiffID {
  if (!isDigest(value)) throw invalid(name, `Its config names "${value}", no sha256 digest.`);
  return parseDiffID(value);
}

/** The object without its undefined members: absent stays absent in the documents we write from it. */
function compact<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

function wrongType(name: string, key: string): TsbuildError {
  return invalid(name, `"${key}" in its documents has the wrong type.`);
}

/** For a document that is not what it should be. */
export function invalid(name: string, hint: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_IMAGE_INVALID', {
    message: `Cannot use the image "${name}"`,
    details: { reference: name },
    hint,
    cause,
  });
}
