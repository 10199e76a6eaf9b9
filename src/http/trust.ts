/** Whom a connection trusts, and as whom it connects. */

import type { SecureContext } from 'node:tls';
import { connectionCode } from './connection-code.ts';

/** What a host needs besides the usual, in PEM. */
export interface TlsSettings {
  /** Authorities that count for it as well. */
  readonly ca: readonly string[];
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** What `tls.connect()` is given; undefined: nothing out of the ordinary. */
export interface TlsOptions {
  readonly secureContext?: SecureContext;
  readonly rejectUnauthorized?: boolean;
}

export interface Trust {
  /** Undefined members when Node's own list of authorities will do. */
  readonly settings: TlsSettings | undefined;
  /** Whether the machine's authorities count, too. */
  readonly isWide: boolean;
  readonly isUnverified: boolean;
}

/** One context for all connections to a host: to make one from a list of authorities takes 40 ms. */
export async function tlsOptions({ settings, isWide, isUnverified }: Trust): Promise<TlsOptions> {
  const refusal = isUnverified ? { rejectUnauthorized: false } : {};
  if (settings === undefined && !isWide) return refusal;
  const { createSecureContext, getCACertificates } = await import('node:tls');
  const { ca = [], cert, key } = settings ?? {};
  // A list replaces Node's own, in which NODE_EXTRA_CA_CERTS is; the machine's is read when it is needed.
  const system = isWide ? getCACertificates('system') : [];
  const authorities = new Set([...getCACertificates('default'), ...system, ...ca]);
  const secureContext = createSecureContext({
    ...((ca.length > 0 || isWide) && { ca: [...authorities] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
  return { secureContext, ...refusal };
}

/** Whether the other side's authority is unknown: the machine's list may have it. */
export function isUntrusted(error: unknown): boolean {
  return UNTRUSTED.has(connectionCode(error));
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
