//! What a RUN is told, and what it tells: of `../../protocol.ts`, too. No privileges.

use super::CgroupSpec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    #[serde(rename = "deviceNodes", skip_serializing_if = "Option::is_none")]
    pub device_nodes: Option<DeviceNodes>,
    /// From the helper to the sandbox alone: the control group in which the devices are told apart.
    #[serde(rename = "deviceGroup", skip_serializing_if = "Option::is_none")]
    pub device_group: Option<PathBuf>,
    pub process: ProcessSpec,
}

/// Which device nodes of the root filesystem open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceNodes {
    Listed,
    Any,
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
    Device(DeviceNode),
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
pub struct DeviceNode {
    pub name: PathBuf,
    pub target: PathBuf,
    #[serde(default)]
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
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

fn is_zero(count: &u64) -> bool {
    *count == 0
}
