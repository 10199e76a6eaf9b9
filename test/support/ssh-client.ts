/** OpenSSH's clients for an image without any, and keys to use them with. */

import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const PROGRAMS = ['/usr/bin/ssh-add', '/usr/bin/ssh-keygen'];

/** Copies the programs into a directory, with the libraries that they need where they look for them. */
export async function copySshClient(directory: string): Promise<void> {
  const listed = await execute('ldd', PROGRAMS);
  const libraries = [...listed.stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const path of new Set([...PROGRAMS, ...libraries])) {
    const copy = join(directory, path.replace('/usr/bin/', '/bin/'));
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(path, copy);
    await chmod(copy, 0o755);
  }
}

/** Makes a key without a passphrase; answers how ssh-add lists it, but for its comment. */
export async function makeKey(path: string, passphrase = ''): Promise<string> {
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'test', '-f', path]);
  await chmod(path, 0o644);
  const { stdout } = await execute('ssh-keygen', ['-l', '-f', `${path}.pub`]);
  return stdout.split(' ')[1] ?? '';
}
