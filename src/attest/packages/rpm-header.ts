/**
 * A package's header as rpm's database has it: two counts, entries, then their data
 * (https://rpm-software-management.github.io/rpm/manual/hdr.html). Big-endian.
 */

export interface RpmHeader {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly release: string | undefined;
  readonly epoch: number | undefined;
  readonly license: string | undefined;
  readonly vendor: string | undefined;
  readonly url: string | undefined;
  readonly arch: string | undefined;
  readonly sourceRpm: string | undefined;
}

const TAG = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  vendor: 1011,
  license: 1014,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
} as const;

const INT32 = 4;
/** A text, several, or one in several languages: the first of them begins there in any case. */
const TEXTS = [6, 8, 9];
const ENTRY = 16;

/** Throws a RangeError for what is cut off. */
export function readRpmHeader(blob: Buffer): RpmHeader {
  const count = blob.readUInt32BE(0);
  const start = 8 + count * ENTRY;
  const length = blob.readUInt32BE(4);
  if (start + length > blob.length) throw new RangeError('a header is cut off');
  const data = blob.subarray(start, start + length);
  const texts = new Map<number, string>();
  let epoch: number | undefined;
  for (let at = 8; at < start; at += ENTRY) {
    const [tag, type] = [blob.readUInt32BE(at), blob.readUInt32BE(at + 4)];
    const offset = blob.readUInt32BE(at + 8);
    if (TEXTS.includes(type)) {
      if (!WANTED.has(tag)) continue;
      const end = data.indexOf(0, offset);
      texts.set(tag, data.toString('utf8', offset, end < 0 ? data.length : end));
    } else if (tag === TAG.epoch && type === INT32) epoch = data.readUInt32BE(offset);
  }
  // rpm writes "(none)" where there is nothing.
  const text = (tag: number): string | undefined => {
    const value = texts.get(tag);
    return value === '' || value === '(none)' ? undefined : value;
  };
  return {
    name: text(TAG.name),
    version: text(TAG.version),
    release: text(TAG.release),
    epoch,
    license: text(TAG.license),
    vendor: text(TAG.vendor),
    url: text(TAG.url),
    arch: text(TAG.arch),
    sourceRpm: text(TAG.sourceRpm),
  };
}

const WANTED: ReadonlySet<number> = new Set(Object.values(TAG));
