//! Every failure of the helper: one variant for each step that can fail. No privileges.

use crate::errno;
use crate::protocol::HelperError;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a system call failed, and with which error.
#[derive(Debug)]
pub struct At {
    pub path: PathBuf,
    pub errno: Errno,
}

/// A failure. The variant's name is the `step` that TypeScript sees; the text is a sentence without a period.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Both halves.
    #[error("The request was cancelled")]
    Cancelled,
    #[error("Cannot understand the request: {0}")]
    Request(String),

    // The data plane.
    #[error("Cannot open {}", quote(&.0.path))]
    Open(At),
    #[error("Cannot read {}", quote(&.0.path))]
    Read(At),
    #[error("Cannot write {}", quote(&.0.path))]
    Write(At),
    #[error("Cannot create {}", quote(&.0.path))]
    Create(At),
    #[error("Cannot rename to {}", quote(&.0.path))]
    Rename(At),
    #[error("Cannot remove {}", quote(&.0.path))]
    Remove(At),
    #[error("Cannot read the metadata of {}", quote(&.0.path))]
    Stat(At),
    #[error("Cannot set the metadata of {}", quote(&.0.path))]
    Metadata(At),
    #[error("Cannot start a thread")]
    Thread(At),
    #[error("The bytes of {} are not the expected ones", quote(.path))]
    DigestMismatch {
        path: PathBuf,
        expected: String,
        found: String,
    },
    #[error("{} was changed while it was read", quote(.path))]
    ContentChanged { path: PathBuf },
    #[error("The archive has an unsafe path {}: {reason}", quote(.path))]
    UnsafePath { path: PathBuf, reason: &'static str },
    #[error("The archive is damaged: {reason}")]
    ArchiveInvalid { path: PathBuf, reason: String },
    #[error("The index is damaged: {reason}")]
    IndexInvalid { path: PathBuf, reason: &'static str },
    #[error("Cannot lock {}", quote(&.0.path))]
    Lock(At),
    /// Which of the request's secrets, not what it is.
    #[error("{} has a secret in it", quote(.path))]
    SecretFound { path: PathBuf, secret: usize },
    #[error("Cannot use the ignore rule {regex:?}")]
    IgnoreRule { regex: String },
    // The sandbox: entering the namespaces.
    #[error("Cannot create a user namespace")]
    UserNamespace(At),
    #[error("Cannot map user and group ids: {reason}")]
    IdMap { at: At, reason: String },
    #[error("Cannot create a mount namespace")]
    MountNamespace(At),
    #[error("Cannot create a PID namespace")]
    PidNamespace(At),
    #[error("Cannot mount a fresh /proc")]
    ProcMount(At),
    #[error("Cannot mount an overlay on {}", quote(&.0.path))]
    OverlayMount(At),

    // The sandbox: a RUN.
    #[error("Cannot start the sandbox {}", quote(&.0.path))]
    SandboxStart(At),
    #[error("Cannot create the namespaces of the sandbox")]
    SandboxNamespaces(At),
    #[error("Cannot create a network namespace")]
    NetworkNamespace(At),
    #[error("Cannot start {} to connect the network", quote(&.0.path))]
    NetworkTool(At),
    #[error("Cannot connect the network with {}: {reason}", quote(&.at.path))]
    Connection { at: At, reason: String },
    #[error("Cannot set up the control group {}", quote(&.0.path))]
    Cgroup(At),
    #[error("Cannot set the limit {}", .0.path.display())]
    CgroupLimit(At),
    #[error("Cannot bring up the loopback device")]
    Loopback(At),
    #[error("Cannot open the layer {}", quote(&.0.path))]
    Layer(At),
    #[error("Cannot prepare the root filesystem in {}", quote(&.0.path))]
    RootFilesystem(At),
    #[error("Cannot open the mount source {}", quote(&.0.path))]
    MountSource(At),
    #[error("Cannot open the mount target {}", quote(&.0.path))]
    MountTarget(At),
    #[error("Cannot offer the ssh agent at {}", quote(&.0.path))]
    Agent(At),
    #[error("Cannot mount on {}", quote(&.0.path))]
    Mount(At),
    #[error("Cannot change the root filesystem")]
    PivotRoot(At),
    #[error("Cannot set the host name")]
    Hostname(At),
    #[error("Cannot change to the working directory {}", quote(&.0.path))]
    WorkingDirectory(At),
    #[error("Cannot set up the standard streams")]
    Streams(At),
    #[error("Cannot set the resource limit \"{}\"", .0.path.display())]
    ResourceLimit(At),
    #[error("Cannot set the capabilities")]
    Capabilities(At),
    #[error("Cannot change to the user or group {}", quote(&.0.path))]
    User(At),
    #[error("Cannot load the seccomp filter")]
    Seccomp(At),
    #[error("Cannot answer for other users and groups")]
    Emulation(At),
    /// What another process of the helper reported; told as it is.
    #[error("{}", .0.message)]
    Reported(Box<HelperError>),
}

impl Error {
    /// The variant's name.
    pub fn step(&self) -> String {
        let debug = format!("{self:?}");
        debug
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect()
    }

    pub fn at(&self) -> (Option<&Path>, Option<Errno>) {
        match self {
            Error::Open(at)
            | Error::Read(at)
            | Error::Write(at)
            | Error::Create(at)
            | Error::Rename(at)
            | Error::Remove(at)
            | Error::Stat(at)
            | Error::Metadata(at)
            | Error::Thread(at)
            | Error::Lock(at)
            | Error::Agent(at)
            | Error::UserNamespace(at)
            | Error::IdMap { at, .. }
            | Error::MountNamespace(at)
            | Error::PidNamespace(at)
            | Error::ProcMount(at)
            | Error::OverlayMount(at)
            | Error::SandboxStart(at)
            | Error::SandboxNamespaces(at)
            | Error::NetworkNamespace(at)
            | Error::NetworkTool(at)
            | Error::Connection { at, .. }
            | Error::Cgroup(at)
            | Error::CgroupLimit(at)
            | Error::Loopback(at)
            | Error::Layer(at)
            | Error::RootFilesystem(at)
            | Error::MountSource(at)
            | Error::MountTarget(at)
            | Error::Mount(at)
            | Error::PivotRoot(at)
            | Error::Hostname(at)
            | Error::WorkingDirectory(at)
            | Error::Streams(at)
            | Error::ResourceLimit(at)
            | Error::Capabilities(at)
            | Error::User(at)
            | Error::Seccomp(at)
            | Error::Emulation(at) => (Some(&at.path), Some(at.errno)),
            Error::DigestMismatch { path, .. }
            | Error::ContentChanged { path }
            | Error::SecretFound { path, .. }
            | Error::UnsafePath { path, .. }
            | Error::ArchiveInvalid { path, .. }
            | Error::IndexInvalid { path, .. } => (Some(path), None),
            Error::Cancelled
            | Error::Request(_)
            | Error::IgnoreRule { .. }
            | Error::Reported(_) => (None, None),
        }
    }

    pub fn to_wire(&self) -> HelperError {
        if let Error::Reported(reported) = self {
            return (**reported).clone();
        }
        let (path, errno) = self.at();
        let (expected, found) = match self {
            Error::DigestMismatch {
                expected, found, ..
            } => (Some(expected.clone()), Some(found.clone())),
            Error::SecretFound { secret, .. } => (None, Some(secret.to_string())),
            _ => (None, None),
        };
        HelperError {
            step: self.step(),
            message: self.to_string(),
            path: path
                .filter(|path| !path.as_os_str().is_empty())
                .map(|path| String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()),
            errno: errno.map(|errno| errno.raw_os_error()),
            errno_name: errno.and_then(errno::name).map(str::to_owned),
            expected,
            found,
        }
    }
}

/// For `map_err`, of `IdMap`, which tells what the tool said.
pub fn id_map<E: IntoErrno>(path: &str, reason: String) -> impl FnOnce(E) -> Error {
    move |error| Error::IdMap {
        at: At {
            path: path.into(),
            errno: error.into_errno(),
        },
        reason,
    }
}

/// For `map_err`, of `Connection`, which tells what the tool said.
pub fn connection<E: IntoErrno>(path: &Path, reason: String) -> impl FnOnce(E) -> Error {
    move |error| Error::Connection {
        at: At {
            path: path.to_owned(),
            errno: error.into_errno(),
        },
        reason,
    }
}

/// For `map_err`: `openat(…).map_err(at(path, Error::Open))`.
pub fn at<P: AsRef<Path>, E: IntoErrno>(
    path: P,
    variant: fn(At) -> Error,
) -> impl FnOnce(E) -> Error {
    move |error| {
        variant(At {
            path: path.as_ref().to_owned(),
            errno: error.into_errno(),
        })
    }
}

/// The two ways in which system calls fail: rustix's and std's.
pub trait IntoErrno {
    fn into_errno(self) -> Errno;
}

impl IntoErrno for Errno {
    fn into_errno(self) -> Errno {
        self
    }
}

impl IntoErrno for std::io::Error {
    fn into_errno(self) -> Errno {
        Errno::from_io_error(&self).unwrap_or(Errno::IO)
    }
}

fn quote(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
