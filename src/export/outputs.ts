/** Values of `--output`: what to write, and where (OUT-1, OUT-2, OUT-3). */

import { suggest, TsbuildError } from '../errors.ts';
import { parseReference, type Reference } from '../oci/reference.ts';

/** An output that can be written. */
export interface OutputSpec {
  readonly kind: 'oci';
  /** A path; `-` is the standard output. */
  readonly destination: string;
  /** An archive, or else a layout directory. */
  readonly isTar: boolean;
  /** From `name=`, besides those of `--tag`. */
  readonly names: readonly Reference[];
}

const TYPES = ['image', 'registry', 'oci', 'docker', 'local', 'tar', 'cacheonly'] as const;
const WORKING = 'This version writes type=oci,dest=FILE and type=oci,tar=false,dest=DIRECTORY.';
/** Options of BuildKit's image exporters (5.2) that are known and not done. */
const UNSUPPORTED: readonly string[] = [
  'push',
  'push-by-digest',
  'name-canonical',
  'registry.insecure',
  'oci-mediatypes',
  'oci-artifact',
  'attestation-inline',
  'compression',
  'compression-level',
  'force-compression',
  'source-date-epoch',
  'rewrite-timestamp',
  'compatibility-version',
];
const KNOWN = ['type', 'dest', 'tar', 'name'] as const;

/**
 * Text to OutputSpec. @throws ERR_USAGE for what no builder knows, ERR_UNSUPPORTED for what this one
 * does not do, ERR_REFERENCE_INVALID for a name
 */
export function parseOutput(text: string): OutputSpec {
  const options = parseOptions(text);
  const type = options.get('type');
  if (type === undefined) throw usage('Cannot use an output without a type', 'Say type=oci.');
  if (!TYPES.some((known) => known === type)) {
    const guess = suggest(type, TYPES);
    throw usage(`unsupported output type: ${type}`, guess && `Did you mean "${guess}"?`);
  }
  if (type !== 'oci') throw unsupported(`the output type "${type}"`);
  for (const key of options.keys()) checkKey(key);

  const destination = options.get('dest');
  if (!destination) throw usage('Cannot use type=oci without a destination', 'Say dest=PATH.');
  const isTar = parseBoolean('tar', options.get('tar') ?? 'true');
  if (!isTar && destination === '-') {
    throw usage('Cannot write a directory to the standard output', 'Say dest=DIRECTORY.');
  }
  const names = (options.get('name') ?? '').split(',').filter((name) => name !== '');
  return { kind: 'oci', destination, isTar, names: names.map(parseReference) };
}

function parseOptions(text: string): ReadonlyMap<string, string> {
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
    options.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  return options;
}

/** One line of CSV: a field in double quotes may hold commas, and quotes by doubling them. */
function splitFields(text: string): readonly string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/gy;
  for (;;) {
    const match = field.exec(text);
    if (match === null) throw usage(`Cannot use the output "${text}"`, 'A quote is out of place.');
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return fields;
  }
}

function checkKey(key: string): void {
  if (KNOWN.some((known) => known === key)) return;
  if (UNSUPPORTED.includes(key) || key.startsWith('annotation')) {
    throw unsupported(`the output option "${key}"`);
  }
  const guess = suggest(key, [...KNOWN, ...UNSUPPORTED]);
  throw usage(`Cannot use the output option "${key}"`, guess && `Did you mean "${guess}"?`);
}

/** As Go's strconv.ParseBool, which docker's flags go through. */
function parseBoolean(key: string, value: string): boolean {
  if (/^(?:1|t|true)$/i.test(value)) return true;
  if (/^(?:0|f|false)$/i.test(value)) return false;
  throw usage(`Cannot use "${value}" for ${key}`, 'It is true or false.');
}

function usage(message: string, hint: string | undefined): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}

function unsupported(feature: string): TsbuildError {
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot use ${feature}`,
    details: { feature },
    hint: WORKING,
  });
}
