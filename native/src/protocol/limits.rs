//! Requests and replies about limits: the mirror of `../../protocol-limits.ts`. No privileges.

use serde::{Deserialize, Serialize};

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
