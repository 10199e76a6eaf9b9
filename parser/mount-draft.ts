/** The fields of a `RUN --mount` value: read one after the other into a draft (RUN-8 to RUN-12). */

import { suggest, TsbuildError } from '../src/errors.ts';
import { splitCsv } from './csv.ts';

type Expand = (value: string) => string;

/** Reads and checks all fields. Throws ERR_INSTRUCTION_INVALID; the message contains BuildKit's. */
export function readDraft(text: string, expand: Expand | undefined): MountDraft {
  const draft: MountDraft = { text, type: 'bind' };
  for (const field of mountFields(text)) readField(draft, field, expand);
  checkDraft(draft);
  return draft;
}

/**
 * The checks that can be made before variables are known (RUN-12, VAR-9).
 *
 * The rest waits, as a stage that is not built may hold a mount that is not valid.
 */
export function checkMount(text: string): void {
  for (const field of mountFields(text)) {
    const [key, value] = splitField(field);
    if (key === 'from' && /\$./.test(value ?? '')) {
      fail(text, "'from' doesn't support variable expansion, define alias stage instead");
    }
  }
}

/** What the fields said, before the type decides what it means. */
export interface MountDraft {
  readonly text: string;
  type: MountType;
  from?: string;
  source?: string;
  target?: string;
  id?: string;
  env?: string;
  sharing?: MountSharing;
  readonly?: boolean;
  required?: boolean;
  size?: number;
  mode?: number;
  uid?: number;
  gid?: number;
}

