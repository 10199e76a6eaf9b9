/** The rungs on which RUNs are tested. */

import { existsSync, statSync } from 'node:fs';
import { whyNoAccount } from './accounts.ts';
import { missing } from './missing.ts';
import { openRunBuilds, type RunBuilds } from './run-builds.ts';

export interface TestRung {
  readonly title: string;
  readonly name: 'root' | 'user' | 'single';
  readonly whyNot: string | undefined;
  readonly open: () => Promise<RunBuilds>;
}

export const RUNGS: readonly TestRung[] = (
  [
    ['root', 'by root', true],
    ['user', 'by a user with sub-ids', true],
    ['single', 'by a user with one id', false],
  ] as const
).map(([name, title, subids]) => {
  const kind = name === 'root' ? 'root' : 'user';
  return {
    title,
    name,
    whyNot: whyNoAccount(kind) ?? missing('busybox'),
    open: () => openRunBuilds(kind, { subids }),
  };
});

/** Why a RUN cannot have a network of its own. Root opens any device; others this one where udev has let them. */
export function whyNoTun(name: TestRung['name']): string | undefined {
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  const isOpen = name === 'root' || (statSync('/dev/net/tun').mode & 0o006) === 0o006;
  return isOpen ? undefined : 'needs /dev/net/tun to be open to users';
}
