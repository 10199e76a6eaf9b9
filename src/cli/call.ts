/** `--call` and `--check`: what is asked for instead of an image (CHK-1, CHK-2). */

import { TsbuildError } from '../index.ts';
import type { Flags } from './args.ts';
import { usage } from './argv.ts';
import { parseBoolean, parseFields } from './values.ts';

/** What to do with the Dockerfile. */
export type Call =
  | { readonly kind: 'build' }
  | {
      readonly kind: 'check';
      readonly format: 'text' | 'json';
      /** Warnings are no failure. */
      readonly ignoreStatus: boolean;
    };

/** Reads `--call=check[,format=json][,ignorestatus=true]`; `--check` is short for `--call=check`. @throws ERR_USAGE, ERR_UNSUPPORTED */
export function readCall({ call, check }: Pick<Flags, 'call' | 'check'>): Call {
  if (call === undefined || call === '') return check ? CHECK : { kind: 'build' };
  const [method = '', ...rest] = call.split(',');
  const asked = check && method === 'build' ? 'check' : method;
  if (asked === 'build') return { kind: 'build' };
  if (asked !== 'check' && asked !== 'lint') throw unknownMethod(asked);
  const fields = parseFields(rest.join(','));
  const format = fields.get('format') ?? 'text';
  for (const key of fields.keys()) {
    if (key !== 'format' && key !== 'ignorestatus') throw unknownField(key);
  }
  if (format !== 'text' && format !== 'json') {
    throw usage(`Cannot print the result as "${format}"`, 'The formats are text and json.');
  }
  const ignored = fields.get('ignorestatus');
  const ignoreStatus = ignored !== undefined && (ignored === '' || parseBoolean('--call', ignored));
  return { kind: 'check', format, ignoreStatus };
}

const CHECK: Call = { kind: 'check', format: 'text', ignoreStatus: false };

function unknownMethod(method: string): TsbuildError {
  if (method !== 'outline' && method !== 'targets') {
    return usage(`Cannot call "${method}"`, 'The methods are build and check.');
  }
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot call "${method}": this version does not have it`,
    details: { feature: `--call=${method}` },
    hint: 'The methods are build and check.',
  });
}

function unknownField(key: string): TsbuildError {
  return usage(`Cannot use "${key}" in "--call"`, 'It takes format=json and ignorestatus=true.');
}
