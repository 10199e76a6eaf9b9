/** Who an HTTP request is from, and how an address is shown without saying so. */

/** Secrets of the build, by id. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

/**
 * The Authorization header: of the secret `HTTP_AUTH_HEADER_<host>`, of `HTTP_AUTH_TOKEN_<host>` as a
 * bearer token (CP-26), else from the user and password in the address.
 */
export function authorizationOf(address: URL, secrets: Secrets | undefined): string | undefined {
  const secret = (prefix: string): string | undefined => {
    const bytes =
      secrets?.get(`${prefix}_${address.host}`) ?? secrets?.get(`${prefix}_${address.hostname}`);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8').trim();
  };
  const header = secret('HTTP_AUTH_HEADER');
  if (header !== undefined) return header;
  const token = secret('HTTP_AUTH_TOKEN');
  if (token !== undefined) return `Bearer ${token}`;
  const { username, password } = address;
  if (username === '' && password === '') return undefined;
  const credentials = `${decode(username)}:${decode(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** An address for messages, events and the store: without user and password. */
export function redactUrl(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/?#]*@/i, '$1');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A "%" that encodes nothing is meant as it is.
    return text;
  }
}
