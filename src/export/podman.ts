/** Loads an image into podman, which has no daemon to ask. */

import type { ChildProcess } from 'node:child_process';
import { TsbuildError } from '../errors.ts';
import { streamArchive } from './archive.ts';
import type { ExportOptions, ExportResult } from './export-result.ts';
import { isErrno } from './failure.ts';

/** Enough of what it says to know why it failed. */
const MAX_OUTPUT = 16 * 1024;

/** Resolves when podman has the image, and in any case when it has ended. @throws ERR_OUTPUT_FAILED, or what `missing` says */
export async function loadIntoPodman(
  result: ExportResult,
  options: ExportOptions,
  { missing }: { readonly missing: () => unknown },
): Promise<void> {
  const { signal } = options;
  const { spawn } = await import('node:child_process');
  signal.throwIfAborted();
  const child = spawn('podman', ['load', '--quiet'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-MAX_OUTPUT);
  });
  const ended = endOf(child);
  const kill = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', kill);
  const failure = await streamArchive(child.stdin, result, options).then(
    () => void child.stdin.end(),
    (error: unknown) => {
      child.kill('SIGTERM');
      return error;
    },
  );
  const { error, code } = await ended;
  signal.removeEventListener('abort', kill);
  signal.throwIfAborted();
  if (isErrno(error, 'ENOENT')) throw missing();
  if (code === 0 && failure === undefined) return;
  // Why it ended is the reason for what could not be written.
  const reason = error?.message ?? said.trim();
  throw new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot load the image into podman: ${reason || `it ended with ${code}`}`,
    details: { path: 'podman' },
    cause: error ?? failure,
  });
}

async function endOf(
  child: ChildProcess,
): Promise<{ readonly error: Error | undefined; readonly code: number | null }> {
  return await new Promise((resolve) => {
    let error: Error | undefined;
    child.once('error', (failure) => {
      error = failure;
      // What was never started does not end.
      if (child.pid === undefined) resolve({ error, code: null });
    });
    child.once('close', (code) => resolve({ error, code }));
  });
}
