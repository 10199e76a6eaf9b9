/** A comparison as lines for people: grouped, the most important first. */

import {
  type BytesFacts,
  type Difference,
  DIFFERENCE_GROUPS,
  type DifferenceGroup,
  type DiffSide,
  type DocumentValue,
  type FileDifference,
  type FileFacts,
  type FileField,
  type ImageDiff,
  type LayerDifference,
  countText,
  sizeText,
} from '../index.ts';

/** Nothing, if nothing differs. */
export function diffText(diff: ImageDiff): string {
  if (diff.equal) return '';
  const platforms = new Set(diff.differences.flatMap(({ platform }) => platform ?? []));
  const lines = [`--- ${sideText(diff.a)}`, `+++ ${sideText(diff.b)}`];
  for (const group of DIFFERENCE_GROUPS) {
    const count = diff.counts[group];
    if (count === 0) continue;
    const differences = diff.differences.filter((difference) => difference.group === group);
    lines.push('', `${group}: ${TITLES[group]}`);
    for (const difference of differences) {
      const isNamed = platforms.size > 1 && difference.platform !== undefined;
      const [head = '', ...rest] = linesOf(difference);
      const where = isNamed ? `${difference.platform} ` : '';
      lines.push(`  ${SIGNS[difference.change]} ${where}${head}`, ...rest);
    }
    const below = differences.map((each) => ('path' in each ? (each.below ?? 0) : 0));
    const left = count - differences.length - below.reduce((sum, each) => sum + each, 0);
    if (left > 0) lines.push(`  … and ${countText(left)} more (--all)`);
  }
  return `${lines.join('\n')}\n`;
}

const TITLES: Readonly<Record<DifferenceGroup, string>> = {
  platforms: 'only one of them is for',
  config: 'what containers start with',
  history: 'how they were made',
  layers: 'layers with other entries',
  files: 'other files, or other contents',
  metadata: 'modes, owners, attributes and hard links',
  times: 'nothing but the time',
  manifest: 'media types and annotations',
  attestations: 'what is said about them',
  bytes: 'the same, written differently',
};

const SIGNS = { added: '+', removed: '-', changed: '~' } as const;

function sideText({ name, digest }: DiffSide): string {
  return digest === undefined ? safe(name) : `${safe(name)}  ${digest}`;
}

function linesOf(difference: Difference): readonly string[] {
  switch (difference.group) {
    case 'layers':
      return [layerText(difference)];
    case 'files':
    case 'metadata':
    case 'times':
      return fileLines(difference);
    case 'bytes': {
      const { key, a, b, offset } = difference;
      const at = offset === undefined ? '' : `, first difference at offset ${offset}`;
      return [`${key}  ${bytesText(a, b)} → ${bytesText(b, a)}${at}`];
    }
    case 'platforms':
    case 'config':
    case 'history':
    case 'manifest':
    case 'attestations': {
      const { key, a, b } = difference;
      const values = [a, b].flatMap((value) => (value === undefined ? [] : valueText(value)));
      return [`${safe(key)}  ${values.join(' → ')}`];
    }
  }
}

function layerText({ change, a, b, entries }: LayerDifference): string {
  const places = [a, b].flatMap((layer) => (layer === undefined ? [] : `layers[${layer.index}]`));
  const createdBy = (a ?? b)?.createdBy;
  const by = createdBy === undefined ? '' : `  (${cut(safe(createdBy))})`;
  const count = entries === 1 ? '1 entry' : `${countText(entries)} entries`;
  const differ = change === 'changed' ? (entries === 1 ? ' differs' : ' differ') : '';
  return `${[...new Set(places)].join(' → ')}  ${count}${differ}${by}`;
}

function fileLines({
  path,
  change,
  fields,
  a,
  b,
  first,
  inLayer,
  below,
}: FileDifference): readonly string[] {
  const where = inLayer ? `  (in layers[${(a ?? b)?.layer}] alone: nobody sees it)` : '';
  if (a === undefined || b === undefined) {
    const only = a ?? b;
    const inside = below === undefined ? '' : ` with ${countText(below)} in it`;
    const at = inLayer || only === undefined ? where : `  layers[${only.layer}]`;
    return [`${safe(path)}  ${only === undefined ? change : fileText(only)}${inside}${at}`];
  }
  // A new content comes with a new time.
  const told = fields.length > 1 ? fields.filter((field) => field !== 'mtime') : fields;
  const changes = told.map((field) => `${field} ${fieldText(field, a, b)}`);
  const head = `${safe(path)}  ${changes.join(', ')}`;
  if (first === undefined) return [`${head}${where}`];
  const line = first.line === undefined ? '' : `, line ${first.line}:`;
  const excerpt =
    first.line === undefined
      ? []
      : [`      - ${safe(first.a ?? '')}`, `      + ${safe(first.b ?? '')}`];
  return [`${head}; first difference at offset ${first.offset}${line}${where}`, ...excerpt];
}

function fileText({ type, mode, uid, gid, size, target, hardlink, device }: FileFacts): string {
  if (type === 'whiteout') return 'removal of what is below';
  const more = [
    size === undefined ? [] : sizeText(size),
    target === undefined ? [] : `→ ${safe(target)}`,
    hardlink === undefined ? [] : `hard link to ${safe(hardlink)}`,
    device ?? [],
  ].flat();
  return [type, mode, `${uid}:${gid}`, ...more].join(' ');
}

function fieldText(field: FileField, a: FileFacts, b: FileFacts): string {
  const both = (tell: (facts: FileFacts) => string): string => `${tell(a)} → ${tell(b)}`;
  switch (field) {
    case 'content':
      return a.size === b.size ? `(${bytesCount(a.size)})` : both(({ size }) => bytesCount(size));
    case 'owner':
      return both(({ uid, gid }) => `${uid}:${gid}`);
    case 'xattrs':
      return both(({ xattrs }) => cut(safe(JSON.stringify(xattrs ?? {}))));
    case 'target':
    case 'hardlink':
    case 'device':
      return both((facts) => safe(facts[field] ?? 'none'));
    case 'opaque':
      return both(({ opaque }) => (opaque ? 'hides what is below' : 'shows what is below'));
    case 'type':
    case 'mode':
    case 'mtime':
      return both((facts) => facts[field]);
  }
}

function bytesCount(size = 0): string {
  return size === 1 ? '1 byte' : `${countText(size)} bytes`;
}

/** The media type only where it says more than the digest. */
function bytesText(bytes: BytesFacts, other: BytesFacts): string {
  const { digest, size, mediaType } = bytes;
  const type = mediaType === other.mediaType ? undefined : mediaType;
  const words = [
    type,
    digest.slice(0, SHORT_DIGEST),
    size === undefined ? undefined : sizeText(size),
  ];
  return words.filter((word) => word !== undefined).join(' ');
}

const SHORT_DIGEST = 'sha256:'.length + 12;

function valueText(value: DocumentValue): string {
  return cut(safe(JSON.stringify(value)));
}

/** Characters of a value. */
const MAX_SHOWN = 200;

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** What an image says must not move the terminal's cursor. */
function safe(text: string): string {
  return text.replaceAll(
    /\p{Cc}|\p{Bidi_Control}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
