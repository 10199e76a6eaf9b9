/** What is slow to fetch and the same for every run, kept outside the repository. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BaseLayout, debianLayout } from './debian.ts';

const execute = promisify(execFile);

/** Any npm of this version will do: it only has to be one package with all it needs. */
const NPM = 'npm@11.6.2';

/** A minimal Debian. Takes half a minute the first time. */
export async function cachedDebian(): Promise<BaseLayout> {
  return await debianLayout(await testCache(), 'minbase');
}

/** npm's package, from the registry that the machine's npm uses. */
export async function cachedNpm(): Promise<string> {
  const folder = join(await testCache(), NPM);
  const unpacked = join(folder, 'node_modules/npm');
  if (existsSync(unpacked)) return unpacked;
  const work = `${folder}.${process.pid}`;
  try {
    await mkdir(work);
    // With one of its own, npm does not take a package.json further up for the one meant.
    await writeFile(join(work, 'package.json'), '{}');
    await execute('npm', ['install', '--prefix', work, '--no-save', '--ignore-scripts', NPM]);
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return unpacked;
}

/** `$TSBUILD_TEST_CACHE`, else a directory beside the temporary ones. */
/** The folder of it all; made when it is not there. */
export async function testCache(): Promise<string> {
  const folder = process.env['TSBUILD_TEST_CACHE'] || join(tmpdir(), 'tsbuild-tests');
  await mkdir(folder, { recursive: true });
  return folder;
}
