//! Limits in the words of cgroup v1 and v2. Pure.

use crate::protocol::CgroupSpec;

/// A file of a group and what to write to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub file: &'static str,
    pub value: String,
    /// What the user calls it.
    pub limit: &'static str,
}

/// docker's period when a quota comes without one, microseconds.
const PERIOD: u64 = 100_000;

/// Which controllers it takes. In a parent of the user's choice the step is in all that have limits.
pub fn controllers_of(spec: &CgroupSpec) -> Vec<&'static str> {
    let is_placed = spec.parent.is_some();
    let cpu = spec.cpu_shares.is_some() || spec.cpu_quota.is_some() || spec.cpu_period.is_some();
    let cpuset = spec.cpuset_cpus.is_some() || spec.cpuset_mems.is_some();
    let memory = spec.memory.is_some() || spec.memory_swap.is_some();
    [
        ("memory", memory || is_placed),
        ("cpu", cpu || is_placed),
        ("cpuset", cpuset),
        ("pids", spec.pids.is_some() || is_placed),
    ]
    .into_iter()
    .filter_map(|(name, is_needed)| is_needed.then_some(name))
    .collect()
}

/// Memory and swap together; docker gives as much swap as memory when nobody says.
fn memory_and_swap(spec: &CgroupSpec) -> Option<i64> {
    let twice = spec
        .memory
        .map(|memory| i64::try_from(memory.saturating_mul(2)));
    spec.memory_swap
        .or_else(|| twice.map(|bytes| bytes.unwrap_or(-1)))
}

/// In the order in which they must be written.
pub fn settings_v1(controller: &str, spec: &CgroupSpec) -> Vec<Setting> {
    let mut settings = Settings(Vec::new());
    match controller {
        "memory" => {
            settings.add("memory", "memory.limit_in_bytes", spec.memory);
            settings.add(
                "memory-swap",
                "memory.memsw.limit_in_bytes",
                memory_and_swap(spec),
            );
        }
        "cpu" => {
            settings.add("cpu-shares", "cpu.shares", spec.cpu_shares);
            settings.add("cpu-period", "cpu.cfs_period_us", spec.cpu_period);
            settings.add("cpu-quota", "cpu.cfs_quota_us", spec.cpu_quota);
        }
        "cpuset" => add_cpuset(&mut settings, spec),
        "pids" => settings.add("pids-limit", "pids.max", spec.pids.map(or_max)),
        _ => {}
    }
    settings.0
}

pub fn settings_v2(controller: &str, spec: &CgroupSpec) -> Vec<Setting> {
    let mut settings = Settings(Vec::new());
    match controller {
        "memory" => {
            settings.add("memory", "memory.max", spec.memory);
            let swap = memory_and_swap(spec).map(|both| {
                let memory = i64::try_from(spec.memory.unwrap_or(0)).unwrap_or(i64::MAX);
                if both < 0 { -1 } else { (both - memory).max(0) }
            });
            settings.add("memory-swap", "memory.swap.max", swap.map(or_max));
        }
        "cpu" => {
            settings.add("cpu-shares", "cpu.weight", spec.cpu_shares.map(weight));
            if spec.cpu_quota.is_some() || spec.cpu_period.is_some() {
                let quota = or_max(spec.cpu_quota.unwrap_or(-1));
                let period = spec.cpu_period.unwrap_or(PERIOD);
                settings.add("cpu-quota", "cpu.max", Some(format!("{quota} {period}")));
            }
        }
        "cpuset" => add_cpuset(&mut settings, spec),
        "pids" => settings.add("pids-limit", "pids.max", spec.pids.map(or_max)),
        _ => {}
    }
    settings.0
}

fn add_cpuset(settings: &mut Settings, spec: &CgroupSpec) {
    settings.add("cpuset-cpus", "cpuset.cpus", spec.cpuset_cpus.as_ref());
    settings.add("cpuset-mems", "cpuset.mems", spec.cpuset_mems.as_ref());
}

fn or_max(value: i64) -> String {
    if value < 0 {
        "max".to_owned()
    } else {
        value.to_string()
    }
}

/// Shares of v1 (2 to 262144) as a weight of v2 (1 to 10000), as the kernel's documentation has it.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

struct Settings(Vec<Setting>);

impl Settings {
    fn add<T: ToString>(&mut self, limit: &'static str, file: &'static str, value: Option<T>) {
        self.0.extend(value.map(|value| Setting {
            file,
            value: value.to_string(),
            limit,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(settings: Vec<Setting>) -> Vec<String> {
        let line = |Setting { file, value, .. }| format!("{file}={value}");
        settings.into_iter().map(line).collect()
    }

    fn spec() -> CgroupSpec {
        CgroupSpec {
            memory: Some(64 << 20),
            cpu_quota: Some(50_000),
            cpu_shares: Some(1024),
            cpuset_cpus: Some("0-1".to_owned()),
            pids: Some(-1),
            ..CgroupSpec::default()
        }
    }

    fn all(settings: fn(&str, &CgroupSpec) -> Vec<Setting>, spec: &CgroupSpec) -> Vec<String> {
        let controllers = controllers_of(spec);
        let settings = controllers.iter().flat_map(|name| settings(name, spec));
        written(settings.collect())
    }

    #[test]
    fn v2_has_its_own_words() {
        let expected = [
            "memory.max=67108864",
            "memory.swap.max=67108864",
            "cpu.weight=39",
            "cpu.max=50000 100000",
            "cpuset.cpus=0-1",
            "pids.max=max",
        ];
        assert_eq!(all(settings_v2, &spec()), expected);
    }

    #[test]
    fn v1_counts_swap_with_memory() {
        let expected = [
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=134217728",
            "cpu.shares=1024",
            "cpu.cfs_quota_us=50000",
            "cpuset.cpus=0-1",
            "pids.max=max",
        ];
        assert_eq!(all(settings_v1, &spec()), expected);
    }

    #[test]
    fn swap_may_be_unlimited_or_none() {
        let with = |memory_swap| CgroupSpec {
            memory: Some(100),
            memory_swap: Some(memory_swap),
            ..CgroupSpec::default()
        };
        assert_eq!(
            all(settings_v2, &with(-1)),
            ["memory.max=100", "memory.swap.max=max"]
        );
        assert_eq!(
            all(settings_v2, &with(100)),
            ["memory.max=100", "memory.swap.max=0"]
        );
    }
}
