/**
 * References: `registry/repository:tag@digest`, parsed once, with docker's defaults filled in.
 *
 * https://pkg.go.dev/github.com/distribution/reference has the grammar.
 */

import { TsbuildError } from '../errors.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';

/** An image's name with nothing left to guess. It has a tag, a digest or both, or else it names a repository. */
export interface Reference {
  /** Host and optional port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_REGISTRY = 'docker.io';
const OFFICIAL = 'library/';

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const IDENTIFIER = /^[0-9a-f]{64}$/;
/** Registries refuse longer repository names. */
const MAX_REPOSITORY = 255;

/**
 * Text to Reference, normalised as docker does: `alpine` is `docker.io/library/alpine:latest`. With a
 * digest no tag is assumed. @throws ERR_REFERENCE_INVALID
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  // A colon after the last slash starts the tag; one before it belongs to the port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const { registry, repository } = splitName(colon < 0 ? named : named.slice(0, colon));

  if (IDENTIFIER.test(text)) throw invalid(text, 'An image id is no name; add a tag or a digest.');
  if (!REGISTRY.test(registry)) throw invalid(text, `"${registry}" is no registry host.`);
  if (!REPOSITORY.test(repository) || repository.length > MAX_REPOSITORY) {
    throw invalid(text, repositoryHint(repository));
  }
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `"${tag}" is no tag.`);
  if (digest !== undefined && !isDigest(digest))
    throw invalid(text, 'Its digest is no sha256 digest.');

  const assumed = tag ?? (digest === undefined ? 'latest' : undefined);
  return Object.freeze({
    registry,
    repository,
    ...(assumed !== undefined && { tag: assumed }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  });
}

/** A name that may have neither tag nor digest, as where an image is pushed by digest. @throws ERR_REFERENCE_INVALID */
export function parseRepository(text: string): Pick<Reference, 'registry' | 'repository'> {
  const { registry, repository } = parseReference(text);
  if (!/@|:[^/]*$/.test(text)) return Object.freeze({ registry, repository });
  throw invalid(text, 'Where an image is pushed by digest, its name has no tag and no digest.');
}

/** The full name: `docker.io/library/alpine:3.20`. */
export function formatReference(reference: Reference): string {
  return `${reference.registry}/${withSuffix(reference.repository, reference)}`;
}

/** The name as people write it: `alpine:3.20`. Parsing it gives the same reference. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== DEFAULT_REGISTRY) return formatReference(reference);
  const { repository } = reference;
  const short = repository.slice(OFFICIAL.length);
  const isOfficial = repository.startsWith(OFFICIAL) && !short.includes('/');
  return withSuffix(isOfficial ? short : repository, reference);
}

/** The first component is a registry if it could not be a user: it has a dot, a port or is localhost. */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (slash >= 0 && isHost && first !== DEFAULT_REGISTRY && first !== 'index.docker.io') {
    return { registry: first, repository: name.slice(slash + 1) };
  }
  const rest = isHost ? name.slice(slash + 1) : name;
  return { registry: DEFAULT_REGISTRY, repository: rest.includes('/') ? rest : OFFICIAL + rest };
}

function withSuffix(name: string, { tag, digest }: Reference): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function repositoryHint(repository: string): string {
  if (repository.length > MAX_REPOSITORY) return 'Its name is longer than 255 characters.';
  if (/[A-Z]/.test(repository)) return 'Repository names are lower case.';
  return 'An image name is [registry/]repository[:tag][@sha256:…], for example "debian:12".';
}

function invalid(text: string, hint: string): TsbuildError<'ERR_REFERENCE_INVALID'> {
  return new TsbuildError('ERR_REFERENCE_INVALID', {
    message: `Cannot use "${text}" as an image name`,
    details: { reference: text },
    hint,
  });
}
