/** The helper: bytes and system calls, behind typed requests. */

export { endsWell } from './ends-well.ts';
export {
  type CallOptions,
  type Helper,
  type HelperOptions,
  openHelper,
  type OutputStream,
  type RunOptions,
} from './helper.ts';
export { locateHelper } from './locate.ts';
export type {
  BlobFacts,
  BlobTarget,
  CgroupSpec,
  ComposeReply,
  ComposeRequest,
  Compression,
  Connection,
  ExtractReply,
  ExtractRequest,
  HelperMode,
  IgnoreRule,
  IndexSummary,
  MountFlag,
  MountOperation,
  ProcessSpec,
  RemoveRequest,
  RepackRequest,
  ResourceLimit,
  RunReply,
  RunRequest,
  ScanArchive,
  ScanDirectory,
  ScanReply,
  ScanRequest,
  SeccompCondition,
  SeccompProfile,
  SeccompRule,
} from './protocol.ts';
