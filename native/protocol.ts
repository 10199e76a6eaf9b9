/**
 * Requests and replies between TypeScript and the helper; `src/protocol.rs` is its mirror.
 *
 * Wire format: the helper's stdin carries requests, its stdout everything that comes back, both as
 * frames. Its stderr is for panics only.
 *
 *     frame := length:u32le kind:u8 id:u32le payload     (length counts the payload alone)
 *     kind  := 0 request (JSON)   1 reply (JSON)   2 error (JSON)   3 stdout bytes   4 stderr bytes
 *              5 cancel (empty)   6 hello (JSON, id 0, the helper's first frame)
 *
 * Requests run concurrently; each is answered by exactly one reply or error with its id. Cancel asks
 * a request to end early: it is then answered by an error "Cancelled", after its process is gone.
 * End of stdin ends the helper, and with it every process and mount it made.
 *
 * Bulk bytes and indexes cross by path. All paths are absolute unless said otherwise.
 */

import type { BlobFacts, BlobTarget, RepackRequest } from './protocol-blobs.ts';
import type { CgroupSpec, LimitsRequest } from './protocol-limits.ts';
import type { MountOperation } from './protocol-mounts.ts';

export type {
  BlobFacts,
  BlobTarget,
  Compression,
  RepackReply,
  RepackRequest,
} from './protocol-blobs.ts';
export type { CgroupSpec, LimitsReply, LimitsRequest } from './protocol-limits.ts';
export type { MountFlag, MountOperation } from './protocol-mounts.ts';

/** Checked at the handshake: a helper that speaks another number is refused. */
export const PROTOCOL_VERSION = 2;

/** What the helper says first. */
export interface Hello {
  readonly protocol: number;
  readonly version: string;
  /** In the mode `single`, why other ids cannot be emulated here: the name of an errno. Absent: they can. */
  readonly noEmulation?: string;
}

/**
 * Which namespaces the helper enters before its hello (argv: `serve MODE [UIDMAP GIDMAP] [SCRATCH]`).
 *
 * - `plain`: none. Serves scan, compose, extract (to an index alone), remove of one's own files.
 * - `root`: mount and PID namespace, for uid 0.
 * - `subids`: user namespace mapped by newuidmap/newgidmap, mount and PID namespace.
 * - `single`: user namespace in which only uid 0 and gid 0 exist, mount and PID namespace.
 *
 * UIDMAP and GIDMAP are `inside:outside:count[,…]`. In the last three modes an overlay is mounted
 * and unmounted below SCRATCH as a probe. What fails is told by an error frame with id 0 instead of
 * the hello, and the helper exits.
 */
export type HelperMode = 'plain' | 'root' | 'subids' | 'single';

export type Request =
  | ScanRequest
  | ComposeRequest
  | ExtractRequest
  | RunRequest
  | RemoveRequest
  | RepackRequest
  | LimitsRequest
  | LockRequest
  | UnlockRequest;

/** A directory or archive becomes an index. */
export interface ScanRequest {
  readonly verb: 'scan';
  readonly source: ScanDirectory | ScanArchive;
  /** Where the index goes; its directory exists. */
  readonly index: string;
}

export interface ScanDirectory {
  readonly kind: 'directory';
  readonly path: string;
  /** `context`: a user's files. `layer`: a directory in overlay format, whiteouts and opaque marks are read. */
  readonly format: 'context' | 'layer';
  /** For `context`: what to leave out, in order; the last rule that matches a path or a parent of it decides. */
  readonly ignore: readonly IgnoreRule[];
  /** For `context`: a file that remembers digests by (device, inode, size, mtime, ctime); written anew. */
  readonly statCache?: string;
}

/** `regex` is searched in the path relative to the root, without a leading slash: it has its own anchors. */
export interface IgnoreRule {
  readonly regex: string;
  /** True for a `!` rule: what matches is kept. */
  readonly negated: boolean;
}

