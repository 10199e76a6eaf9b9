/** `--call` and `--check`: what is asked for instead of an image (CHK-1, CHK-2, OPT-3). */

import { suggest, type TsbuildError } from '../index.ts';
import type { Flags } from './args.ts';
import { usage } from './argv.ts';
import { parseBoolean, parseFields } from './values.ts';

/** What to do with the Dockerfile. */
export type Call = { readonly kind: 'build' } | CheckCall | ListCall;

export interface CheckCall {
  readonly kind: 'check';
  readonly format: 'text' | 'json' | 'sarif';
  /** Warnings are no failure. */
  readonly ignoreStatus: boolean;
  /** Mend the Dockerfile first. */
  readonly fix: boolean;
}

export interface ListCall {
  readonly kind: 'outline' | 'targets' | 'describe';
  readonly format: 'text' | 'json';
}

/**
 * Reads `--call=METHOD[,format=FORMAT][,ignorestatus=true]`. `--check` is short for `--call=check`; with it
 * the method may be left out: `--check --call=format=sarif`. @throws ERR_USAGE
 */
export function readCall({
  call = '',
  check = false,
  fix = false,
}: Pick<Flags, 'call' | 'check' | 'fix'>): Call {
  const [first = '', ...rest] = call.split(',');
  const isNamed = first !== '' && !(check && first.includes('='));
  const named = isNamed ? first : 'build';
  const kind = METHODS.get(check && named === 'build' ? 'check' : named);
  if (kind === undefined) throw unknownMethod(named);
  if (fix && kind !== 'check') {
    throw usage('Cannot use "--fix" without "--check"', 'Write "--check --fix".');
  }
  if (kind === 'build') return { kind };
  const fields = readFields((isNamed ? rest : [first, ...rest]).filter(Boolean));
  if (kind === 'check') return { kind, ...fields, fix };
  const { format } = fields;
  if (format === 'sarif') throw wrongFormat(format, 'The formats are text and json.');
  return { kind, format };
}

const METHODS: ReadonlyMap<string, Call['kind']> = new Map([
  ['build', 'build'],
  ['check', 'check'],
  ['lint', 'check'],
  ['outline', 'outline'],
  ['targets', 'targets'],
  ['subrequests.describe', 'describe'],
]);

function readFields(texts: readonly string[]): Omit<CheckCall, 'kind' | 'fix'> {
  const fields = parseFields(texts.join(','));
  for (const key of fields.keys()) {
    if (key !== 'format' && key !== 'ignorestatus') throw unknownField(key);
  }
  const ignored = fields.get('ignorestatus');
  return {
    format: formatOf(fields.get('format') ?? 'text'),
    ignoreStatus: ignored !== undefined && (ignored === '' || parseBoolean('--call', ignored)),
  };
}

function formatOf(format: string): CheckCall['format'] {
  if (format === 'text' || format === 'json' || format === 'sarif') return format;
  throw wrongFormat(format, 'The formats are text, json and, for a check, sarif.');
}

function wrongFormat(format: string, hint: string): TsbuildError {
  return usage(`Cannot print the result as "${format}"`, hint);
}

function unknownMethod(method: string): TsbuildError {
  const close = suggest(method, METHODS.keys());
  return usage(
    `Cannot call "${method}"`,
    close === undefined
      ? 'The methods are build, check, outline, targets and subrequests.describe.'
      : `Did you mean "${close}"?`,
  );
}

function unknownField(key: string): TsbuildError {
  return usage(`Cannot use "${key}" in "--call"`, 'It takes format=… and ignorestatus=true.');
}
