/** What `context ls` prints: a table and sentences for people, JSON for programs. */

import {
  type Amount,
  type ContextExplanation,
  type ContextFile,
  type ContextListing,
  type ContextRule,
  type ContextUse,
  countText,
  filesText,
  sizeText,
} from '../index.ts';
import { clean } from './report.ts';

/** So wide a column is made as wide as its widest cell. */
const MAX_WIDTH = 60;

/** For people: a row for each file, the sums below; piece by piece, for there may be very many. */
export function* listingText(listing: ContextListing): Generator<string> {
  const widths = [0, 0, 0];
  for (const row of rowsOf(listing)) {
    for (const [column, width] of widths.entries()) {
      widths[column] = Math.max(width, Math.min(MAX_WIDTH, row[column]?.length ?? 0));
    }
  }
  const [first = 0, second = 0, third = 0] = widths;
  for (const [size = '', path = '', rule = '', uses = ''] of rowsOf(listing)) {
    const cells = [size.padStart(first), path.padEnd(second), rule.padEnd(third), uses];
    yield `${cells.join('  ').trimEnd()}\n`;
  }
  yield `\n${summary(listing)}\n`;
}

/** Made anew each time: that is less to hold than the rows. */
function* rowsOf(listing: ContextListing): Generator<readonly string[]> {
  yield ['SIZE', 'PATH', 'RULE', 'USED BY'];
  for (const file of listing.files) {
    const { type, kept, entered } = file;
    if (type !== 'directory' || !(kept || entered)) yield rowOf(file, listing);
  }
}

function rowOf(file: ContextFile, { unplanned }: ContextListing): string[] {
  const { type, size, kept, entered, rule, usedBy } = file;
  const path = oneLine(file.path) + (type === 'directory' ? '/' : '');
  const rules = rule === undefined ? '' : ruleText(rule);
  if (!entered) return ['-', path, rules, `(${whyDropped(file)}, not entered)`];
  const shown = type === 'file' ? sizeText(size) : type;
  if (!kept) return [shown, path, rules, `(${whyDropped(file)})`];
  const uses = usedBy.map(useText).join(', ');
  return [shown, path, rules, uses === '' ? (unplanned === undefined ? '-' : '?') : uses];
}

function whyDropped({ type, rule }: ContextFile): string {
  if (rule?.keeps === false) return 'ignored';
  return type === 'socket' ? 'no layer can have it' : 'cannot be read';
}

function ruleText({ file, line, pattern }: ContextRule): string {
  return `${oneLine(file)}:${line} ${oneLine(pattern)}`;
}

/** `COPY:3 (build)` */
function useText({ instruction, line, stage, text }: ContextUse): string {
  const trigger = text.startsWith('ONBUILD ') ? 'ONBUILD ' : '';
  return `${trigger}${instruction}:${line} (${stage})`;
}

function summary({ totals }: ContextListing): string {
  const { kept, ignored, unused } = totals;
  const unentered =
    ignored.unenteredDirectories === 0
      ? ''
      : `, ${countText(ignored.unenteredDirectories)} ${ignored.unenteredDirectories === 1 ? 'directory' : 'directories'} not entered`;
  const unusedText = unused === undefined ? 'unknown what is unused' : `${amount(unused)} unused`;
  return `${amount(kept)} in the context; ${amount(ignored)} ignored${unentered}; ${unusedText}`;
}

function amount({ files, bytes }: Amount): string {
  return `${filesText(files)} (${sizeText(bytes)})`;
}

/** For programs: one object, a file a line. Sizes are bytes. */
export function* listingJson(listing: ContextListing): Generator<string> {
  const { files, totals, uses, warnings, unplanned, failures, ignoreFile } = listing;
  const rest = {
    ignoreFile: ignoreFile ?? null,
    totals: { ...totals, unused: totals.unused ?? null },
    instructions: uses,
    warnings: warnings.map(({ rule, message, location }) => ({
      ...{ rule, message: clean(message), line: location?.range.start.line },
    })),
    errors: [...(unplanned === undefined ? [] : [unplanned]), ...failures].map(
      ({ code, message }) => ({ code, message: clean(message) }),
    ),
  };
  yield '{"files":[';
  let separator = '\n';
  for (const file of files) {
    yield separator + JSON.stringify(fileJson(file, uses));
    separator = ',\n';
  }
  yield `\n],${JSON.stringify(rest).slice(1)}\n`;
}

function fileJson(file: ContextFile, uses: readonly ContextUse[]): object {
  const { path, type, size, kept, entered, rule, usedBy } = file;
  return {
    ...{ path, type, size, kept },
    ...(!entered && { entered }),
    ...(rule !== undefined && { rule }),
    // Places in `instructions`: a large context would repeat them a hundred thousand times.
    usedBy: usedBy.map((use) => uses.indexOf(use)),
  };
}

/** For people: sentences about one path. */
export function explanationText(explanation: ContextExplanation): string {
  const { path, type, size, kept, rule, matches, ignoreFile } = explanation;
  const name = `"${path === '' ? '.' : oneLine(path)}"`;
  const what = type === 'file' ? `a file of ${sizeText(size)}` : `a ${type}`;
  const lines = [`${name} is ${what}. It is ${kept ? '' : 'not '}in the build context.`];
  if (ignoreFile === undefined) lines.push('There is no ignore file.');
  else if (matches.length === 0) lines.push(`No rule of ${oneLine(ignoreFile)} matches it.`);
  for (const match of matches) {
    const through = match.path === path ? '' : ` through "${oneLine(match.path)}"`;
    const effect = match.rule.keeps ? 'keeps it' : 'leaves it out';
    lines.push(`  ${ruleText(match.rule)}: ${effect}${through}${decides(match.rule, rule)}`);
  }
  if (kept && rule?.keeps === false) {
    lines.push('It is there because something in it is kept.');
  }
  if (!kept && rule?.keeps !== false) {
    const why =
      type === 'socket' ? 'A socket is left out: no layer can have one.' : 'It cannot be read.';
    lines.push(why);
  }
  return `${[...lines, ...usageLines(explanation)].join('\n')}\n`;
}

function decides(rule: ContextRule, deciding: ContextRule | undefined): string {
  return rule.line === deciding?.line ? ', and decides, for it is the last' : '';
}

function usageLines({ kept, usedBy, unplanned, type }: ContextExplanation): string[] {
  if (!kept) return [];
  if (unplanned !== undefined) return ['What uses it is not known.'];
  if (usedBy.length === 0) {
    return type === 'directory'
      ? ['No instruction of this build takes it as a whole.']
      : ['No instruction of this build uses it.'];
  }
  return [
    'Used by:',
    ...usedBy.map(({ line, stage, text }) => `  line ${line}, stage ${stage}: ${oneLine(text)}`),
  ];
}

/** For programs; sizes are bytes. */
export function explanationJson(explanation: ContextExplanation): string {
  const { path, type, size, kept, rule, matches, usedBy, ignoreFile, unplanned } = explanation;
  return `${JSON.stringify(
    {
      ...{ path, type, size, kept, rule, matches, usedBy },
      ignoreFile: ignoreFile ?? null,
      errors:
        unplanned === undefined
          ? []
          : [{ code: unplanned.code, message: clean(unplanned.message) }],
    },
    undefined,
    2,
  )}\n`;
}

/** Names of files may have anything in them. */
function oneLine(text: string): string {
  // Nearly all are harmless, and there may be hundreds of thousands.
  if (/^[\w./+-]*$/.test(text)) return text;
  return clean(text.replaceAll(/[\t\r\n]/g, ' '));
}
