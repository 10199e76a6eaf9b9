/** What outline, targets and describe print: text and JSON in BuildKit's form (OPT-3). */

import type { OutlineResult, TargetsResult } from '../index.ts';
import { jsonLocation, jsonText } from './json-text.ts';
import { clean } from './report.ts';
import { unseenJson } from './unseen-text.ts';

/** For people: a table for each kind of parameter; caches are in the JSON only, as in docker. */
export function outlineText({ name, description, args, secrets, ssh }: OutlineResult): string {
  const head = [
    ['TARGET:', name ?? ''],
    ...(description === '' ? [] : [['DESCRIPTION:', description]]),
  ];
  const required = (mounts: typeof secrets): readonly string[][] =>
    mounts.map((mount) => [mount.name, mount.isRequired ? 'true' : '']);
  return [
    name === undefined ? '' : table(head, 1),
    section(
      ['BUILD ARG', 'VALUE', 'DESCRIPTION'],
      args.map((arg) => [arg.name, arg.value, arg.description]),
    ),
    section(['SECRET', 'REQUIRED'], required(secrets)),
    section(['SSH', 'REQUIRED'], required(ssh)),
  ]
    .filter((text) => text !== '')
    .map((text) => `${text}\n`)
    .join('');
}

/** For programs; ends with a newline. */
export function outlineJson(outline: OutlineResult): string {
  const mounts = (of: OutlineResult['secrets']) =>
    of.map(({ name, isRequired, range }) => ({
      name,
      required: isRequired || undefined,
      location: jsonLocation(range),
    }));
  return jsonText({
    name: outline.name,
    description: outline.description || undefined,
    args: orNothing(
      outline.args.map(({ name, description, value, range }) => ({
        name,
        description: description || undefined,
        value: value || undefined,
        location: jsonLocation(range),
      })),
    ),
    secrets: orNothing(mounts(outline.secrets)),
    ssh: orNothing(mounts(outline.ssh)),
    cache: orNothing(
      outline.caches.map(({ id, range }) => ({ ID: id, location: jsonLocation(range) })),
    ),
    sources: [Buffer.from(outline.source).toString('base64')],
    unseenImages: unseenJson(outline.unseenImages),
  });
}

/** For people: each stage, and what its comment says. */
export function targetsText({ targets }: TargetsResult): string {
  const rows = targets.map(({ name, isDefault, description }) => {
    const shown = [...(name === undefined ? [] : [name]), ...(isDefault ? ['(default)'] : [])];
    return [shown.join(' '), description];
  });
  return table([['TARGET', 'DESCRIPTION'], ...rows], 1);
}

/** For programs; ends with a newline. */
export function targetsJson({ targets, source }: TargetsResult): string {
  return jsonText({
    targets: targets.map(({ name, isDefault, description, base, platform, range }) => ({
      name,
      default: isDefault || undefined,
      description: description || undefined,
      base: base || undefined,
      platform,
      location: jsonLocation(range),
    })),
    sources: [Buffer.from(source).toString('base64')],
  });
}

/** What `--call` can be, besides `build`. */
const METHODS = [
  {
    name: 'frontend.outline',
    description: 'List all parameters current build target supports',
    opts: [{ name: 'target', description: 'Target build stage' }],
    metadata: ['result.json', 'result.txt'],
  },
  {
    name: 'frontend.targets',
    description: 'List all targets current build supports',
    metadata: ['result.json', 'result.txt'],
  },
  {
    name: 'frontend.lint',
    description: 'Lint a Dockerfile',
    metadata: ['result.json', 'result.txt', 'result.statuscode'],
  },
  {
    name: 'frontend.subrequests.describe',
    description: 'List available subrequest types',
    metadata: ['result.json', 'result.txt'],
  },
];

const VERSION = '1.0.0';

/** For people: the methods. */
export function describeText(): string {
  const rows = METHODS.map(({ name, description }) => [
    name.replace('frontend.', ''),
    VERSION,
    description,
  ]);
  return table([['NAME', 'VERSION', 'DESCRIPTION'], ...rows], 1);
}

/** For programs; ends with a newline. */
export function describeJson(): string {
  return jsonText(
    METHODS.map(({ name, description, opts, metadata }) => ({
      name,
      version: VERSION,
      type: 'rpc',
      description,
      opts,
      metadata: metadata.map((each) => ({ name: each })),
    })),
  );
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : table([head, ...rows], 3);
}

/** Columns as wide as their widest cell, with so many blanks between; the last is not padded. */
function table(rows: readonly (readonly string[])[], gap: number): string {
  // A cell is one line: what would break it is shown as one blank.
  const cells = rows.map((row) => row.map((cell) => clean(cell).replaceAll(/[\t\n]/g, ' ')));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => [...(row[column] ?? '')].length)),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const blanks = (widths[column] ?? 0) + gap - [...cell].length;
        return column === row.length - 1 ? cell : cell + ' '.repeat(blanks);
      })
      .join(''),
  );
  return lines.map((line) => `${line}\n`).join('');
}

function orNothing<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
