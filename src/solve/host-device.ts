/** `--device` of the command line, where it names a file of this machine. */

import { resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';

export interface HostDevice {
  readonly hostPath: string;
  /** In RUN; without `..`. */
  readonly path: string;
}

/**
 * `/dev/NAME[:PATH][:rwm]`, as in docker run and Buildah.
 * @throws ERR_USAGE; for fewer permissions than to read and write, which nothing here could hold back
 */
export function parseHostDevice(text: string): HostDevice {
  const [hostPath = '', ...rest] = text.split(':');
  const permissions = rest.findLast((part) => /^[rwm]+$/.test(part));
  const [path = hostPath, ...others] = rest.filter((part) => part !== permissions);
  const isSmaller = permissions !== undefined && !/r.*w|w.*r/.test(permissions);
  if (others.length > 0 || !hostPath.startsWith('/') || !path.startsWith('/') || isSmaller) {
    throw new TsbuildError('ERR_USAGE', {
      message: `Cannot use "${text}" as a device`,
      details: undefined,
      hint: isSmaller
        ? 'A device can be read and written, or is not there: leave the permissions out.'
        : 'It is /dev/NAME[:PATH], or the name of a CDI device: vendor.com/class=name.',
    });
  }
  return { hostPath, path: resolve(path) };
}
