/** All settings of registries, read when the first request needs them. */

import type { TlsSettings } from '../../http/trust.ts';
import type { Reference } from '../../oci/reference.ts';
import { findCertificates, readCertificates } from './certificates.ts';
import { readDaemonSettings } from './daemon-json.ts';
import { type Endpoint, type EndpointSettings, pullEndpoints, pushEndpoints } from './endpoints.ts';
import {
  certificateDirectories,
  daemonFiles,
  registriesConfFiles,
  type SettingsPlaces,
} from './places.ts';
import { readRegistriesConf } from './registries-conf.ts';

export interface RegistrySettings {
  /** Where to ask, one after the other; none when the settings forbid it. @throws ERR_USAGE */
  endpoints(reference: Reference, access: 'pull' | 'pull,push'): Promise<readonly Endpoint[]>;
  /** Certificates of a host, for HTTPS. @throws ERR_USAGE */
  tls(host: string): Promise<TlsSettings | undefined>;
}

/** Reads nothing yet. */
export function openSettings(places: SettingsPlaces): RegistrySettings {
  let loading: Promise<EndpointSettings> | undefined;
  const certificates = new Map<string, Promise<TlsSettings | undefined>>();
  return {
    async endpoints(reference, access) {
      loading ??= readEndpointSettings(places);
      const settings = await loading;
      const isPull = access === 'pull';
      return (isPull ? pullEndpoints : pushEndpoints)(reference, settings);
    },
    tls(host) {
      const known = certificates.get(host) ?? readTls(places, host);
      certificates.set(host, known);
      return known;
    },
  };
}

/** What mirrors and insecure registries there are. @throws ERR_USAGE */
export async function readEndpointSettings(places: SettingsPlaces): Promise<EndpointSettings> {
  const [rules, daemon] = await Promise.all([
    readRegistriesConf(registriesConfFiles(places)),
    readDaemonSettings(daemonFiles(places)),
  ]);
  return { rules, daemon, insecure: places.insecureRegistries ?? [] };
}

async function readTls(places: SettingsPlaces, host: string): Promise<TlsSettings | undefined> {
  // Files are named after what stands in images' names.
  const names = host === HUB_HOST ? ['docker.io', host] : [host];
  for (const name of names) {
    const found = await findCertificates(certificateDirectories(places), name);
    if (found !== undefined) return await readCertificates(found);
  }
  return undefined;
}

/** The hub's name and its host differ since Docker's first registry. */
export const HUB_HOST = 'registry-1.docker.io';
