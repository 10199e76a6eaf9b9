/** Text for stdout. */

/** Waits until it is written: the process ends right afterwards, and a pipe takes its time. */
export async function writeOut(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}
