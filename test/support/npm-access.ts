/** How npm reaches its registry on this machine, as files that a build can take as secrets. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Where Debian keeps what it trusts. */
const DEBIAN_CA = '/etc/ssl/certs/ca-certificates.crt';

/**
 * The flags that hand over the machine's registry and the authorities it trusts: the secrets `npmrc`
 * and `ca`, and its proxies. The registry's name gets neither into the image nor into a cache key.
 */
export async function npmAccess(folder: string): Promise<readonly string[]> {
  const npmrc = join(folder, 'npmrc');
  const ca = join(folder, 'ca.pem');
  const trusted = [await npmConfig('cafile'), process.env['NODE_EXTRA_CA_CERTS'] ?? '', DEBIAN_CA];
  const found = trusted.find((path) => path !== '' && existsSync(path));
  if (found === undefined) await writeFile(ca, '');
  else await copyFile(found, ca);
  const lines = [`registry=${await npmConfig('registry')}`];
  if (found !== undefined) lines.push('cafile=/run/secrets/ca');
  await writeFile(npmrc, `${lines.join('\n')}\n`);
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy'].filter((name) => process.env[name]);
  return [
    ...['--secret', `id=npmrc,src=${npmrc}`, '--secret', `id=ca,src=${ca}`],
    ...proxies.flatMap((name) => ['--build-arg', `${name}=${process.env[name]}`]),
  ];
}

/** One setting of npm's; empty when it has none. */
async function npmConfig(name: string): Promise<string> {
  const { stdout } = await execute('npm', ['config', 'get', name]);
  const value = stdout.trim();
  return value === 'null' || value === 'undefined' ? '' : value;
}
