/** The public API: exports, nothing else. */

export { build } from './build.ts';
export { check, type CheckResult, fix, type FixResult, type LintWarning } from './check.ts';
export {
  type Amount,
  type ContextExplanation,
  type ContextFile,
  type ContextListing,
  type ContextOptions,
  type ContextRule,
  type ContextTotals,
  type ContextUse,
  type ContextWarning,
  explainContextPath,
  listContext,
  type RuleMatch,
} from './context-ls.ts';
export {
  type ErrorCode,
  type ErrorDetails,
  hasCode,
  type Position,
  type SourceLocation,
  type SourceRange,
  suggest,
  TsbuildError,
} from './errors.ts';
export {
  type BytesDifference,
  type BytesFacts,
  type Change,
  type Difference,
  DIFFERENCE_GROUPS,
  type DifferenceGroup,
  type DocumentValue,
  type FileDifference,
  type FileFacts,
  type FileField,
  type FirstDifference,
  type LayerDifference,
  type LayerFacts,
  type ValueDifference,
} from './diff/difference.ts';
export type { DifferenceCounts } from './diff/differences.ts';
export { diffImages, type DiffOptions, type DiffSide, type ImageDiff } from './diff/diff-images.ts';
export {
  doctor,
  type DoctorOptions,
  type DoctorReport,
  type Finding,
  type FindingDetails,
  type FindingGroup,
  type FindingStatus,
  type FindingValue,
} from './doctor/doctor.ts';
export { createIndex, type IndexOptions, type IndexResult } from './create-index.ts';
export type { Given } from './context/source.ts';
export type { Descriptor } from './oci/descriptor.ts';
export type { Digest, DiffID } from './oci/digest.ts';
export type { ContainerConfig, History, ImageConfig } from './oci/image.ts';
export type { RegistryOutputOptions } from './options.ts';
export type { BuildOptions, BuildResult, PlatformResult, Resources } from './options.ts';
export {
  type BuildOutline,
  type BuildTarget,
  outline,
  type OutlineArg,
  type OutlineCache,
  type OutlineMount,
  type OutlineResult,
  targets,
  type TargetsResult,
} from './outline.ts';
export { countText, filesText, sizeText } from './progress/amounts.ts';
export type {
  BuildEvent,
  NoticeEvent,
  PlanEvent,
  StepEndEvent,
  StepErrorEvent,
  StepInfo,
  StepOutputEvent,
  StepReport,
  StepStartEvent,
  StepStatusEvent,
} from './progress/event.ts';
export { push, type PushOptions, type PushResult } from './push.ts';
export { plainProgress } from './progress/plain.ts';
export type { UnseenImage } from './unseen-images.ts';
