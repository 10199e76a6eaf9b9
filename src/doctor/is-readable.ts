/** Whether this user may read a file, or run it. */

import { access, constants } from 'node:fs/promises';

export async function isReadable(path: string, mode = constants.R_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
