/** in-toto statements: what is said (a predicate) of what (subjects) (ATT-5). */

import { digestOf } from '../oci/digest.ts';

/** https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
const STATEMENT = 'https://in-toto.io/Statement/v1';
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';

export const PREDICATE = {
  provenance: { v1: 'https://slsa.dev/provenance/v1', 'v0.2': 'https://slsa.dev/provenance/v0.2' },
  sbom: 'https://spdx.dev/Document',
} as const;

export interface Subject {
  readonly name: string;
  /** In hexadecimal, by algorithm. */
  readonly digest: Readonly<Record<string, string>>;
}

/** What is attested, before it is known of what. */
export interface Attestation {
  readonly predicateType: string;
  readonly predicate: object;
  /** In outputs of files. */
  readonly filename: string;
}

export interface Statement {
  readonly predicateType: string;
  readonly bytes: Uint8Array;
}

/** The bytes of a statement: equal for equal members. */
export function encodeStatement(
  { predicateType, predicate }: Attestation,
  subject: readonly Subject[],
): Statement {
  const statement = { _type: STATEMENT, predicateType, subject, predicate };
  return { predicateType, bytes: new TextEncoder().encode(JSON.stringify(statement)) };
}

/** sha256 of bytes, as attestations have digests. */
export function sha256Of(bytes: Uint8Array | string): Readonly<Record<string, string>> {
  return digestSet(digestOf(bytes));
}

/** `sha256:…` as attestations have it; a commit's name is sha1 or sha256 by its length. */
export function digestSet(digest: string): Readonly<Record<string, string>> {
  const colon = digest.indexOf(':');
  if (colon >= 0) return { [digest.slice(0, colon)]: digest.slice(colon + 1) };
  return digest.length === 64 ? { sha256: digest } : { sha1: digest };
}
