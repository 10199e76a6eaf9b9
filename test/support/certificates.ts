/** An authority of the test's own, a server's certificate and a client's, by openssl. */

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths; and the authority's text. */
export interface Certificates {
  readonly authority: string;
  readonly authorityText: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Makes them in a directory that is there. The server is 127.0.0.1, localhost and *.test. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const path = (name: string): string => join(directory, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = ['-x509', '-subj', '/CN=authority', '-days', '2'];
  await run('openssl', [
    ...['req', ...newKey, ...authority, '-keyout', path('ca.key'), '-out', path('ca.crt')],
  ]);
  const issue = async (name: string, extensions: string) => {
    const [key, cert, request] = [path(`${name}.key`), path(`${name}.cert`), path(`${name}.csr`)];
    await run('openssl', [
      'req',
      ...newKey,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      request,
    ]);
    await writeFile(path(`${name}.ext`), extensions);
    const by = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial'];
    await run('openssl', [
      ...['x509', '-req', '-in', request, ...by, '-days', '2', '-extfile', path(`${name}.ext`)],
      ...['-out', cert],
    ]);
    return { cert, key };
  };
  const names = 'IP:127.0.0.1,DNS:localhost,DNS:registry.test,DNS:*.registry.test';
  return {
    authority: path('ca.crt'),
    authorityText: await readFile(path('ca.crt'), 'utf8'),
    server: await issue('server', `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`),
    client: await issue('client', 'extendedKeyUsage=clientAuth\n'),
  };
}
