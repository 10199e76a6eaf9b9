/** `--ssh` to agents: sockets and keys by id (RUN-22). */

import { TsbuildError } from '../index.ts';
import { splitPair } from './values.ts';
import type { Environment } from './environment.ts';

/**
 * `default` or another id for the agent of SSH_AUTH_SOCK, `ID=SOCKET`, `ID=KEY[,KEY]`.
 * @throws ERR_SSH_MISSING when the agent of SSH_AUTH_SOCK is wanted and there is none
 */
export function readSsh(
  flags: readonly string[],
  environment: Environment,
): Readonly<Record<string, readonly string[]>> | undefined {
  if (flags.length === 0) return undefined;
  return Object.fromEntries(
    flags.map((flag): readonly [string, readonly string[]] => {
      const [id, paths] = splitPair(flag);
      const named = paths.split(',').filter((path) => path !== '');
      return [id || 'default', named.length > 0 ? named : [ownAgent(id, environment)]];
    }),
  );
}

function ownAgent(id: string, { SSH_AUTH_SOCK: socket }: Environment): string {
  if (socket) return socket;
  throw new TsbuildError('ERR_SSH_MISSING', {
    message: 'Cannot find the ssh agent: SSH_AUTH_SOCK is not set',
    details: { id: id || 'default' },
    hint: `Start one with 'eval "$(ssh-agent)"', or name a key: --ssh ${id || 'default'}=KEYFILE.`,
  });
}
