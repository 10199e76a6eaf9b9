/** What a build tells while it goes on: the one stream that every progress display reads. */

import type { Digest } from '../oci/digest.ts';
import type { SourceLocation, TsbuildError } from '../errors.ts';

/** Events of one build, in the order they happened. Steps run in parallel: tell them apart by `step`. */
export type BuildEvent =
  | PlanEvent
  | StepStartEvent
  | StepOutputEvent
  | StepStatusEvent
  | StepEndEvent
  | StepErrorEvent
  | NoticeEvent;

/** Which steps there will be, before the first starts. */
export interface PlanEvent {
  readonly kind: 'plan';
  readonly steps: readonly StepInfo[];
}

/** A step as a display names it. Also pulls, exports and other work of the build's own are steps. */
export interface StepInfo {
  /** Counts from 1 in the order of the plan; unique within a build. */
  readonly step: number;
  /** BuildKit's vertex name, e.g. `[build 2/5] RUN make` (MP-5). */
  readonly name: string;
  readonly location: SourceLocation | undefined;
}

export interface StepStartEvent extends StepInfo {
  readonly kind: 'step-start';
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
}

/** Bytes that a RUN wrote, as they came: not cut at line ends. */
export interface StepOutputEvent {
  readonly kind: 'step-output';
  readonly step: number;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** A part of a step's work, such as `pushing layers`: told when it begins, and again when it is done. */
export interface StepStatusEvent {
  readonly kind: 'step-status';
  readonly step: number;
  readonly name: string;
  /** Milliseconds that it took; undefined while it goes on. */
  readonly duration: number | undefined;
}

export interface StepEndEvent {
  readonly kind: 'step-end';
  readonly step: number;
  /** The step's result came from the store, nothing ran. */
  readonly cached: boolean;
  /** Milliseconds. */
  readonly duration: number;
  /** What became of it, e.g. the manifest's digest for an export. */
  readonly detail: string | undefined;
}

/** The step failed; the build will reject with this or an earlier error. */
export interface StepErrorEvent {
  readonly kind: 'step-error';
  readonly step: number;
  readonly error: TsbuildError | undefined;
  /** False when the step was stopped because another failed or the caller aborted. */
  readonly failed: boolean;
}

/** Something the user should know, e.g. which rung of the sandbox runs and why not the one above. */
export interface NoticeEvent {
  readonly kind: 'notice';
  readonly level: 'info' | 'warning';
  readonly message: string;
  readonly location: SourceLocation | undefined;
}

/** What remains of a step in the build's result. */
export interface StepReport {
  readonly name: string;
  readonly cached: boolean;
  /** Milliseconds. */
  readonly duration: number;
  /** The layer that the step made, if it makes one. */
  readonly layer: Digest | undefined;
}
