//! Requests and replies: the mirror of `../protocol.ts`, which explains them. No privileges.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub const PROTOCOL_VERSION: u32 = 2;

/// The `kind` byte of a frame.
pub mod frame {
    pub const REQUEST: u8 = 0;
    pub const REPLY: u8 = 1;
    pub const ERROR: u8 = 2;
    pub const STDOUT: u8 = 3;
    pub const STDERR: u8 = 4;
    pub const CANCEL: u8 = 5;
    pub const HELLO: u8 = 6;
}

/// Which of a RUN's streams some output belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug, Serialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    Root,
    Subids,
    Single,
}

impl Mode {
    pub fn parse(word: &str) -> Option<Mode> {
        match word {
            "plain" => Some(Mode::Plain),
            "root" => Some(Mode::Root),
            "subids" => Some(Mode::Subids),
            "single" => Some(Mode::Single),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
pub enum Request {
    Scan(ScanRequest),
    Compose(ComposeRequest),
    Extract(ExtractRequest),
    Run(Box<RunRequest>),
    Remove(RemoveRequest),
    Limits(LimitsRequest),
    Lock(LockRequest),
    Unlock(UnlockRequest),
}

#[derive(Debug, Deserialize)]
pub struct ScanRequest {
    pub source: ScanSource,
    pub index: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ScanSource {
    Directory(ScanDirectory),
    Archive(ScanArchive),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanDirectory {
    pub path: PathBuf,
    pub format: DirectoryFormat,
    #[serde(default)]
    pub ignore: Vec<IgnoreRule>,
    pub stat_cache: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryFormat {
    Context,
    Layer,
}

#[derive(Debug, Deserialize)]
pub struct IgnoreRule {
    pub regex: String,
    pub negated: bool,
}

#[derive(Debug, Deserialize)]
pub struct ScanArchive {
    pub path: PathBuf,
    pub format: ArchiveFormat,
    pub tar: Option<PathBuf>,
    pub digest: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveFormat {
    Layer,
    Files,
}

#[derive(Debug, Serialize)]
pub struct ScanReply {
    pub archive: bool,
    pub index: IndexSummary,
    pub unpacked: bool,
    pub sockets: Vec<String>,
    pub unreadable: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct IndexSummary {
    pub entries: u64,
    pub size: u64,
    pub identity: String,
}

#[derive(Debug, Deserialize)]
pub struct ComposeRequest {
    pub list: PathBuf,
    pub roots: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    pub index: Option<PathBuf>,
    pub blob: Option<BlobRequest>,
    pub directory: Option<PathBuf>,
    #[serde(default)]
    pub secrets: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct BlobRequest {
    pub path: PathBuf,
    pub compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Serialize)]
pub struct ComposeReply {
    pub index: IndexSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobReply>,
}

#[derive(Debug, Clone, Serialize)]
pub struct BlobReply {
    pub digest: String,
    #[serde(rename = "diffID")]
    pub diff_id: String,
    pub size: u64,
}

#[derive(Debug, Deserialize)]
pub struct ExtractRequest {
    pub blob: PathBuf,
    pub digest: String,
    #[serde(rename = "diffID")]
    pub diff_id: String,
    pub index: PathBuf,
    pub directory: Option<PathBuf>,
    pub tar: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
pub struct ExtractReply {
    pub index: IndexSummary,
}

#[derive(Debug, Deserialize)]
pub struct RemoveRequest {
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
pub struct RemoveReply {}

#[derive(Debug, Deserialize)]
pub struct LockRequest {
    pub path: PathBuf,
    pub shared: bool,
    pub wait: bool,
}

#[derive(Debug, Serialize)]
pub struct LockReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct UnlockRequest {
    pub lock: u64,
}

#[derive(Debug, Serialize)]
pub struct UnlockReply {}

#[derive(Debug, Serialize, Deserialize)]
pub struct RunRequest {
    pub layers: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
    pub root: PathBuf,
    pub mounts: Vec<MountOperation>,
    pub hostname: String,
    pub network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<CgroupSpec>,
    pub process: ProcessSpec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Host,
    None,
    Private,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub tool: ConnectionTool,
    pub program: PathBuf,
    pub place: PathBuf,
    pub host_loopback: bool,
    pub resolver: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionTool {
    Pasta,
    Slirp4netns,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CgroupSpec {
    pub parent: Option<String>,
    pub memory: Option<u64>,
    pub memory_swap: Option<i64>,
    pub cpu_shares: Option<u64>,
    pub cpu_quota: Option<i64>,
    pub cpu_period: Option<u64>,
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
    pub pids: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct LimitsRequest {
    pub cgroup: CgroupSpec,
}

#[derive(Debug, Serialize)]
pub struct LimitsReply {
    pub refused: Vec<RefusedLimit>,
}

#[derive(Debug, Serialize)]
pub struct RefusedLimit {
    pub controller: String,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ProcessSpec {
    pub argv: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProfile>,
    #[serde(default, rename = "emulateIDs")]
    pub emulate_ids: bool,
    pub limits: Vec<ResourceLimit>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ResourceLimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SeccompProfile {
    pub rules: Vec<SeccompRule>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SeccompRule {
    pub names: Vec<String>,
    pub errno: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Vec<SeccompCondition>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SeccompCondition {
    pub argument: u8,
    pub mask: u64,
    pub operator: SeccompOperator,
    pub value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompOperator {
    Equal,
    NotEqual,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MountOperation {
    Bind {
        source: PathBuf,
        target: PathBuf,
        readonly: bool,
        recursive: bool,
        flags: Vec<MountFlag>,
    },
    Tmpfs {
        target: PathBuf,
        mode: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        readonly: bool,
        flags: Vec<MountFlag>,
    },
    Overlay {
        layers: Vec<PathBuf>,
        #[serde(skip_serializing_if = "Option::is_none")]
        upper: Option<PathBuf>,
        #[serde(skip_serializing_if = "Option::is_none")]
        work: Option<PathBuf>,
        subpath: PathBuf,
        target: PathBuf,
        readonly: bool,
    },
    Proc {
        target: PathBuf,
    },
    /// As much of /sys as the sandbox's network namespace has.
    Sysfs {
        target: PathBuf,
    },
    Cgroup {
        target: PathBuf,
    },
    Mqueue {
        target: PathBuf,
    },
    Devpts {
        target: PathBuf,
    },
    Device {
        name: String,
        target: PathBuf,
    },
    Symlink {
        target: PathBuf,
        to: String,
    },
    Directory {
        target: PathBuf,
        mode: u32,
    },
    Stub {
        target: PathBuf,
    },
    File {
        target: PathBuf,
        content: String,
        mode: u32,
        uid: u32,
        gid: u32,
        readonly: bool,
        flags: Vec<MountFlag>,
    },
    Agent(AgentMount),
    Mask {
        target: PathBuf,
    },
    Readonly {
        target: PathBuf,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AgentMount {
    pub socket: PathBuf,
    pub listen: PathBuf,
    pub target: PathBuf,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountFlag {
    Nosuid,
    Nodev,
    Noexec,
}

#[derive(Debug, Serialize)]
pub struct RunReply {
    #[serde(rename = "exitCode")]
    pub exit_code: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    #[serde(rename = "oomKills", skip_serializing_if = "is_zero")]
    pub oom_kills: u64,
    #[serde(rename = "pidsRefused", skip_serializing_if = "is_zero")]
    pub pids_refused: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The payload of an error frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelperError {
    pub step: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}
