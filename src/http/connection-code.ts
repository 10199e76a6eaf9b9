/** Why there is no connection. */

/** The code of a failed connection; empty when it has none. */
export function connectionCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
