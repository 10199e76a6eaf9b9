/** The golden index: its entries, and its bytes as both implementations must write them. */

import { readFileSync } from 'node:fs';
import type { Entry } from '../../src/tree/entry.ts';

const FOLDER = new URL('../tree/', import.meta.url);

interface InlineText {
  readonly source?: { readonly text?: string };
}

/** Inline bytes are text in the JSON. */
export function goldenEntries(): readonly Entry[] {
  const text = readFileSync(new URL('golden-index.json', FOLDER), 'utf8');
  return (JSON.parse(text) as readonly (Entry & InlineText)[]).map((entry) =>
    entry.type === 'file' && entry.source?.text !== undefined
      ? { ...entry, source: { kind: 'bytes', bytes: Buffer.from(entry.source.text) } }
      : entry,
  );
}

export function goldenBytes(): Buffer {
  const text = readFileSync(new URL('golden-index.hex', FOLDER), 'utf8');
  return Buffer.from(text.replaceAll('\n', ''), 'hex');
}
