/** How package managers reach what this machine's reach, as files that a build can take as secrets. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Where Debian keeps what it trusts. */
const DEBIAN_CA = '/etc/ssl/certs/ca-certificates.crt';

/** Where RUNs that mount the secret `ca` have it. */
const CA = '/run/secrets/ca';

/**
 * The flags that hand over the machine's registries and the authorities it trusts: the secrets `npmrc`,
 * `pipconf`, `goenv` and `ca`, and its proxies. No registry's name gets into the image or a cache key.
 */
export async function machineAccess(folder: string): Promise<readonly string[]> {
  const ca = await trusted();
  const files = {
    ca: ca === undefined ? '' : undefined,
    npmrc: lines(`registry=${await npmConfig('registry')}`, ca && `cafile=${CA}`),
    pipconf: lines('[global]', ...(await pipConfig()), ca && `cert = ${CA}`),
    goenv: await goConfig(),
  };
  for (const [id, content] of Object.entries(files)) {
    const file = join(folder, id);
    if (content !== undefined) await writeFile(file, content);
    else if (ca !== undefined) await copyFile(ca, file);
    await chmod(file, 0o644);
  }
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy'].filter((name) => process.env[name]);
  return [
    ...Object.keys(files).flatMap((id) => ['--secret', `id=${id},src=${join(folder, id)}`]),
    ...proxies.flatMap((name) => ['--build-arg', `${name}=${process.env[name]}`]),
  ];
}

/** A file of certificates; undefined when there is none to be found. */
async function trusted(): Promise<string | undefined> {
  const paths = [await npmConfig('cafile'), process.env['NODE_EXTRA_CA_CERTS'] ?? '', DEBIAN_CA];
  return paths.find((path) => path !== '' && existsSync(path));
}

/** One setting of npm's; empty when it has none. */
async function npmConfig(name: string): Promise<string> {
  const value = await output('npm', 'config', 'get', name);
  return value === 'null' || value === 'undefined' ? '' : value;
}

/** pip's settings of indexes, wherever they come from. */
async function pipConfig(): Promise<readonly string[]> {
  const listed = await output('pip', 'config', 'list');
  const setting = /^\S+\.((?:extra-)?index-url|trusted-host|(?:default-)?timeout)='(.*)'$/gm;
  return [...listed.matchAll(setting)].map(([, name, value]) => `${name} = ${value}`);
}

/** Go's settings of proxies, as its own file has them. */
async function goConfig(): Promise<string> {
  const names = ['GOPROXY', 'GONOPROXY', 'GOSUMDB', 'GONOSUMDB', 'GOPRIVATE', 'GOINSECURE'];
  const values = (await output('go', 'env', ...names)).split('\n');
  return lines(...names.map((name, at) => values[at] && `${name}=${values[at]}`));
}

/** What a program prints; nothing when there is no such program. */
async function output(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, [...args]).catch(() => ({ stdout: '' }));
  return stdout.trim();
}

function lines(...texts: readonly (string | undefined)[]): string {
  return texts.flatMap((text) => (text ? [`${text}\n`] : [])).join('');
}