/**
 * A tar, plain or compressed with gzip, bzip2, xz or zstd (told by content). The index's file entries
 * get a source of kind `range` or `sparse` in file 0, which is `tar` if given, else the archive itself (plain only).
 */
export interface ScanArchive {
  readonly kind: 'archive';
  readonly path: string;
  /** `layer`: `.wh.` names are whiteouts. `files`: they are files like others. */
  readonly format: 'layer' | 'files';
  /** Where the uncompressed bytes go, when the archive is compressed and its members are wanted. */
  readonly tar?: string;
  /** Of the archive's own bytes: with others it fails with ERR_CONTEXT_CHANGED. */
  readonly digest?: string;
}

export interface ScanReply {
  /** Of an archive: false when the file is none; then nothing was written. Of a directory: false. */
  readonly archive: boolean;
  readonly index: IndexSummary;
  /** Of an archive: whether `tar` was written (it was compressed). */
  readonly unpacked: boolean;
  /** Of a directory: the sockets in it, which are left out; at most a hundred. */
  readonly sockets: readonly string[];
  /** Of a context: byte strings of what may not be read, which is not listed, nor is what is below it. */
  readonly unreadable: readonly string[];
}

/** What there is to say of an index. */
export interface IndexSummary {
  readonly entries: number;
  /** Sum of file sizes, bytes. */
  readonly size: number;
  /** sha256 digest over the entries without mtimes (src/tree/README.md). */
  readonly identity: string;
}

/** An entry list becomes a layer: any of an index, a blob, a directory, in one pass over the bytes. */
export interface ComposeRequest {
  readonly verb: 'compose';
  /** An index whose file entries have sources. */
  readonly list: string;
  /** Directories that `path` sources are relative to. A symlink below one is never followed. */
  readonly roots: readonly string[];
  /** Files that `range` sources point into. */
  readonly files: readonly string[];
  /** The layer's index: the list with every digest, without sources. */
  readonly index?: string;
  readonly blob?: BlobTarget;
  /** A directory that does not exist yet; filled in overlay format. */
  readonly directory?: string;
  /** What must not be in the layer, as base64: fails with `SecretFound`, whose `found` is a place in this list. */
  readonly secrets?: readonly string[];
}

export interface ComposeReply {
  readonly index: IndexSummary;
  /** Present when a blob was asked for. */
  readonly blob?: BlobFacts;
}

/** A layer blob, verified, becomes a directory in overlay format and an index. */
export interface ExtractRequest {
  readonly verb: 'extract';
  readonly blob: string;
  readonly digest: string;
  readonly diffID: string;
  readonly index: string;
  /** A directory that does not exist yet. Without it only the index is made. */
  readonly directory?: string;
  /** Where the uncompressed tar goes, when its members are wanted. */
  readonly tar?: string;
}

export interface ExtractReply {
  readonly index: IndexSummary;
}

/** A command in a sandbox. What it wrote is left in `upper`, in overlay format. */
export interface RunRequest {
  readonly verb: 'run';
  /** Layer directories, lowest first. */
  readonly layers: readonly string[];
  /** Empty directories on one filesystem. */
  readonly upper: string;
  readonly work: string;
  /** Where the root filesystem is put together; an empty directory. */
  readonly root: string;
  /** Performed in order, in the new root. */
  readonly mounts: readonly MountOperation[];
  readonly hostname: string;
  /**
   * `host`: the helper's. `none`: a new network namespace with only the loopback device, up.
   * `private`: a new one with the address 10.0.2.100, made by `connection`.
   */
  readonly network: 'host' | 'none' | 'private';
  readonly connection?: Connection | undefined;
  /** What this machine does not let us limit is left out: `limits` says what that is. */
  readonly cgroup?: CgroupSpec | undefined;
  /**
   * Which device nodes open that are in the root filesystem, made by the command or an image. Absent: none.
   * `listed`: those of the devices that are mounted, and of terminals; none where the machine has no control
   * groups of version 2 for root to tell devices apart with. `any`: for a RUN with every privilege.
   */
  readonly deviceNodes?: 'listed' | 'any';
  readonly process: ProcessSpec;
}

