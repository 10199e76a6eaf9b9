/** The job's summary of a build, as Markdown. Pure. */

import type { ShownStep } from './display.ts';

export interface Summary {
  /** Names of the image, or what was to be built. */
  readonly names: readonly string[];
  readonly platforms: readonly string[];
  /** Undefined when the build failed. */
  readonly digest: string | undefined;
  /** What the failure says; undefined without one. */
  readonly failure: string | undefined;
  /** Milliseconds. */
  readonly duration: number;
  readonly steps: readonly ShownStep[];
}

/** A table of one row, the failure, and the steps behind a triangle. */
export function summaryText(summary: Summary): string {
  const { names, platforms, digest, failure, duration, steps } = summary;
  const row = [
    names.map(code).join('<br>') || 'no name',
    digest === undefined ? '' : code(digest),
    platforms.map(code).join('<br>'),
    failure === undefined ? '✅ built' : '❌ failed',
    cachedText(steps),
    seconds(duration),
  ];
  return [
    '### tsbuild',
    '',
    ...table(['Image', 'Digest', 'Platform', 'Status', 'Cached', 'Time'], [row]),
    '',
    ...(failure === undefined ? [] : [`> ${code(failure)}`, '']),
    ...(steps.length === 0 ? [] : stepList(steps)),
    '',
  ].join('\n');
}

function stepList(steps: readonly ShownStep[]): readonly string[] {
  const rows = steps.map(({ name, state, duration }) => [
    code(name),
    state,
    duration === undefined ? '' : seconds(duration),
  ]);
  const count = `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}`;
  return [
    `<details><summary>${count}</summary>`,
    '',
    ...table(['Step', '', 'Time'], rows),
    '',
    '</details>',
  ];
}

function cachedText(steps: readonly ShownStep[]): string {
  // Exports and pulls are steps, too; what a Dockerfile asks for has its place in brackets, as "[build 2/3]".
  const own = steps.filter(({ name }) => /^\[.*\d+\/\d+\] /.test(name));
  if (own.length === 0) return '';
  const cached = own.filter(({ state }) => state === 'cached').length;
  return `${Math.round((100 * cached) / own.length)}%`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Text as it is, on one line of a table's cell. */
function code(text: string): string {
  const escaped = text
    .replaceAll(/[&<>|*_~`[\]\\]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replaceAll(/\s+/g, ' ');
  return `<code>${escaped}</code>`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
