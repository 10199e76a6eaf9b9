/**
 * A layer that occurs twice counts where it is on top: overlay refuses the same directory twice, and
 * all that the lower one says the upper one says again.
 */
export function overlayStack(directories: readonly string[]): string[] {
  return directories.filter((path, number) => directories.indexOf(path, number + 1) === -1);
}
