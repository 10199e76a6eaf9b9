/** Applies the fixes of warnings to a Dockerfile's text. */

import type { SourceRange } from '../../src/errors.ts';
import { parseDockerfileWithErrors } from '../dockerfile.ts';
import { createOffsets } from '../print.ts';
import type { LintWarning } from './options.ts';

/** A text with fixes, and what they were. */
export interface FixedText {
  readonly text: string;
  /** The warnings whose fixes are in it, in their order. */
  readonly fixed: readonly LintWarning[];
}

/**
 * Applies the fixes of warnings that `lint()` gave for `source`. Where two want to change the same
 * place, the first one wins: check the result again for the other. Only the places of the edits
 * change. A fix after which the text would no longer parse as as many instructions is left out.
 */
export function applyFixes(source: string, warnings: readonly LintWarning[]): FixedText {
  const place: Place = {
    source,
    offsetOf: createOffsets(source),
    count: countInstructions(source),
  };
  if (place.count === undefined) return { text: source, fixed: [] };
  const chosen = choose(warnings, place);
  const text = write(source, chosen);
  if (countInstructions(text) === place.count) return toResult(text, chosen);
  // One of them is wrong, so each is tried.
  let good: readonly Chosen[] = [];
  for (const one of chosen) {
    const tried = [...good, one];
    if (countInstructions(write(source, tried)) === place.count) good = tried;
  }
  return toResult(write(source, good), good);
}

interface Place {
  readonly source: string;
  readonly offsetOf: (position: SourceRange['start']) => number;
  readonly count: number | undefined;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Chosen {
  readonly warning: LintWarning;
  readonly spans: readonly Span[];
}

/** Undefined when it does not parse. */
function countInstructions(text: string): number | undefined {
  const { dockerfile, errors } = parseDockerfileWithErrors(text);
  return errors.length > 0 ? undefined : dockerfile.instructions.length;
}

function choose(warnings: readonly LintWarning[], { offsetOf }: Place): readonly Chosen[] {
  const chosen: Chosen[] = [];
  const taken: Span[] = [];
  for (const warning of warnings) {
    const spans = (warning.fix?.edits ?? []).map(({ range, text }) => ({
      start: offsetOf(range.start),
      end: offsetOf(range.end),
      text,
    }));
    if (spans.length === 0 || spans.some((span) => taken.some((other) => touches(span, other)))) {
      continue;
    }
    taken.push(...spans);
    chosen.push({ warning, spans });
  }
  return chosen;
}

/** Also where one ends and the other begins: which comes first would be a guess. */
function touches(a: Span, b: Span): boolean {
  return a.start <= b.end && b.start <= a.end;
}

function write(source: string, chosen: readonly Chosen[]): string {
  const spans = chosen.flatMap(({ spans }) => spans).toSorted((a, b) => a.start - b.start);
  let text = '';
  let cursor = 0;
  for (const span of spans) {
    text += source.slice(cursor, span.start) + span.text;
    cursor = span.end;
  }
  return text + source.slice(cursor);
}

function toResult(text: string, chosen: readonly Chosen[]): FixedText {
  return { text, fixed: chosen.map(({ warning }) => warning) };
}
