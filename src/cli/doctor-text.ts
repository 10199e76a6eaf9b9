/** What the doctor found, for people and for programs (docs/doctor.md). */

import type { DoctorReport, Finding, FindingGroup } from '../index.ts';
import { jsonText } from './json-text.ts';

const TITLES: Readonly<Record<FindingGroup, string>> = {
  run: 'RUN',
  machine: 'machine',
  store: 'store',
  platforms: 'platforms of RUN',
  network: 'network',
  registries: 'registries',
};

const MARKS: Readonly<Record<Finding['status'], string>> = {
  ok: 'ok  ',
  warn: 'warn',
  no: 'no  ',
  info: '-   ',
};

/** Short lines: a group, its findings, under each the fix. */
export function doctorText({ ok, findings }: DoctorReport): string {
  const lines: string[] = [];
  for (const [group, title] of Object.entries(TITLES)) {
    const own = findings.filter((finding) => finding.group === group);
    if (own.length === 0) continue;
    lines.push(title);
    for (const { status, text, fix } of own) {
      lines.push(`  ${MARKS[status]}  ${text}`);
      if (fix !== undefined) lines.push(`        fix: ${fix}`);
    }
  }
  const verdict = ok
    ? 'Builds with RUN work here.'
    : 'Builds with RUN do not work here; builds without RUN need none of this.';
  return `${[...lines, '', verdict].join('\n')}\n`;
}

/** The report as it stands, with the number of its format. */
export function doctorJson({ ok, isolation, findings }: DoctorReport): string {
  return jsonText({ version: 1, ok, isolation: isolation ?? null, findings });
}
