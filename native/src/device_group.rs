//! Which devices a RUN may open, whatever nodes there are: those that are mounted for it, and terminals.
//!
//! A program on a control group of version 2, which needs no controller, is asked for each node that is
//! made or opened (`sys::devices`). The RUN's first process is born in the group (`sandbox`): to move it
//! there later would wait for the whole machine. Where that cannot be, the caller keeps `nodev` instead.
//! Privileges: CAP_SYS_ADMIN on the machine; others get nothing here, and lose nothing by asking.

use crate::cgroup::{Cgroup, Group};
use crate::cgroup_tree::Trees;
use crate::protocol::{MountOperation, RunRequest};
use crate::sys::devices::{self as sys, Rule};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// /dev/null: what is masked is one.
const NULL: Rule = Rule::character(1, Some(3));
/// Those of the RUN's own devpts, and the way to get one.
const TERMINALS: [Rule; 2] = [Rule::character(136, None), Rule::character(5, Some(2))];

/// The program's group; gone when it is dropped, unless it is that of the RUN's limits.
pub struct DeviceGroup {
    own: Option<Group>,
}

impl DeviceGroup {
    /// `None` where the machine cannot tell devices apart.
    pub fn create(request: &RunRequest, limits: Option<&Cgroup>) -> Option<DeviceGroup> {
        let shared = limits.and_then(Cgroup::unified);
        let own = match shared {
            Some(_) => None,
            None => Some(Group::create(own_group()?).ok()?),
        };
        let path = shared.or(own.as_ref().map(Group::path))?;
        restrict(path, &rules(&request.mounts)).ok()?;
        Some(DeviceGroup { own })
    }

    /// Where the first process is to be born; `None`: where it would be anyway.
    pub fn path(&self) -> Option<&Path> {
        self.own.as_ref().map(Group::path)
    }
}

/// Our own group; found once.
fn own_group() -> Option<&'static Path> {
    static OWN: OnceLock<Option<PathBuf>> = OnceLock::new();
    OWN.get_or_init(|| {
        let trees = Trees::of_this_process();
        trees.v2().map(|hierarchy| hierarchy.parent(None))
    })
    .as_deref()
}

fn restrict(path: &Path, rules: &[Rule]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let group = rustix::fs::open(path, flags, Mode::empty())?;
    sys::restrict(&group, rules)
}

/// A device that the host does not have needs none.
fn rules(mounts: &[MountOperation]) -> Vec<Rule> {
    let mounted = mounts.iter().filter_map(|operation| match operation {
        MountOperation::Device(device) => rule_of(&Path::new("/dev").join(&device.name)),
        _ => None,
    });
    mounted.chain([NULL]).chain(TERMINALS).collect()
}

fn rule_of(path: &Path) -> Option<Rule> {
    let stat = rustix::fs::stat(path).ok()?;
    let is_block = match FileType::from_raw_mode(stat.st_mode) {
        FileType::BlockDevice => true,
        FileType::CharacterDevice => false,
        _ => return None,
    };
    Some(Rule {
        is_block,
        major: rustix::fs::major(stat.st_rdev),
        minor: Some(rustix::fs::minor(stat.st_rdev)),
    })
}