function fail(
  text: string,
  problem: string,
  wrong?: { word: string; known: readonly string[] },
): never {
  const match = wrong === undefined ? undefined : suggest(wrong.word, wrong.known);
  const hint = match === undefined ? '' : ` (did you mean ${match}?)`;
  throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot use mount "${text}": ${problem}${hint}`,
    details: undefined,
  });
}

function mountFields(text: string): readonly string[] {
  const fields = splitCsv(text);
  return typeof fields === 'string' ? fail(text, `failed to parse csv mounts: ${fields}`) : fields;
}

function splitField(field: string): readonly [key: string, value: string | undefined] {
  const equals = field.indexOf('=');
  if (equals < 0) return [field.toLowerCase(), undefined];
  return [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
}

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const SHARING = ['shared', 'private', 'locked'] as const;
export type MountType = (typeof TYPES)[number];
export type MountSharing = (typeof SHARING)[number];

function readField(draft: MountDraft, field: string, expand: Expand | undefined): void {
  const [key, written] = splitField(field);
  if (written === undefined) {
    if (!BARE_KEYS.includes(key))
      fail(draft.text, `invalid field '${field}' must be a key=value pair`);
    setBoolean(draft, key, true);
    return;
  }
  const value = expand === undefined ? written : expand(written);
  const set = SETTERS.get(key);
  if (set === undefined) {
    fail(draft.text, `unexpected key '${key}' in '${field}'`, {
      word: key,
      known: [...SETTERS.keys()],
    });
  }
  set(draft, value, key);
}

const BARE_KEYS: readonly string[] = ['readonly', 'ro', 'readwrite', 'rw', 'required'];

type Setter = (draft: MountDraft, value: string, key: string) => void;

const setSource: Setter = (draft, value) => {
  draft.source = value;
};
const setTarget: Setter = (draft, value) => {
  draft.target = value;
};
const setFlag: Setter = (draft, value, key) => {
  const parsed = parseBoolean(value);
  // Asked first, because a key that the type does not have is the greater mistake.
  if (key === 'required') allowOnly(draft, key, ['secret', 'ssh']);
  if (parsed === undefined) fail(draft.text, `invalid value for ${key}: ${value}`);
  setBoolean(draft, key, parsed);
};

const SETTERS: ReadonlyMap<string, Setter> = new Map<string, Setter>(
  Object.entries({
    source: setSource,
    src: setSource,
    target: setTarget,
    dst: setTarget,
    destination: setTarget,
    readonly: setFlag,
    ro: setFlag,
    readwrite: setFlag,
    rw: setFlag,
    required: setFlag,
    type: (draft, value) => {
      const type = TYPES.find((known) => known === value.toLowerCase());
      if (type === undefined) {
        fail(draft.text, `unsupported mount type "${value}"`, { word: value, known: TYPES });
      }
      draft.type = type;
    },
    from: (draft, value) => {
      draft.from = value;
    },
    id: (draft, value) => {
      draft.id = value;
    },
    env: (draft, value, key) => {
      allowOnly(draft, key, ['secret']);
      draft.env = value;
    },
    size: (draft, value, key) => {
      allowOnly(draft, key, ['tmpfs']);
      draft.size = parseSize(value) ?? fail(draft.text, `invalid value for ${key}: ${value}`);
    },
    sharing: (draft, value) => {
      const sharing = SHARING.find((known) => known === value.toLowerCase());
      if (sharing === undefined) {
        fail(draft.text, `unsupported sharing value "${value}"`, { word: value, known: SHARING });
      }
      draft.sharing = sharing;
    },
    mode: (draft, value) => {
      draft.mode = parseUnsigned(value, 8) ?? fail(draft.text, `invalid value ${value} for mode`);
    },
    uid: (draft, value) => {
      draft.uid = parseUnsigned(value, 10) ?? fail(draft.text, `invalid value ${value} for uid`);
    },
    gid: (draft, value) => {
      draft.gid = parseUnsigned(value, 10) ?? fail(draft.text, `invalid value ${value} for gid`);
    },
  } satisfies Record<string, Setter>),
);

function setBoolean(draft: MountDraft, key: string, value: boolean): void {
  if (key === 'required') {
    allowOnly(draft, key, ['secret', 'ssh']);
    draft.required = value;
  } else {
    draft.readonly = key === 'readwrite' || key === 'rw' ? !value : value;
  }
}

/** The type that counts is the one known so far: BuildKit reads the keys in order, too. */
function allowOnly(draft: MountDraft, key: string, types: readonly MountType[]): void {
  if (!types.includes(draft.type)) {
    fail(draft.text, `unexpected key '${key}' for mount type '${draft.type}'`);
  }
}

/** Go's `strconv.ParseBool`. */
function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  return undefined;
}

function parseUnsigned(text: string, base: 8 | 10): number | undefined {
  if (!(base === 8 ? /^[0-7]+$/ : /^\d+$/).test(text)) return undefined;
  const value = Number.parseInt(text, base);
  return value <= 0xffff_ffff ? value : undefined;
}

/** Bytes of `64m`, `1.5 GiB`, `100`; units are powers of 1024. */
function parseSize(text: string): number | undefined {
  const match = /^\+?((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) return undefined;
  const power = 'kmgtp'.indexOf((match[2] ?? '').toLowerCase() || ' ') + 1;
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

function checkDraft(draft: MountDraft): void {
  const { text, type } = draft;
  if (type === 'bind' || type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (draft[key] !== undefined) fail(text, `${key} not allowed for "${type}" type mounts`);
    }
  }
  if (type === 'secret') checkSecret(draft);
  if (type === 'ssh' && draft.source) fail(text, 'ssh does not support source');
  if (draft.sharing !== undefined && type !== 'cache') {
    fail(text, `invalid cache sharing set for ${type} mount`);
  }
}

function checkSecret(draft: MountDraft): void {
  const { text } = draft;
  if (draft.from) fail(text, 'secret mount should not have a from');
  if (draft.sharing !== undefined) fail(text, 'secret mount should not define sharing');
  if (!draft.source && !draft.target && !draft.id) {
    fail(text, 'invalid secret mount. one of source, target required');
  }
  if (draft.source && draft.id) fail(text, "both source and id can't be set");
}
