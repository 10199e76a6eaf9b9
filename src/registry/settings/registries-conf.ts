/**
 * registries.conf, version 2: where the images of a registry, or of a part of one, really are.
 *
 * https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, readSettings, unreadable } from './read-file.ts';
import type { SettingsFile } from './places.ts';

/** What is said about the images whose names begin with a prefix. */
export interface RegistryRule {
  /** `docker.io`, `registry.example/team`, `*.example` */
  readonly prefix: string;
  /** What stands in the prefix's place; undefined: the prefix itself. */
  readonly location: string | undefined;
  readonly isInsecure: boolean;
  readonly isBlocked: boolean;
  readonly mirrors: readonly MirrorRule[];
  /** The file that says so. */
  readonly file: string;
}

export interface MirrorRule {
  readonly location: string;
  readonly isInsecure: boolean;
  readonly pulls: 'all' | 'digest-only' | 'tag-only';
}

/** The rules of a file and of those that add to it; none where there is no file. @throws ERR_USAGE */
export async function readRegistriesConf({
  main,
  directories,
}: {
  readonly main: readonly SettingsFile[];
  readonly directories: readonly string[];
}): Promise<readonly RegistryRule[]> {
  const rules = new Map<string, RegistryRule>();
  const add = (more: readonly RegistryRule[] | undefined): boolean => {
    for (const rule of more ?? []) rules.set(rule.prefix, rule);
    return more !== undefined;
  };
  for (const { path } of main) if (add(await readRules(path))) break;
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => []);
    for (const name of names.filter((each) => each.endsWith('.conf')).toSorted()) {
      add(await readRules(join(directory, name)));
    }
  }
  return [...rules.values()];
}

async function readRules(path: string): Promise<readonly RegistryRule[] | undefined> {
  const text = await readSettings(path);
  if (text === undefined) return undefined;
  const { parse, TomlError } = await import('smol-toml');
  let tables: Readonly<Record<string, unknown>>;
  try {
    tables = parse(text);
  } catch (error) {
    const line = error instanceof TomlError ? ` Line ${error.line} is wrong.` : '';
    throw unreadable(path, { hint: `It must be a TOML file.${line}` });
  }
  return listOf(tables['registry']).flatMap((table) => ruleOf(table, path));
}

function ruleOf(table: Table, file: string): readonly RegistryRule[] {
  const { location, prefix = location } = table;
  if (typeof prefix !== 'string' || prefix === '') return [];
  const isDigestOnly = table['mirror-by-digest-only'] === true;
  return [
    {
      prefix,
      location: typeof location === 'string' && location !== '' ? location : undefined,
      isInsecure: table['insecure'] === true,
      isBlocked: table['blocked'] === true,
      mirrors: listOf(table['mirror']).flatMap((mirror) => mirrorOf(mirror, isDigestOnly)),
      file,
    },
  ];
}

function mirrorOf(table: Table, isDigestOnly: boolean): readonly MirrorRule[] {
  const { location } = table;
  if (typeof location !== 'string' || location === '') return [];
  const said = table['pull-from-mirror'];
  const own = said === 'digest-only' || said === 'tag-only' ? said : 'all';
  const pulls = isDigestOnly ? 'digest-only' : own;
  return [{ location, isInsecure: table['insecure'] === true, pulls }];
}

type Table = Readonly<Record<string, unknown>>;

function listOf(value: unknown): readonly Table[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The rule with the longest prefix of `registry.example/team/app`. */
export function findRule(rules: readonly RegistryRule[], name: string): RegistryRule | undefined {
  let found: RegistryRule | undefined;
  let best = 0;
  for (const rule of rules) {
    const length = coveredLength(rule.prefix, name);
    if (length > best) [found, best] = [rule, length];
  }
  return found;
}

/** A name with the rule's prefix replaced by another location. */
export function relocate(name: string, { prefix }: RegistryRule, location: string): string {
  return location + name.slice(coveredLength(prefix, name));
}

/** How much of a name a prefix stands for; 0 when it does not. */
function coveredLength(prefix: string, name: string): number {
  if (prefix.startsWith('*.')) {
    const [host = ''] = name.split('/');
    return host.endsWith(prefix.slice(1)) ? host.length : 0;
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : 0;
}
