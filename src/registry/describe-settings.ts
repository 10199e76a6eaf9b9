/** Mirrors, insecure registries and certificates, and the files that say so. */

import { readdir } from 'node:fs/promises';
import { findCertificates } from './settings/certificates.ts';
import { certificateDirectories, type SettingsPlaces } from './settings/places.ts';
import { readEndpointSettings } from './settings/settings.ts';

export interface RegistrySettingsReport {
  readonly locations: readonly {
    readonly prefix: string;
    readonly mirrors: readonly string[];
    /** What stands in the prefix's place. */
    readonly location: string | undefined;
    readonly isBlocked: boolean;
    readonly file: string;
  }[];
  /** Without a file: by a flag. */
  readonly insecure: readonly { readonly registry: string; readonly file: string | undefined }[];
  readonly certificates: readonly {
    readonly host: string;
    readonly directory: string;
    /** How many files of authorities. */
    readonly ca: number;
    readonly hasClient: boolean;
  }[];
}

/** What is found. @throws ERR_USAGE for a file that is not well formed */
export async function describeSettings(places: SettingsPlaces): Promise<RegistrySettingsReport> {
  const { rules, daemon, insecure } = await readEndpointSettings(places);
  const { file } = daemon;
  const locations = rules
    .filter(({ mirrors, location, isBlocked, prefix }) => {
      return isBlocked || mirrors.length > 0 || (location !== undefined && location !== prefix);
    })
    .map(({ mirrors, ...rule }) => ({ ...rule, mirrors: mirrors.map(({ location }) => location) }));
  const ofDaemon = daemon.mirrors.map(({ href }) => href);
  return {
    locations:
      ofDaemon.length === 0 || file === undefined
        ? locations
        : [
            ...locations,
            { prefix: 'docker.io', mirrors: ofDaemon, location: undefined, isBlocked: false, file },
          ],
    insecure: [
      ...insecure.map((registry) => ({ registry, file: undefined })),
      ...rules
        .filter(({ isInsecure }) => isInsecure)
        .map((rule) => ({ registry: rule.prefix, file: rule.file })),
      ...daemon.insecure.map((registry) => ({ registry, file })),
    ],
    certificates: await certificates(certificateDirectories(places)),
  };
}

async function certificates(
  directories: readonly string[],
): Promise<RegistrySettingsReport['certificates']> {
  const hosts = new Set<string>();
  for (const directory of directories) {
    for (const name of await readdir(directory).catch(() => [])) hosts.add(name);
  }
  const found = await Promise.all(
    [...hosts]
      .toSorted()
      .map(async (host) => ({ host, of: await findCertificates(directories, host) })),
  );
  return found.flatMap(({ host, of }) =>
    of === undefined
      ? []
      : [{ host, directory: of.directory, ca: of.ca.length, hasClient: of.pair !== undefined }],
  );
}
