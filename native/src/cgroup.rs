//! The control group of a RUN: limits, and what came of them. Privileges: those of the mode; what they
//! do not reach is told, not fatal.
//!
//! A group is a directory named `tsbuild-…`, one for all controllers in cgroup v2, one for each in v1.
//! It is locked (flock) for as long as its step lives: whoever gets the lock of another's may remove it,
//! because its maker is dead. So what a killed build left is removed by the next.
//!
//! Where: v1, below our own group. v2, below the lowest group on the way from our own to the root in
//! which the controllers can be had: one with processes cannot hand them on, except the root.

use crate::cgroup_files::{Setting, controllers_of, settings_v1, settings_v2};
use crate::cgroup_tree::{Hierarchy, Trees};
use crate::error::{Error, at};
use crate::protocol::{CgroupSpec, LimitsReply, LimitsRequest, RefusedLimit};
use rustix::fs::{Access, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PREFIX: &str = "tsbuild-";
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// What happened in a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Events {
    pub oom_kills: u64,
    pub pids_refused: u64,
}

/// A RUN's groups; gone when it is dropped.
pub struct Cgroup {
    groups: Vec<Group>,
    /// The last of them is of version 2.
    has_unified: bool,
    refused: Vec<RefusedLimit>,
}

/// Says which limits cannot be set here, and why. Nothing stays.
pub fn limits(request: &LimitsRequest) -> Result<LimitsReply, Error> {
    let Cgroup { refused, .. } = Cgroup::create(&request.cgroup)?;
    Ok(LimitsReply { refused })
}

impl Cgroup {
    /// Makes the groups and sets the limits; those that this machine does not have are left out.
    pub fn create(spec: &CgroupSpec) -> Result<Cgroup, Error> {
        Cgroup::create_in(&Trees::of_this_process(), spec)
    }

    fn create_in(trees: &Trees, spec: &CgroupSpec) -> Result<Cgroup, Error> {
        let mut cgroup = Cgroup {
            groups: Vec::new(),
            has_unified: false,
            refused: Vec::new(),
        };
        let mut unified = Vec::new();
        for controller in controllers_of(spec) {
            match trees.v1(controller) {
                Some(hierarchy) => cgroup.add_v1(hierarchy, controller, spec)?,
                None => unified.push(controller),
            }
        }
        if !unified.is_empty() {
            cgroup.add_v2(trees.v2(), &unified, spec)?;
        }
        Ok(cgroup)
    }

    /// Puts a process into the groups: what it starts is in them, too.
    pub fn add(&self, pid: u32) -> Result<(), Error> {
        for group in &self.groups {
            let file = group.path.join("cgroup.procs");
            fs::write(&file, pid.to_string()).map_err(at(&file, Error::Cgroup))?;
        }
        Ok(())
    }

    /// The one of version 2, if there is one.
    pub fn unified(&self) -> Option<&Path> {
        let last = self.groups.last().filter(|_| self.has_unified);
        last.map(Group::path)
    }

    /// What happened in them.
    pub fn events(&self) -> Events {
        let sum = |file: &str, key: &str| -> u64 {
            let values = self.groups.iter().map(|group| group.event(file, key));
            values.sum()
        };
        Events {
            oom_kills: sum("memory.events", "oom_kill") + sum("memory.oom_control", "oom_kill"),
            pids_refused: sum("pids.events", "max"),
        }
    }

    fn add_v1(
        &mut self,
        hierarchy: &Hierarchy,
        controller: &str,
        spec: &CgroupSpec,
    ) -> Result<(), Error> {
        let parent = hierarchy.parent(spec.parent.as_deref());
        let group = match make_parents(&parent, &hierarchy.root, controller)
            .and_then(|()| Group::create(&parent))
        {
            Ok(group) => group,
            Err(errno) => {
                self.refuse(controller, &parent, errno);
                return Ok(());
            }
        };
        if controller == "cpuset" {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                inherit(&parent, &group.path, name);
            }
        }
        self.apply(&group, &settings_v1(controller, spec))?;
        self.groups.push(group);
        Ok(())
    }

    fn add_v2(
        &mut self,
        hierarchy: Option<&Hierarchy>,
        controllers: &[&str],
        spec: &CgroupSpec,
    ) -> Result<(), Error> {
        let Some(hierarchy) = hierarchy else {
            controllers
                .iter()
                .for_each(|controller| self.tell(controller, "the machine does not have it"));
            return Ok(());
        };
        let candidates = match spec.parent.as_deref() {
            None => hierarchy.upwards(),
            given => {
                let parent = hierarchy.parent(given);
                // What cannot be made is refused below.
                let _ = make_parents(&parent, &hierarchy.root, "");
                vec![parent]
            }
        };
        let mut best: (PathBuf, Vec<&str>) = (PathBuf::new(), Vec::new());
        let mut reason = "the machine does not delegate it".to_owned();
        for candidate in candidates {
            match hands_on(&candidate, &hierarchy.root, controllers) {
                Ok(had) if had.len() > best.1.len() => best = (candidate, had),
                Ok(_) => {}
                Err(errno) => reason = format!("{}: {errno}", candidate.display()),
            }
        }
        let (parent, had) = best;
        for controller in controllers.iter().filter(|name| !had.contains(name)) {
            self.tell(controller, &reason);
        }
        if had.is_empty() {
            return Ok(());
        }
        let group = Group::create(&parent).map_err(at(&parent, Error::Cgroup))?;
        let settings: Vec<Setting> = had
            .iter()
            .flat_map(|controller| settings_v2(controller, spec))
            .collect();
        self.apply(&group, &settings)?;
        self.groups.push(group);
        self.has_unified = true;
        Ok(())
    }

    /// Invalid values are the user's; files that are not there are the machine's.
    fn apply(&mut self, group: &Group, settings: &[Setting]) -> Result<(), Error> {
        for Setting { file, value, limit } in settings {
            let path = group.path.join(file);
            let outcome = fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|mut opened| std::io::Write::write_all(&mut opened, value.as_bytes()));
            let Err(error) = outcome else { continue };
            match Errno::from_io_error(&error).unwrap_or(Errno::IO) {
                errno @ (Errno::NOENT | Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                    self.refuse(limit, &path, errno);
                }
                errno => return Err(at(format!("{limit} to {value}"), Error::CgroupLimit)(errno)),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, limit: &str, path: &Path, errno: Errno) {
        self.tell(limit, &format!("{}: {errno}", path.display()));
    }

    fn tell(&mut self, controller: &str, reason: &str) {
        self.refused.push(RefusedLimit {
            controller: controller.to_owned(),
            reason: reason.to_owned(),
        });
    }
}

