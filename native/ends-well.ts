/** Executes a file that was made for it, to see whether the kernel can. */

import { spawn } from 'node:child_process';

/** Long enough for an emulator on a busy machine; the program itself takes no time. */
const PATIENCE = 10_000;

/** Whether a program ends with exit code 0. Settles when its process is gone; rejects only by the signal. */
export async function endsWell(
  file: string,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<boolean> {
  signal.throwIfAborted();
  const ended = await new Promise<boolean>((resolve) => {
    // Some libraries give what the kernel does not know to a shell: whatever that writes goes with the folder.
    const child = spawn(file, [], {
      cwd: folder,
      env: {},
      stdio: 'ignore',
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
      signal,
    });
    child.on('error', () => {
      if (child.pid === undefined) resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
  signal.throwIfAborted();
  return ended;
}
