/** What the doctor says: findings, in groups. docs/doctor.md describes their JSON. */

/** `ok`: it works. `warn`: something works less well than it could. `no`: it does not. `info`: neither. */
export type FindingStatus = 'ok' | 'warn' | 'no' | 'info';

export type FindingGroup = 'run' | 'machine' | 'store' | 'platforms' | 'network' | 'registries';

export interface Finding {
  /** Stable, for programs: `rung.root`, `store`, `cgroups`, … */
  readonly id: string;
  readonly group: FindingGroup;
  readonly status: FindingStatus;
  /** A line for people, without secrets. */
  readonly text: string;
  /** The one command, or the setting to change. */
  readonly fix?: string;
  /** The same for programs; which fields there are depends on the id. */
  readonly details?: FindingDetails;
}

export type FindingDetails = Readonly<Record<string, FindingValue>>;
export type FindingValue =
  | string
  | number
  | boolean
  | null
  | readonly FindingValue[]
  | { readonly [name: string]: FindingValue };
