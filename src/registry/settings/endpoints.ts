/** Where an image's registry is: itself, or the mirrors that the machine's settings name. */

import type { Reference } from '../../oci/reference.ts';
import { type DaemonSettings, listsInsecure } from './daemon-json.ts';
import { findRule, relocate, type RegistryRule } from './registries-conf.ts';

/** One place that may have an image. */
export interface Endpoint {
  /** Host and port as in names: `docker.io`, not the host that is behind it. */
  readonly registry: string;
  readonly repository: string;
  /** `secure`: HTTPS. `insecure`: HTTPS with any certificate, or HTTP. `plain`: HTTP. */
  readonly security: 'secure' | 'insecure' | 'plain';
  readonly isMirror: boolean;
}

export interface EndpointSettings {
  readonly rules: readonly RegistryRule[];
  readonly daemon: DaemonSettings;
  /** Of a flag. */
  readonly insecure: readonly string[];
}

/** For a push: never a mirror. None: the settings forbid it. */
export function pushEndpoints(
  reference: Reference,
  settings: EndpointSettings,
): readonly Endpoint[] {
  const { registry, repository } = reference;
  const rule = findRule(settings.rules, `${registry}/${repository}`);
  if (rule?.isBlocked === true) return [];
  const isInsecure = rule?.isInsecure === true;
  return [endpoint({ registry, repository }, { isInsecure, isMirror: false }, settings)];
}

/** For a pull: mirrors in their order, the registry itself last. None: the settings forbid it. */
export function pullEndpoints(
  reference: Reference,
  settings: EndpointSettings,
): readonly Endpoint[] {
  const { registry, repository } = reference;
  const name = `${registry}/${repository}`;
  const rule = findRule(settings.rules, name);
  if (rule?.isBlocked === true) return [];
  const endpoints: Endpoint[] = [];
  const kind = reference.digest === undefined ? 'tag-only' : 'digest-only';
  for (const mirror of rule?.mirrors ?? []) {
    if (mirror.pulls !== 'all' && mirror.pulls !== kind) continue;
    const place = placeOf(relocate(name, rule as RegistryRule, mirror.location));
    endpoints.push(endpoint(place, { ...mirror, isMirror: true }, settings));
  }
  if (registry === 'docker.io') {
    endpoints.push(...settings.daemon.mirrors.map((url) => hubMirror(url, repository, settings)));
  }
  const home = rule?.location === undefined ? name : relocate(name, rule, rule.location);
  const isInsecure = rule?.isInsecure === true;
  return [...endpoints, endpoint(placeOf(home), { isInsecure, isMirror: false }, settings)];
}

function placeOf(name: string): { readonly registry: string; readonly repository: string } {
  const [registry = '', ...repository] = name.split('/');
  return { registry, repository: repository.join('/') };
}

function endpoint(
  place: { readonly registry: string; readonly repository: string },
  { isInsecure, isMirror }: { readonly isInsecure: boolean; readonly isMirror: boolean },
  settings: EndpointSettings,
): Endpoint {
  const isLoose = isInsecure || isListed(place.registry, settings);
  return { ...place, security: isLoose ? 'insecure' : 'secure', isMirror };
}

function hubMirror(url: URL, repository: string, settings: EndpointSettings): Endpoint {
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  const place = {
    registry: url.host,
    repository: path === '' ? repository : `${path}/${repository}`,
  };
  if (url.protocol === 'http:') return { ...place, security: 'plain', isMirror: true };
  return endpoint(place, { isInsecure: false, isMirror: true }, settings);
}

function isListed(registry: string, { daemon, insecure }: EndpointSettings): boolean {
  return listsInsecure(insecure, registry) || listsInsecure(daemon.insecure, registry);
}