/** How a private network gets out: gateway 10.0.2.2. The program ends with the RUN. */
export interface Connection {
  readonly tool: 'pasta' | 'slirp4netns';
  /** Its path. */
  readonly program: string;
  /** A file to be made, in a directory of this RUN alone; the namespace is mounted there meanwhile. */
  readonly place: string;
  /** The gateway leads to the host's own services. */
  readonly hostLoopback: boolean;
  /** 10.0.2.3 answers for the host's resolver; that one itself then seems not to. */
  readonly resolver: boolean;
}

export interface ProcessSpec {
  /** `argv[0]` without a slash is looked up in the PATH of `env`, in the sandbox. */
  readonly argv: readonly string[];
  /** `NAME=value`, in order. */
  readonly env: readonly string[];
  /** Made (0755, 0:0) when missing. */
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Bounding, effective and permitted set, e.g. `CAP_CHOWN`. */
  readonly capabilities: readonly string[];
  /** Undefined: no filter. */
  readonly seccomp?: SeccompProfile;
  /**
   * The process stays root to the kernel; the helper answers the calls that tell and change ids, and
   * keeps owners beside the files. For mode `single`.
   */
  readonly emulateIDs?: boolean;
  readonly limits: readonly ResourceLimit[];
}

/** `name` as in prlimit(1), lower case: `nofile`, `nproc`, … A negative number: unlimited. */
export interface ResourceLimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/**
 * Which system calls fail. A call that no rule names is allowed when the helper knows its number,
 * else it fails with ENOSYS, so that newer kernels' calls are not let through unseen.
 */
export interface SeccompProfile {
  readonly rules: readonly SeccompRule[];
}

/** The named calls fail with `errno` (number), always or when every condition holds. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly errno: number;
  readonly when?: readonly SeccompCondition[];
}

/** `argument & mask` compared with `value`; numbers are unsigned, at most 2^53. */
export interface SeccompCondition {
  readonly argument: number;
  readonly mask: number;
  readonly operator: 'equal' | 'not-equal';
  readonly value: number;
}

export interface RunReply {
  /** The exit code; 128 + the signal when a signal ended it. */
  readonly exitCode: number;
  readonly signal?: number;
  /** Of a RUN with a `cgroup`: processes that the kernel ended for want of memory; absent for none. */
  readonly oomKills?: number;
  /** And how often a new process was refused. */
  readonly pidsRefused?: number;
}

/** Deletes trees, whoever owns what is in them. What does not exist is deleted already. */
export interface RemoveRequest {
  readonly verb: 'remove';
  readonly paths: readonly string[];
}

/**
 * Locks a file, which is made if it is missing, against other processes (flock(2)). It stays locked until
 * `unlock`, or until the helper ends in whatever way.
 */
export interface LockRequest {
  readonly verb: 'lock';
  readonly path: string;
  /** Others may have it, too, if they share it. */
  readonly shared: boolean;
  /** Wait until nobody else has it; else the reply may say that it is taken. */
  readonly wait: boolean;
}

export interface LockReply {
  /** What to unlock; missing when somebody else has it. */
  readonly lock?: number;
}

export interface UnlockRequest {
  readonly verb: 'unlock';
  readonly lock: number;
}

/** The payload of an error frame. */
export interface HelperError {
  /** The step that failed: a variant of `error.rs`, e.g. `OverlayMount`, `DigestMismatch`, `Cancelled`. */
  readonly step: string;
  /** A sentence: what could not be done. */
  readonly message: string;
  readonly path?: string;
  /** The errno number and its name, e.g. 1 and `EPERM`. */
  readonly errno?: number;
  readonly errnoName?: string;
  /** Of a mismatch. */
  readonly expected?: string;
  readonly found?: string;
}
