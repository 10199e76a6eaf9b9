/** Who an HTTP request is from, and how an address is shown without saying so. */

/** Secrets of the build, by id. */
export type Secrets = ReadonlyMap<string, Uint8Array>;

/** What a server is told of who asks. */
export interface Credentials {
  /** The header's value; undefined: nothing. */
  readonly authorization: string | undefined;
  /** Where it is from, as a sentence for a hint. */
  readonly tried: string;
}

/**
 * The Authorization header: of the secret `HTTP_AUTH_HEADER_<host>`, of `HTTP_AUTH_TOKEN_<host>` as a
 * bearer token (CP-26), else from the user and password in the address.
 */
export function credentialsOf(address: URL, secrets: Secrets | undefined): Credentials {
  for (const kind of ['HEADER', 'TOKEN']) {
    for (const host of [address.host, address.hostname]) {
      const name = `HTTP_AUTH_${kind}_${host}`;
      const bytes = secrets?.get(name);
      if (bytes === undefined) continue;
      const text = Buffer.from(bytes).toString('utf8').trim();
      const authorization = kind === 'HEADER' ? text : `Bearer ${text}`;
      return { authorization, tried: `The credentials were those of the secret "${name}".` };
    }
  }
  const { username, password } = address;
  if (username === '' && password === '') {
    const { host } = address;
    const tried = `No credentials were sent: there is no secret "HTTP_AUTH_TOKEN_${host}" (a bearer token) or "HTTP_AUTH_HEADER_${host}" (the Authorization header). Give one with --secret id=NAME,….`;
    return { authorization: undefined, tried };
  }
  const credentials = `${decode(username)}:${decode(password)}`;
  return {
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
    tried: 'The credentials were those in the address.',
  };
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
