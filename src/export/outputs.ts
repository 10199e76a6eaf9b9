/** Values of `--output`: what to write, and where (OUT-1, OUT-2, OUT-3). */

import { suggest, TsbuildError } from '../errors.ts';
import { parseReference, parseRepository, type Reference } from '../oci/reference.ts';
import { type Annotation, readAnnotation } from './annotations.ts';
import { splitFields } from './csv.ts';
import type { ImageForm, OutputSpec } from './output.ts';

/** Options of all outputs that write an image. */
const IMAGE = [
  'name',
  'compression',
  'compression-level',
  'force-compression',
  'oci-mediatypes',
  'rewrite-timestamp',
  'source-date-epoch',
  'oci-artifact',
] as const;
const FILES = ['dest', 'platform-split', 'source-date-epoch', 'attestation-prefix'] as const;
const PUSH = ['push', 'push-by-digest', 'name-canonical', 'registry.insecure'] as const;

/** The types of outputs, and the options that each takes besides `type`. */
const OPTIONS = {
  oci: [...IMAGE, 'dest', 'tar'],
  docker: [...IMAGE, 'dest', 'tar'],
  image: [...IMAGE, ...PUSH],
  registry: [...IMAGE, ...PUSH],
  local: [...FILES, 'mode'],
  tar: FILES,
  cacheonly: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

type OutputType = keyof typeof OPTIONS;

/** Options of other builders (5.2) that are known and not done, each with the reason. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  'attestation-inline': 'Attestations are in the index of every image that is attested.',
  'compatibility-version': 'What digests depend on is fixed for each version of tsbuild.',
  'prefer-nondist-layers': 'Layers are always pushed.',
  'dangling-name-prefix': 'There is no image store of containerd here.',
  'danging-name-empty-only': 'There is no image store of containerd here.',
  unpack: 'There is no image store of containerd here.',
  store: 'There is no image store of containerd here.',
  context: 'Set DOCKER_HOST to the address of the engine.',
};

const COMPRESSIONS = { gzip: 'gzip', zstd: 'zstd', uncompressed: 'none' } as const;
/** What is not done, and why. */
const OTHER_COMPRESSIONS: Readonly<Record<string, string>> = {
  estargz: 'Only a plugin of containerd makes use of it, and no kept library writes it: use zstd.',
  nydus: 'Only a plugin of containerd can read it: use zstd.',
};
const MAX_LEVEL = { gzip: 9, zstd: 22, none: 22 } as const;

type Options = ReadonlyMap<string, string>;

/**
 * Text to OutputSpec; images get these annotations besides their own. @throws ERR_USAGE for what no builder knows, ERR_UNSUPPORTED for what this one
 * does not do, ERR_REFERENCE_INVALID for a name, ERR_PLATFORM_INVALID for that of an annotation
 */
export function parseOutput(text: string, common: readonly Annotation[] = []): OutputSpec {
  const options = parseOptions(text);
  const given = options.get('type');
  if (given === undefined) throw usage('Cannot use an output without a type', 'Say type=oci.');
  const type = typeOf(given);
  for (const key of options.keys()) checkKey(key, type);
  switch (type) {
    case 'oci':
    case 'docker':
      return archiveOf(type, options, common);
    case 'image':
    case 'registry':
      return {
        ...imageOf(options, type, common),
        kind: 'image',
        push: booleanOf('push', options) ?? type === 'registry',
        pushByDigest: booleanOf('push-by-digest', options) ?? false,
        nameCanonical: booleanOf('name-canonical', options) ?? false,
        insecure: booleanOf('registry.insecure', options) ?? false,
      };
    case 'local': {
      const mode = options.get('mode') ?? 'copy';
      if (mode !== 'copy' && mode !== 'delete') {
        throw usage(`Cannot use "${mode}" for mode`, 'It is copy or delete.');
      }
      const destination = options.get('dest');
      if (!destination) throw noDestination(type, 'dest=DIRECTORY');
      if (destination === '-') throw directoryToStdout();
      return { ...filesOf(options), kind: 'local', destination, mode };
    }
    case 'tar':
      return { ...filesOf(options), kind: 'tar', destination: options.get('dest') || '-' };
    case 'cacheonly':
      return { kind: 'cacheonly' };
  }
}

function archiveOf(
  type: 'oci' | 'docker',
  options: Options,
  common: readonly Annotation[],
): OutputSpec {
  const destination = options.get('dest') || undefined;
  const isTar = booleanOf('tar', options) ?? true;
  if (!isTar && destination === '-') throw directoryToStdout();
  const image = imageOf(options, type, common);
  if (type === 'docker') {
    if (!isTar && destination === undefined) throw noDestination(type, 'dest=DIRECTORY');
    return { ...image, kind: 'docker', destination, isTar };
  }
  if (destination === undefined) throw noDestination(type, 'dest=PATH');
  return { ...image, kind: 'oci', destination, isTar };
}

/** What outputs of images have in common. */
function imageOf(
  options: Options,
  type: OutputType,
  common: readonly Annotation[],
): { readonly names: readonly Reference[]; readonly form: ImageForm } {
  const compression = compressionOf(options.get('compression') ?? 'gzip');
  const own = [...options].flatMap(([key, value]) => readAnnotation(key, value) ?? []);
  const annotations = [...common, ...own];
  return {
    names: (options.get('name') ?? '')
      .split(',')
      .filter((name) => name !== '')
      .map(booleanOf('push-by-digest', options) ? parseRepository : parseReference),
    form: {
      mediaTypes: mediaTypesOf(options, { type, compression, annotations }),
      compression,
      level: numberOf('compression-level', options, MAX_LEVEL[compression]),
      forceCompression: booleanOf('force-compression', options) ?? false,
      rewriteTimestamp: booleanOf('rewrite-timestamp', options) ?? false,
      epoch: numberOf('source-date-epoch', options, Number.MAX_SAFE_INTEGER),
      annotations,
      ociArtifact: booleanOf('oci-artifact', options) ?? true,
    },
  };
}

/** Docker's names exist for what Docker's documents can say; unless asked for, they give way (LAY-3). */
function mediaTypesOf(
  options: Options,
  {
    type,
    compression,
    annotations,
  }: { readonly type: OutputType } & Pick<ImageForm, 'compression' | 'annotations'>,
): ImageForm['mediaTypes'] {
  const isOci = booleanOf('oci-mediatypes', options);
  if (isOci !== undefined ? isOci : type !== 'docker') return 'oci';
  if (annotations.length > 0) {
    if (isOci === undefined) return 'oci';
    throw usage(
      'cannot export annotations with "oci-mediatypes=false"',
      "Docker's documents have no annotations.",
    );
  }
  if (compression !== 'zstd') return isOci === undefined ? 'docker' : 'docker-only';
  if (isOci === undefined) return 'oci';
  throw usage(
    'Cannot use compression=zstd with oci-mediatypes=false',
    "Docker's documents have no name for such a layer.",
  );
}

function compressionOf(name: string): ImageForm['compression'] {
  for (const [known, compression] of Object.entries(COMPRESSIONS)) {
    if (known === name) return compression;
  }
  const reason = OTHER_COMPRESSIONS[name];
  if (reason !== undefined) throw unsupported(`compression=${name}`, reason);
  const names = Object.keys(COMPRESSIONS).join(', ');
  throw usage(`Cannot use "${name}" for compression`, `It is one of ${names}.`);
}

function filesOf(options: Options): {
  readonly platformSplit: boolean | undefined;
  readonly epoch: number | undefined;
  readonly attestationPrefix: string;
} {
  const attestationPrefix = options.get('attestation-prefix') ?? '';
  if (attestationPrefix.includes('/')) {
    throw usage(
      `Cannot use "${attestationPrefix}" for attestation-prefix`,
      'It is what names begin with, without directories.',
    );
  }
  return {
    attestationPrefix,
    platformSplit: booleanOf('platform-split', options),
    epoch: numberOf('source-date-epoch', options, Number.MAX_SAFE_INTEGER),
  };
}

function parseOptions(text: string): Options {
  const [first = '', ...rest] = splitFields(text);
  if (rest.length === 0 && first !== '' && !first.includes('=')) {
    return new Map([
      ['type', first === '-' ? 'tar' : 'local'],
      ['dest', first],
    ]);
  }
  const options = new Map<string, string>();
  for (const field of [first, ...rest]) {
    const equals = field.indexOf('=');
    if (equals < 0) throw usage(`Cannot use "${field}" in an output`, 'It must be key=value.');
    const key = field.slice(0, equals).trim();
    // Keys of annotations are as they are written.
    const isAnnotation = key.toLowerCase().startsWith('annotation');
    options.set(isAnnotation ? key : key.toLowerCase(), field.slice(equals + 1));
  }
  return options;
}

function typeOf(text: string): OutputType {
  const types = Object.keys(OPTIONS) as OutputType[];
  const type = types.find((known) => known === text);
  if (type !== undefined) return type;
  const guess = suggest(text, types);
  throw usage(`unsupported output type: ${text}`, guess && `Did you mean "${guess}"?`);
}

function checkKey(key: string, type: OutputType): void {
  const known: readonly string[] = OPTIONS[type];
  if (key === 'type' || known.includes(key)) return;
  const isImage = known.includes('name');
  if (isImage && readAnnotation(key, '') !== undefined) return;
  const reason = UNSUPPORTED[key];
  if (reason !== undefined) throw unsupported(`the output option "${key}"`, reason);
  const guess = suggest(key, known);
  throw usage(
    `Cannot use the output option "${key}" with type=${type}`,
    guess && `Did you mean "${guess}"?`,
  );
}

/** As Go's strconv.ParseBool, which docker's flags go through. */
function booleanOf(key: string, options: Options): boolean | undefined {
  const value = options.get(key);
  if (value === undefined) return undefined;
  if (/^(?:1|t|true)$/i.test(value)) return true;
  if (/^(?:0|f|false)$/i.test(value)) return false;
  throw usage(`Cannot use "${value}" for ${key}`, 'It is true or false.');
}

function numberOf(key: string, options: Options, max: number): number | undefined {
  const value = options.get(key);
  if (value === undefined || value === '') return undefined;
  if (/^\d+$/.test(value) && Number(value) <= max) return Number(value);
  const range = max === Number.MAX_SAFE_INTEGER ? 'a number' : `a number from 0 to ${max}`;
  throw usage(`Cannot use "${value}" for ${key}`, `It is ${range}.`);
}

function noDestination(type: OutputType, example: string): TsbuildError {
  return usage(`Cannot use type=${type} without a destination`, `Say ${example}.`);
}

function directoryToStdout(): TsbuildError {
  return usage('Cannot write a directory to the standard output', 'Say dest=DIRECTORY.');
}

function usage(message: string, hint: string | undefined): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}

function unsupported(feature: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot use ${feature}`,
    details: { feature },
    hint,
  });
}
