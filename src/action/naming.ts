/** Failures of the command line, with the names that a workflow has for what it says. */

import { TsbuildError } from '../index.ts';

/** The failure, naming the input; anything but a TsbuildError comes back as it was. */
export function withInput(error: unknown, input: string): unknown {
  if (!(error instanceof TsbuildError) || error.message.includes(`input "${input}"`)) return error;
  const { code, message, details, hint, cause } = error;
  return new TsbuildError(code, {
    message: `${message} (the input "${input}")`,
    ...{ details, hint, cause },
  });
}

/** What `read` reads of an input. @throws what it throws, naming the input */
export function readNamed<T>(input: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw withInput(error, input);
  }
}
