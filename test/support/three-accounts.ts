/** Who builds the same cases: an image must not depend on it. */

import type { AccountKind } from './accounts.ts';

export const THREE_ACCOUNTS: readonly {
  readonly name: 'root' | 'user' | 'single';
  readonly title: string;
  readonly kind: AccountKind;
  readonly subids: boolean;
}[] = [
  { name: 'root', title: 'root', kind: 'root', subids: false },
  { name: 'user', title: 'a user with sub-ids', kind: 'user', subids: true },
  { name: 'single', title: 'a user with one id', kind: 'user', subids: false },
];
