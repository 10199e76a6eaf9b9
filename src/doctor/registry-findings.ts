/** Logins, mirrors and certificates of registries, each with the file that has it. Never a secret. */

import { constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import {
  type CredentialFile,
  credentialFiles,
  type CredentialSource,
  describeCredentials,
  describeSettings,
  type RegistrySettingsReport,
  type SettingsPlaces,
} from '../registry/index.ts';
import type { Finding } from './finding.ts';
import { isReadable } from './is-readable.ts';

const GROUP = 'registries';

export async function registryFindings(places: SettingsPlaces): Promise<readonly Finding[]> {
  return [...(await credentials(places)), ...(await settings(places))];
}

async function credentials(places: SettingsPlaces): Promise<readonly Finding[]> {
  const files = credentialFiles(places);
  const there: CredentialFile[] = [];
  for (const file of files) {
    const isThere = file.text !== undefined || (await isReadable(file.path, constants.F_OK));
    if (isThere) there.push(file);
  }
  const findings = await Promise.all(
    there.map(async (file) => await credentialsIn(file, places.environment ?? {})),
  );
  if (findings.flat().length > 0) return withoutRepeats(findings.flat());
  const base = { id: 'credentials', group: GROUP, status: 'info' } as const;
  if (files.length === 0) return [{ ...base, text: 'credentials: none (nowhere to look)' }];
  const paths = files.map(({ path }) => path);
  const text = `credentials: none in ${paths.join(', ')}`;
  return [{ ...base, text, details: { file: paths[0] ?? null, files: paths } }];
}

/** The first file that has a login is used. */
function withoutRepeats(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return withFiles(findings).map((finding, number) => {
    const id = findings[number]?.id ?? '';
    const isFirst = !seen.has(id);
    seen.add(id);
    if (isFirst || id === 'credentials.error') return finding;
    return { ...finding, status: 'info', text: `${finding.text}, which is not used` };
  });
}

/** Ids are unique: where several files say the same, the later ones' have the file. */
function withFiles(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.map((finding) => {
    const isFirst = !seen.has(finding.id);
    seen.add(finding.id);
    const file = finding.details?.['file'];
    if (isFirst || typeof file !== 'string') return finding;
    return { ...finding, id: `${finding.id}@${file}` };
  });
}

async function credentialsIn(
  file: CredentialFile,
  environment: NonNullable<SettingsPlaces['environment']>,
): Promise<readonly Finding[]> {
  const from = file.variable === undefined ? file.path : `${file.path} (${file.variable})`;
  let sources: readonly CredentialSource[];
  try {
    sources = await describeCredentials(file);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const fix = error.hint ?? 'mend the file';
    const details = { file: file.path };
    const id = 'credentials.error';
    return [{ id, group: GROUP, status: 'no', text: error.message, fix, details }];
  }
  return await Promise.all(
    sources.map(async (source) => await credential(source, { file: file.path, from, environment })),
  );
}

interface Place {
  readonly file: string;
  readonly from: string;
  readonly environment: NonNullable<SettingsPlaces['environment']>;
}

async function credential(
  { registry, helper, kind }: CredentialSource,
  { file, from, environment }: Place,
): Promise<Finding> {
  const whose = registry ?? 'any other registry';
  const base = {
    id: `credentials.${registry ?? '*'}`,
    group: GROUP,
    details: { registry: registry ?? null, file, helper: helper ?? null, kind },
  } as const;
  if (helper === undefined) {
    if (kind === 'nothing') {
      const text = `${whose}: an entry without credentials in ${from}`;
      return { ...base, status: 'warn', text, fix: `docker login ${whose}` };
    }
    return { ...base, status: 'ok', text: `${whose}: ${kind} from ${from}` };
  }
  if (await isInPath(helper, environment)) {
    return { ...base, status: 'ok', text: `${whose}: asked of ${helper}, named in ${from}` };
  }
  return {
    ...base,
    status: 'warn',
    text: `${whose}: ${helper}, named in ${from}, is not in PATH: anonymous`,
    fix: `install ${helper}, or remove it from ${file}`,
  };
}

async function settings(places: SettingsPlaces): Promise<readonly Finding[]> {
  let report: RegistrySettingsReport;
  try {
    report = await describeSettings(places);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const fix = error.hint ?? 'mend the file';
    return [{ id: 'mirrors', group: GROUP, status: 'no', text: error.message, fix }];
  }
  return [...withFiles(locations(report)), ...insecure(report), ...certificates(report)];
}

function locations({ locations: all }: RegistrySettingsReport): readonly Finding[] {
  const findings = all.map(({ prefix, mirrors, location, isBlocked, file }): Finding => {
    const ways = [...mirrors, location ?? prefix];
    const text = isBlocked
      ? `${prefix}: blocked by ${file}`
      : `${prefix}: ${ways.join(', then ')}, by ${file}`;
    const details = { prefix, mirrors, location: location ?? null, blocked: isBlocked, file };
    return {
      id: `mirrors.${prefix}`,
      group: GROUP,
      status: isBlocked ? 'warn' : 'ok',
      text,
      details,
    };
  });
  if (findings.length > 0) return findings;
  return [{ id: 'mirrors', group: GROUP, status: 'info', text: 'mirrors: none' }];
}

function insecure({ insecure: all }: RegistrySettingsReport): readonly Finding[] {
  return all.map(({ registry, file }) => ({
    id: `insecure.${registry}`,
    group: GROUP,
    status: 'info',
    text: `${registry}: plain HTTP or any certificate will do, by ${file ?? 'a flag'}`,
    details: { registry, file: file ?? null },
  }));
}

function certificates({ certificates: all }: RegistrySettingsReport): readonly Finding[] {
  return all.map(({ host, directory, ca, hasClient }) => ({
    id: `certs.${host}`,
    group: GROUP,
    status: 'ok',
    text: `${host}: more authorities: ${ca}${hasClient ? ', a certificate of ours' : ''}, by ${directory}`,
    details: { host, directory, ca, client: hasClient },
  }));
}

async function isInPath(program: string, { PATH = '' }: Place['environment']): Promise<boolean> {
  for (const folder of PATH.split(delimiter)) {
    if (folder !== '' && (await isReadable(join(folder, program), constants.X_OK))) return true;
  }
  return false;
}
