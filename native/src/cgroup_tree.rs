//! Where control groups are mounted here, and which are ours. Reads /proc only.

use std::path::{Path, PathBuf};

/// One mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub root: PathBuf,
    /// Our own group in it.
    own: PathBuf,
    /// Empty: cgroup v2.
    controllers: Vec<String>,
}

impl Hierarchy {
    /// The group that the user names, else our own.
    pub fn parent(&self, given: Option<&str>) -> PathBuf {
        given.map_or_else(
            || self.own.clone(),
            |given| self.root.join(expand_slice(given)),
        )
    }

    /// Our own group, the one above it, and so on to the root.
    pub fn upwards(&self) -> Vec<PathBuf> {
        let all = self.own.ancestors();
        all.take_while(|path| path.starts_with(&self.root))
            .map(Path::to_owned)
            .collect()
    }
}

/// Every hierarchy of the machine.
#[derive(Debug, Default)]
pub struct Trees(Vec<Hierarchy>);

impl Trees {
    pub fn of_this_process() -> Trees {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Trees::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    /// What mountinfo and cgroup of /proc say.
    pub fn parse(mountinfo: &str, groups: &str) -> Trees {
        Trees(
            mountinfo
                .lines()
                .filter_map(|line| hierarchy(line, groups))
                .collect(),
        )
    }

    /// The hierarchy of v1 that has a controller.
    pub fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        let mut all = self.0.iter();
        all.find(|hierarchy| hierarchy.controllers.iter().any(|name| name == controller))
    }

    pub fn v2(&self) -> Option<&Hierarchy> {
        self.0
            .iter()
            .find(|hierarchy| hierarchy.controllers.is_empty())
    }
}

/// `36 35 98:0 /root /mount options … - type source superoptions`
fn hierarchy(line: &str, groups: &str) -> Option<Hierarchy> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (inner, root) = (fields.next()?, fields.next()?);
    let mut after = after.split(' ');
    let kind = after.next()?;
    let options = after.nth(1)?;
    let controllers: Vec<String> = match kind {
        "cgroup" => options
            .split(',')
            .filter(|name| !matches!(*name, "rw" | "ro") && !name.contains('='))
            .map(str::to_owned)
            .collect(),
        "cgroup2" => Vec::new(),
        _ => return None,
    };
    // A hierarchy that only has a name, as systemd's, limits nothing.
    if kind == "cgroup" && controllers.is_empty() {
        return None;
    }
    let group = own_group(groups, &controllers)?;
    // In a container the mount shows a part of the hierarchy, and the group may be told from its top.
    let below = Path::new(group)
        .strip_prefix(inner)
        .unwrap_or(Path::new(""));
    let root = PathBuf::from(root);
    let own = match below.as_os_str().is_empty() {
        true => root.clone(),
        false => root.join(below.strip_prefix("/").unwrap_or(below)),
    };
    Some(Hierarchy {
        root,
        own,
        controllers,
    })
}

/// `4:memory:/group`, `0::/group`
fn own_group<'a>(groups: &'a str, controllers: &[String]) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        let is_it = match controllers {
            [] => names.is_empty(),
            [first, ..] => names.split(',').any(|name| name == first),
        };
        is_it.then_some(path)
    })
}

/// systemd's slices say where they are: `a-b.slice` is in `a.slice`.
fn expand_slice(given: &str) -> PathBuf {
    let given = given.trim_matches('/');
    let Some(name) = given
        .strip_suffix(".slice")
        .filter(|name| !name.contains('/'))
    else {
        return PathBuf::from(given);
    };
    let parts: Vec<&str> = name.split('-').collect();
    (1..=parts.len())
        .map(|count| format!("{}.slice", parts[..count].join("-")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 20 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 20 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 20 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
    const GROUPS: &str = "9:name=systemd:/\n4:memory:/jobs/one\n3:cpu,cpuacct:/\n0::/user/x.scope";

    #[test]
    fn finds_each_controller_where_it_is() {
        let trees = Trees::parse(HYBRID, GROUPS);
        let own = |hierarchy: Option<&Hierarchy>| hierarchy.map(|found| found.parent(None));
        let memory = PathBuf::from("/sys/fs/cgroup/memory/jobs/one");
        assert_eq!(own(trees.v1("memory")), Some(memory));
        let cpu = PathBuf::from("/sys/fs/cgroup/cpu,cpuacct");
        assert_eq!(own(trees.v1("cpu")), Some(cpu));
        assert_eq!(trees.v1("pids"), None);
        let unified = trees.v2().map(Hierarchy::upwards).unwrap_or_default();
        let shown: Vec<_> = unified
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let root = "/sys/fs/cgroup/unified";
        assert_eq!(
            shown,
            [
                format!("{root}/user/x.scope"),
                format!("{root}/user"),
                root.into()
            ]
        );
    }

    #[test]
    fn knows_the_part_that_a_container_sees() {
        let mounts = "30 20 0:26 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let trees = Trees::parse(mounts, "4:memory:/docker/ab/inner");
        let own = trees.v1("memory").map(|found| found.parent(None));
        assert_eq!(own, Some(PathBuf::from("/sys/fs/cgroup/memory/inner")));
    }

    #[test]
    fn takes_a_parent_as_docker_writes_it() {
        let trees = Trees::parse(HYBRID, GROUPS);
        let given = |name| trees.v1("memory").map(|found| found.parent(Some(name)));
        let root = Path::new("/sys/fs/cgroup/memory");
        assert_eq!(given("/a/b"), Some(root.join("a/b")));
        assert_eq!(given("a-b.slice"), Some(root.join("a.slice/a-b.slice")));
    }
}
