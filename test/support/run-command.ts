/** The command in a process of its own, from its source. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withDirectory } from './temporary.ts';

export interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const ENTRY = resolve(import.meta.dirname, '../../src/cli/entry.ts');

/** Runs it on a context that has this Dockerfile, with a store of its own. */
export async function runOn(dockerfile: string, ...flags: readonly string[]): Promise<Ended> {
  return await withDirectory(async (folder) => {
    await writeFile(join(folder, 'Dockerfile'), dockerfile);
    return await runIn(folder, ...flags, folder);
  });
}

/** Runs it with these arguments in a directory, in which its store is, too. */
export async function runIn(folder: string, ...argv: readonly string[]): Promise<Ended> {
  return await runWith({}, folder, ...argv);
}

/** The same with further variables. */
export async function runWith(
  variables: Readonly<Record<string, string>>,
  folder: string,
  ...argv: readonly string[]
): Promise<Ended> {
  const own = { PATH: process.env['PATH'], HOME: folder, TSBUILD_STORE: join(folder, 'store') };
  const env = { ...own, ...variables };
  return await new Promise<Ended>((settle) => {
    execFile(process.execPath, [ENTRY, ...argv], { env, cwd: folder }, (error, stdout, stderr) => {
      settle({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}
