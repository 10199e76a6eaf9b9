/** What a test needs of the machine, and what to say when it is not there. */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** "needs a, b" for the programs that are not installed; undefined when all are. */
export function missing(...programs: readonly string[]): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  const absent = programs.filter(
    (program) => !directories.some((directory) => existsSync(join(directory, program))),
  );
  return absent.length === 0 ? undefined : `needs ${absent.join(', ')}`;
}

/** `it`, or a skip whose title has the reason. */
export function itUnless(reason: string | undefined) {
  return (title: string, test: Mocha.AsyncFunc): Mocha.Test =>
    reason === undefined ? it(title, test) : it.skip(`${title} (skipped: ${reason})`, test);
}

/** `describe`, or a skip of all of it, hooks too, whose title has the reason. */
export function describeUnless(reason: string | undefined) {
  return (title: string, suite: (this: Mocha.Suite) => void): void => {
    if (reason === undefined) describe(title, suite);
    else describe.skip(`${title} (skipped: ${reason})`, suite);
  };
}
