/** What the planners of single instructions share. */

import type { SourceLocation } from '../errors.ts';
import type { GlobalArgs } from './global-args.ts';
import type { HistoryEntry } from './history.ts';
import type { DeviceOffers } from './plan-devices.ts';
import type { StageState } from './stage-state.ts';
import type { CopyOrigin } from './step.ts';

/** Finds what a `--from` means; waits for images and for the stages it needs. */
export type FindOrigin<Image> = (
  name: string,
  request: { readonly stage: StageState<Image>; readonly location: SourceLocation } & (
    | { readonly kind: 'copy' }
    | { readonly kind: 'mount'; readonly target: string }
  ),
) => Promise<CopyOrigin<Image> | undefined>;

/** The build context, where a `--from` is not given. */
export const CONTEXT = Object.freeze({ kind: 'context' } as const);

/** Where an instruction stands, and what the build is like around it. */
export interface Planning<Image> {
  readonly args: GlobalArgs;
  /** The network of RUNs that do not say. */
  readonly network: 'default' | 'none' | 'host' | 'private';
  readonly allow: ReadonlySet<string>;
  /** Undefined: nobody looks at the machine's. */
  readonly devices: DeviceOffers | undefined;
  readonly findOrigin: FindOrigin<Image>;
  readonly location: SourceLocation;
  /** The display name; takes the next number of the stage. */
  readonly nextName: () => string;
  /** The instruction in one line, without a number. */
  readonly text: string;
}

/** The fields that all steps have. */
export function stepBase<Image>(
  state: StageState<Image>,
  planning: Planning<Image>,
  step: { readonly name: string; readonly history: HistoryEntry | undefined },
): {
  readonly location: SourceLocation;
  readonly name: string;
  readonly history: HistoryEntry | undefined;
  readonly ignoreCache: boolean;
} {
  return { location: planning.location, ignoreCache: state.ignoreCache, ...step };
}
