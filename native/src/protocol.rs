//! Requests and replies: the mirror of `../protocol.ts`, which explains them. No privileges.

mod limits;
mod run;

pub use limits::*;
pub use run::*;
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
    #[serde(rename = "noEmulation", skip_serializing_if = "Option::is_none")]
    pub no_emulation: Option<String>,
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
    Repack(RepackRequest),
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
    pub level: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Deserialize)]
pub struct RepackRequest {
    pub source: PathBuf,
    #[serde(rename = "diffID")]
    pub diff_id: String,
    pub blob: BlobRequest,
}

#[derive(Debug, Serialize)]
pub struct RepackReply {
    pub blob: BlobReply,
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
