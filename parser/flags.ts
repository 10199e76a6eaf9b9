/** Flags of instructions (FORM-1 to FORM-4): which there are, and reading them. */

import { suggest } from '../src/errors.ts';
import type { Flag } from './ast.ts';
import { failInstruction, type Lowering } from './lowering.ts';

type FlagKind = 'boolean' | 'string' | 'list';
/** The flags that one instruction knows, by name. */
export type FlagSpec = Readonly<Record<string, FlagKind>>;

const COPY_FLAGS = { chown: 'string', chmod: 'string', link: 'boolean', exclude: 'list' } as const;

/** The flags of each instruction that has some. */
export const FLAGS = {
  none: {},
  from: { platform: 'string' },
  run: { mount: 'list', network: 'string', security: 'string', device: 'list' },
  copy: { ...COPY_FLAGS, from: 'string', parents: 'boolean' },
  add: { ...COPY_FLAGS, checksum: 'string', 'keep-git-dir': 'boolean', unpack: 'boolean' },
  healthcheck: {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  },
} as const satisfies Record<string, FlagSpec>;

/** Flags that were checked against a spec. A name that was not given has no value. */
export interface FlagValues {
  readonly text: (name: string) => string | undefined;
  readonly boolean: (name: string) => boolean | undefined;
  readonly list: (name: string) => readonly string[];
}

/** Checks an instruction's flags. Throws ERR_INSTRUCTION_INVALID for the first that is wrong. */
export function readFlags(lowering: Lowering, spec: FlagSpec): FlagValues {
  const values = new Map<string, string[]>();
  for (const flag of lowering.flags) {
    const kind = Object.hasOwn(spec, flag.name) ? spec[flag.name] : undefined;
    if (kind === undefined) return failUnknown(lowering, flag, spec);
    const list = values.get(flag.name);
    if (list !== undefined && kind !== 'list') {
      return fail(lowering, flag, `duplicate flag specified: --${flag.name}`);
    }
    const value = kind === 'boolean' ? readBoolean(lowering, flag) : flag.value;
    if (value === undefined) return fail(lowering, flag, `missing a value on flag: --${flag.name}`);
    if (list === undefined) values.set(flag.name, [value]);
    else list.push(value);
  }
  return {
    text: (name) => values.get(name)?.[0],
    boolean(name) {
      const value = values.get(name)?.[0];
      return value === undefined ? undefined : value === 'true';
    },
    list: (name) => Object.freeze(values.get(name) ?? []),
  };
}

function fail(lowering: Lowering, flag: Flag, problem: string): never {
  return failInstruction(lowering, problem, flag.range);
}

function failUnknown(lowering: Lowering, flag: Flag, spec: FlagSpec): never {
  const match = suggest(flag.name, Object.keys(spec));
  const hint = match === undefined ? '' : ` (did you mean ${match}?)`;
  return fail(lowering, flag, `unknown flag: --${flag.name}${hint}`);
}

/** `true` without a value, `undefined` for an empty one. */
function readBoolean(lowering: Lowering, flag: Flag): string | undefined {
  const value = (flag.value ?? 'true').toLowerCase();
  if (value === '') return undefined;
  if (value === 'true' || value === 'false') return value;
  const problem = `expecting boolean value for flag --${flag.name}, not: ${flag.value ?? ''}`;
  return fail(lowering, flag, problem);
}

/** A flag word with its quotes and backslashes resolved, e.g. `--mount=type=cache`. */
export function decodeFlag(image: string): string {
  if (!/["'\\]/.test(image)) return image;
  let result = '';
  let quote = '';
  for (let at = 0; at < image.length; at++) {
    const character = image.charAt(at);
    if (character === '\\') {
      // At the very end there is nothing to escape.
      result += image.charAt(++at);
    } else if (quote === '' ? character === '"' || character === "'" : character === quote) {
      quote = quote === '' ? character : '';
    } else {
      result += character;
    }
  }
  return result;
}
