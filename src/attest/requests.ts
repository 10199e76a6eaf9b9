/** Which attestations a build is asked for: `--attest`, `--provenance`, `--sbom` (ATT-1, ATT-6). */

import { suggest, TsbuildError } from '../errors.ts';
import { splitFields } from '../export/index.ts';

/** What is to be attested; undefined: not that. */
export interface AttestRequest {
  readonly provenance: ProvenanceRequest | undefined;
  readonly sbom: SbomRequest | undefined;
}

export interface ProvenanceRequest {
  /** `max` has build arguments, secrets' ids, the Dockerfile and the steps, too (ATT-8). */
  readonly mode: 'min' | 'max';
  readonly version: 'v1' | 'v0.2';
  /** A URI; undefined: this program's. */
  readonly builderID: string | undefined;
  /** In outputs of files. */
  readonly filename: string;
  /** Whoever builds says that another build gives the same bytes. */
  readonly reproducible: boolean;
  /** Only where there is an index anyway. */
  readonly inlineOnly: boolean;
}

export interface SbomRequest {
  readonly inlineOnly: boolean;
}

/** As the options of a build have it. */
export interface AttestOptions {
  /** `type=provenance|sbom[,KEY=VALUE]`. */
  readonly attests?: readonly string[] | undefined;
  /** The same without the type; false: none. */
  readonly provenance?: boolean | string | undefined;
  readonly sbom?: boolean | string | undefined;
  /** Of them `BUILDKIT_ATTEST_PROVENANCE` and `BUILDKIT_ATTEST_SBOM`. */
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
}

type Kind = 'provenance' | 'sbom';
type Fields = ReadonlyMap<string, string>;

const KINDS: readonly Kind[] = ['provenance', 'sbom'];
const KEYS: Readonly<Record<Kind, readonly string[]>> = {
  provenance: ['mode', 'version', 'builder-id', 'filename', 'reproducible', 'inline-only'],
  sbom: ['inline-only'],
};
/** Keys of BuildKit's that are known and not done, each with the reason. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  generator:
    'No image is run for it: packages are read from the image itself. Leave it out, or run a scanner on the finished image.',
  'capture-usage': 'What steps used of the machine is not measured.',
  'complete-materials': 'All that a build takes from elsewhere is always listed.',
};
const OFF: readonly string[] = ['0', 'f', 'false'];
const ON: readonly string[] = ['', '1', 't', 'true'];

/**
 * Nothing unless asked for (ATT-2). Of one kind the last counts; flags count more than build arguments.
 * @throws ERR_USAGE, ERR_UNSUPPORTED
 */
export function readAttestations(
  options: AttestOptions,
  { isIndex }: { readonly isIndex: boolean },
): AttestRequest {
  const asked: (readonly [Kind, Fields])[] = [];
  for (const kind of KINDS) {
    const value = options.buildArgs?.[`BUILDKIT_ATTEST_${kind.toUpperCase()}`];
    if (value !== undefined) asked.push([kind, fieldsOf(value, `BUILDKIT_ATTEST_${kind}`)]);
  }
  for (const text of options.attests ?? []) asked.push(attestOf(text));
  for (const kind of KINDS) {
    const value = options[kind];
    if (value !== undefined) asked.push([kind, fieldsOf(String(value), `--${kind}`)]);
  }
  const wanted = new Map<Kind, Fields>();
  for (const [kind, fields] of asked) {
    if (flagOf('disabled', fields)) wanted.delete(kind);
    else wanted.set(kind, fields);
  }
  const provenance = provenanceOf(wanted.get('provenance'));
  const sbom = sbomOf(wanted.get('sbom'));
  const isRequired = [provenance, sbom].some((each) => each?.inlineOnly === false);
  if (isIndex || isRequired) return { provenance, sbom };
  return { provenance: undefined, sbom: undefined };
}

export function isAttested({ provenance, sbom }: AttestRequest): boolean {
  return provenance !== undefined || sbom !== undefined;
}

function attestOf(text: string): readonly [Kind, Fields] {
  const fields = new Map(fieldsOf(text, '--attest'));
  const type = fields.get('type') ?? '';
  const kind = KINDS.find((known) => known === type);
  if (kind === undefined) {
    const guess = suggest(type, KINDS);
    const hint =
      guess === undefined ? `It is one of ${KINDS.join(', ')}.` : `Did you mean "${guess}"?`;
    throw usage(
      type === '' ? `Cannot attest "${text}": it has no type` : `Cannot attest "${type}"`,
      hint,
    );
  }
  fields.delete('type');
  return [kind, fields];
}

/** `true`, `false`, or fields. */
function fieldsOf(text: string, flag: string): Fields {
  if (OFF.includes(text.toLowerCase())) return new Map([['disabled', 'true']]);
  if (ON.includes(text.toLowerCase())) return new Map();
  return new Map(
    splitFields(text).map((field) => {
      const [, key, value = ''] = /^([^=]+)=(.*)$/s.exec(field) ?? [];
      if (key !== undefined) return [key.trim().toLowerCase(), value] as const;
      throw usage(`Cannot understand "${field}" in "${flag}"`, 'It is true, false, or key=value.');
    }),
  );
}

function provenanceOf(fields: Fields | undefined): ProvenanceRequest | undefined {
  if (fields === undefined) return undefined;
  checkKeys('provenance', fields);
  const filename = fields.get('filename') || 'provenance.json';
  if (filename.includes('/') || ['.', '..'].includes(filename)) {
    throw usage(`Cannot use "${filename}" for filename`, 'It is a name without directories.');
  }
  const mode = fields.get('mode') ?? 'max';
  const version = fields.get('version') ?? 'v1';
  if (version !== 'v1' && version !== 'v0.2') {
    throw usage(`Cannot use "${version}" as the version of a provenance`, 'It is v1 or v0.2.');
  }
  if (mode !== 'min' && mode !== 'max' && mode !== 'full') {
    throw usage(`Cannot use "${mode}" as the mode of a provenance`, 'It is min or max.');
  }
  return {
    mode: mode === 'min' ? 'min' : 'max',
    version,
    builderID: fields.get('builder-id') || undefined,
    filename,
    reproducible: flagOf('reproducible', fields),
    inlineOnly: flagOf('inline-only', fields),
  };
}

function sbomOf(fields: Fields | undefined): SbomRequest | undefined {
  if (fields === undefined) return undefined;
  checkKeys('sbom', fields);
  return { inlineOnly: flagOf('inline-only', fields) };
}

function checkKeys(kind: Kind, fields: Fields): void {
  for (const [key, value] of fields) {
    if (key === 'disabled' || KEYS[kind].includes(key)) continue;
    const reason = UNSUPPORTED[key];
    if (reason === undefined) {
      const guess = suggest(key, KEYS[kind]);
      throw usage(
        `Cannot use "${key}" with an attestation of type=${kind}`,
        guess === undefined ? `It takes ${KEYS[kind].join(', ')}.` : `Did you mean "${guess}"?`,
      );
    }
    if (OFF.includes(value.toLowerCase())) continue;
    throw new TsbuildError('ERR_UNSUPPORTED', {
      message: `Cannot use "${key}=${value}" with an attestation of type=${kind}`,
      details: { feature: key },
      hint: reason,
    });
  }
}

function flagOf(key: string, fields: Fields): boolean {
  const value = fields.get(key)?.toLowerCase();
  if (value === undefined || OFF.includes(value)) return false;
  if (ON.includes(value)) return true;
  throw usage(`Cannot use "${value}" for ${key}`, 'It is true or false.');
}

function usage(message: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}
