/** Logins that end while a build runs: their helper is asked again (T-26). */

import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryClient } from '../../src/registry/index.ts';
import { makeImage } from '../support/image.ts';
import { startRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();

describe('a credential helper', () => {
  for (const auth of ['basic', 'bearer'] as const) {
    it(`is asked again by a ${auth} registry that refuses what it had said, else not (T-26)`, async () => {
      await withDirectory(async (directory) => {
        const [helper, asked] = [
          join(directory, 'docker-credential-turn'),
          join(directory, 'asked'),
        ];
        const login = async (password: string): Promise<void> => {
          const answer = JSON.stringify({ Username: 'ann', Secret: password });
          await writeFile(helper, `#!/bin/sh\necho >>${asked}\necho '${answer}'\n`);
          await chmod(helper, 0o755);
        };
        const server = { auth, user: 'ann', password: 'one' };
        const registry = await startRegistry(server);
        const config = { credHelpers: { [registry.host]: 'turn' } };
        await writeFile(join(directory, 'config.json'), JSON.stringify(config));
        const before = process.env['PATH'];
        process.env['PATH'] = `${directory}${delimiter}${before}`;
        const client = createRegistryClient({ places: { dockerConfig: directory }, retryDelay: 1 });
        try {
          registry.add('app', 'v1', await makeImage());
          const reference = parseReference(`${registry.host}/app:v1`);
          const common = { method: 'GET', path: 'manifests/v1', access: 'pull', signal } as const;
          const ask = async (): Promise<number> => {
            const response = await client.request({ ...common, reference });
            response.body.resume();
            return (await readFile(asked, 'utf8')).length;
          };
          await login('one');
          assert.deepEqual([await ask(), await ask()], [1, 1]);
          server.password = 'two';
          registry.revokeTokens();
          await login('two');
          assert.deepEqual([await ask(), await ask()], [2, 2]);
        } finally {
          process.env['PATH'] = before;
          await client.close();
          await registry.close();
        }
      });
    });
  }
});