/// One directory, and its lock.
pub struct Group {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Drop for Group {
    fn drop(&mut self) {
        // What was killed may take a moment to be gone from it.
        for _ in 0..100 {
            match rustix::fs::rmdir(&self.path) {
                Err(Errno::BUSY) => std::thread::sleep(Duration::from_millis(10)),
                _ => return,
            }
        }
    }
}

impl Group {
    /// A new one, in a parent that is there; the dead ones beside it are removed.
    pub fn create(parent: &Path) -> Result<Group, Errno> {
        sweep(parent);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PREFIX}{}-{number}", unique());
            let path = parent.join(name);
            match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
                Err(Errno::EXIST) => continue,
                outcome => outcome?,
            }
            // Between the two it may be taken for a dead one's, and be gone.
            match lock(&path, FlockOperation::LockExclusive) {
                Ok(lock) if is_at(&lock, &path) => return Ok(Group { path, _lock: lock }),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => {
                    let _ = rustix::fs::rmdir(&path);
                    return Err(errno);
                }
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn event(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    }
}

/// The helper's process id is 1 in every build: the time tells them apart.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{:x}", now.unwrap_or_default().as_nanos())
}

fn lock(path: &Path, how: FlockOperation) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    rustix::fs::flock(&directory, how)?;
    Ok(directory)
}

fn is_at(directory: &OwnedFd, path: &Path) -> bool {
    let numbers = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
    let opened = rustix::fs::fstat(directory).map(numbers);
    opened.is_ok() && opened == rustix::fs::stat(path).map(numbers)
}

/// Removes what killed builds left. One that lives holds its lock.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        if lock(&path, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = rustix::fs::rmdir(&path);
        }
    }
}

/// A parent that the user names is made when it is missing, and stays.
fn make_parents(parent: &Path, root: &Path, controller: &str) -> Result<(), Errno> {
    let mut above: Vec<&Path> = parent
        .ancestors()
        .take_while(|path| *path != root)
        .filter(|path| !path.exists())
        .collect();
    above.reverse();
    for path in above {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        if let ("cpuset", Some(over)) = (controller, path.parent()) {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                inherit(over, path, name);
            }
        }
    }
    Ok(())
}

/// A new cpuset of v1 has no processors until it is told.
fn inherit(parent: &Path, child: &Path, name: &str) {
    if let Ok(value) = fs::read(parent.join(name)) {
        let _ = fs::write(child.join(name), value);
    }
}

/// Which of the controllers the groups below `path` can have; they are enabled on the way from the root.
fn hands_on<'a>(path: &Path, root: &Path, controllers: &[&'a str]) -> Result<Vec<&'a str>, Errno> {
    rustix::fs::access(path.join("cgroup.procs"), Access::WRITE_OK)?;
    rustix::fs::access(path, Access::WRITE_OK)?;
    let mut way: Vec<&Path> = path
        .ancestors()
        .take_while(|above| above.starts_with(root))
        .collect();
    way.reverse();
    for above in way {
        for controller in controllers {
            if !lists(&above.join("cgroup.subtree_control"), controller) {
                // It is told by what it lists afterwards.
                let _ = fs::write(
                    above.join("cgroup.subtree_control"),
                    format!("+{controller}"),
                );
            }
        }
    }
    let file = path.join("cgroup.subtree_control");
    Ok(controllers
        .iter()
        .copied()
        .filter(|controller| lists(&file, controller))
        .collect())
}

fn lists(file: &Path, controller: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().any(|name| name == controller)
}
