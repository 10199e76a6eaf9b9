import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseReference } from '../../src/oci/reference.ts';
import { Progress } from '../../src/progress/progress.ts';
import { openSession } from '../../src/solve/session.ts';
import { makeImage } from '../support/image.ts';
import { startRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

describe('openSession()', () => {
  it("logs in with the config.json of docker's config directory", async () => {
    const registry = await startRegistry({ auth: 'basic', user: 'ann', password: 'secret' });
    try {
      registry.add('app', 'v1', await makeImage());
      await withDirectory(async (folder) => {
        const dockerConfig = join(folder, '.docker');
        await mkdir(dockerConfig);
        const auth = Buffer.from('ann:secret').toString('base64');
        const config = JSON.stringify({ auths: { [registry.host]: { auth } } });
        await writeFile(join(dockerConfig, 'config.json'), config);
        const { signal } = new AbortController();
        const session = await openSession({
          store: join(folder, 'store'),
          helper: HELPER,
          dockerConfig,
          machine: { uid: 1, gid: 1, user: 'nobody' },
          concurrency: 1,
          ssh: {},
          progress: new Progress(undefined),
          signal,
        });
        try {
          const reference = parseReference(`${registry.host}/app:v1`);
          const what = { method: 'GET', path: 'manifests/v1', access: 'pull' } as const;
          const { status, body } = await session.client.request({ ...what, reference, signal });
          body.destroy();
          assert.equal(status, 200);
        } finally {
          await session.close();
        }
      });
    } finally {
      await registry.close();
    }
  });
});
