/** `RUN --device` (RUN-3). */

import { suggest } from '../src/errors.ts';
import { splitCsv } from './csv.ts';

/** What a RUN asks for. */
export interface Device {
  /** As written: `vendor.com/class[=device]`, or a name that the caller gives a meaning. */
  readonly name: string;
  /** Without it the step cannot be run. */
  readonly required: boolean;
}

/** Reads `[name=]vendor.com/class[=device][,required[=bool]]`; a string says what is wrong. */
export function parseDevice(value: string): Device | string {
  const fields = splitCsv(value);
  if (typeof fields === 'string') return `failed to parse csv devices: ${fields}`;
  let name = '';
  let required = false;
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const text = equals < 0 ? undefined : field.slice(equals + 1);
    if (key === 'required') {
      if (text !== undefined && !/^(?:[1tT0fF]|TRUE|true|True|FALSE|false|False)$/.test(text)) {
        return `invalid value for required: ${text}`;
      }
      required = text === undefined || /^[1t]/i.test(text);
    } else if (key === 'name' && text !== undefined) {
      if (name !== '') return `device name already set to ${name}`;
      name = text;
    } else if (name === '') {
      name = field;
    } else if (text === undefined) {
      return `invalid field '${field}' must be a key=value pair`;
    } else {
      const match = suggest(key, ['name', 'required']);
      const hint = match === undefined ? '' : ` (did you mean ${match}?)`;
      return `unexpected key '${key}' in '${field}'${hint}`;
    }
  }
  return { name, required };
}
