import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates } from '../support/certificates.ts';
import { describeUnless, missing } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

const run = promisify(execFile);

describeUnless(missing('openssl'))('openTransport()', () => {
  it('asks again, for each of several requests at once, whom the machine trusts (T-28)', () =>
    withDirectory(async (directory) => {
      const { server: pair, authority } = await makeCertificates(directory);
      const [cert, key] = await Promise.all([readFile(pair.cert), readFile(pair.key)]);
      const server = createServer({ cert, key }, (_, response) => response.end('here'));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        const { port } = server.address() as AddressInfo;
        // Node reads the machine's list once, from where the variable says when it starts.
        const script = join(directory, 'ask.ts');
        await writeFile(
          script,
          `import { openTransport, readBody } from '${new URL('../../src/http/transport.ts', import.meta.url).href}';
           const transport = openTransport({ connections: 4 });
           const { signal } = new AbortController();
           const ask = async () => {
             const url = new URL('https://127.0.0.1:${port}/');
             const { body } = await transport.send({ method: 'GET', url, headers: {}, signal });
             return (await readBody(body, 100)).toString();
           };
           const answers = await Promise.allSettled([ask(), ask(), ask(), ask()]);
           console.log(answers.map(({ value, reason }) => value ?? reason.code).join(' '));
           await transport.close();`,
        );
        const env = { PATH: process.env['PATH'], SSL_CERT_FILE: authority };
        const { stdout } = await run(process.execPath, ['--no-warnings', script], { env });
        assert.equal(stdout, 'here here here here\n');
      } finally {
        server.closeAllConnections();
        await promisify(server.close.bind(server))();
      }
    }));
});
