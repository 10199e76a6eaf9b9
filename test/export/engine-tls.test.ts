/** Engines at tcp addresses with TLS, as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH have it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { hasCode } from '../../src/errors.ts';
import { loadIntoEngine } from '../../src/export/engine.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { makeExport } from '../support/export-image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

const test = itUnless(missing('openssl'));

interface TlsEngine {
  readonly folder: string;
  readonly port: number;
  readonly certificates: Certificates;
  /** The names of the clients that sent an image to its end. */
  readonly clients: readonly string[];
}

/** An engine that speaks with nobody but who has a certificate. */
async function withTlsEngine(
  use: (engine: TlsEngine) => Promise<void>,
  host = '127.0.0.1',
): Promise<void> {
  await withDirectory(async (folder) => {
    const certificates = await makeCertificates(folder);
    const { server: own, authority } = certificates;
    const [cert, key, ca] = await Promise.all(
      [own.cert, own.key, authority].map((p) => readFile(p)),
    );
    const clients: string[] = [];
    const options = { cert, key, ca, requestCert: true, rejectUnauthorized: true };
    const server = createServer(options, (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      request.resume().once('end', () => {
        clients.push(String(subject.CN));
        response.end('{"stream":"Loaded image"}\n');
      });
    });
    server.listen(0, host);
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      await use({ folder, port, certificates, clients });
    } finally {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  });
}

/** A directory as DOCKER_CERT_PATH names it. */
async function certificatesIn(
  folder: string,
  { authority, client }: Certificates,
): Promise<string> {
  const directory = join(folder, 'docker-certificates');
  await mkdir(directory);
  await copyFile(authority, join(directory, 'ca.pem'));
  await copyFile(client.cert, join(directory, 'cert.pem'));
  await copyFile(client.key, join(directory, 'key.pem'));
  return directory;
}

async function load(
  address: string,
  { folder, certificates }: { readonly folder: string; readonly certificates: string | undefined },
): Promise<void> {
  const image = await makeExport(folder, { names: ['app:v1'], layerSize: 300_000 });
  const { signal } = new AbortController();
  await loadIntoEngine(image, { address, certificates }, { signal });
}

describe('loading into an engine over TLS', () => {
  test('shows our certificate, and checks the engine’s name (OUT-3)', async () => {
    await withTlsEngine(async ({ folder, port, certificates, clients }) => {
      const given = { folder, certificates: await certificatesIn(folder, certificates) };
      await load(`tcp://127.0.0.1:${port}`, given);
      await load(`https://localhost:${port}`, given);
      assert.deepEqual(clients, ['client', 'client']);
    });
    // One of this machine's addresses, and none of the certificate's.
    await withTlsEngine(async ({ folder, port, certificates, clients }) => {
      const given = { folder, certificates: await certificatesIn(folder, certificates) };
      await assert.rejects(load(`tcp://127.0.0.2:${port}`, given), (error) => {
        assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'));
        assert.match(error.message, /127\.0\.0\.2 is not in the cert's list/);
        return true;
      });
      assert.deepEqual(clients, []);
    }, '127.0.0.2');
  });

  test('rejects an engine that nobody vouches for, and one that wants a certificate', async () => {
    await withTlsEngine(async ({ folder, port, certificates, clients }) => {
      const address = `https://127.0.0.1:${port}`;
      await assert.rejects(load(address, { folder, certificates: undefined }), (error) =>
        hasCode(error, 'ERR_OUTPUT_FAILED'),
      );
      const directory = await certificatesIn(folder, certificates);
      await makeCertificates(directory);
      await copyFile(join(directory, 'client.cert'), join(directory, 'cert.pem'));
      await copyFile(join(directory, 'client.key'), join(directory, 'key.pem'));
      await assert.rejects(load(address, { folder, certificates: directory }), (error) =>
        hasCode(error, 'ERR_OUTPUT_FAILED'),
      );
      assert.deepEqual(clients, []);
    });
  });

  test('rejects a directory without certificates, and says which file', async () => {
    await withTlsEngine(async ({ folder, port }) => {
      const given = { folder, certificates: join(folder, 'none') };
      await assert.rejects(load(`tcp://127.0.0.1:${port}`, given), (error) => {
        assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'));
        assert.match(error.message, /none\/\w+\.pem/);
        return true;
      });
    });
  });
});
