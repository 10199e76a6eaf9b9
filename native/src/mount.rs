//! Mounts, by descriptor. Needs CAP_SYS_ADMIN in the mount namespace.
//!
//! A mount is made detached, given its flags, and attached only then: it is never there without them.

use crate::error::{Error, at};
use crate::protocol::DeviceNode;
use crate::sys::sandbox as sys;
use rustix::fs::{AtFlags, CWD, FileType, FsWord, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
};
use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

type Sys<T> = Result<T, Errno>;

/// linux/magic.h
const CGROUP2_MAGIC: FsWord = 0x6367_7270;
const SYSFS_MAGIC: FsWord = 0x6265_6572;

/// Mounts an overlay of `layers` (lowest first) on a directory, with its upper and work directory.
///
/// The directories are named by their descriptors, relative to /proc/self/fd: the kernel takes no
/// more than a page of options, and has separators of its own in them. `userxattr` keeps its marks
/// readable in every mode (and turns redirects off); `volatile` spares a sync of the whole
/// filesystem at the end: who crashes before has no layer.
pub fn overlay(
    layers: &[impl AsRef<Path>],
    writable: Option<(&Path, &Path)>,
    target: &OwnedFd,
) -> Result<(), Error> {
    let open = |path: &Path| open_directory(path).map_err(at(path, Error::Layer));
    let layers = layers
        .iter()
        .rev()
        .map(|path| open(path.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut options = "userxattr,index=off,metacopy=off,lowerdir=".to_owned();
    for (position, layer) in layers.iter().enumerate() {
        let separator = if position == 0 { "" } else { ":" };
        let _ = write!(options, "{separator}{}", layer.as_raw_fd());
    }
    let writable = match writable {
        Some((upper, work)) => Some((open(upper)?, open(work)?)),
        None => None,
    };
    if let Some((upper, work)) = &writable {
        let (upper, work) = (upper.as_raw_fd(), work.as_raw_fd());
        let _ = write!(options, ",upperdir={upper},workdir={work},volatile");
    }
    let options = CString::new(options).unwrap_or_default();
    let place = target.as_raw_fd().to_string();
    let mounted = rustix::process::chdir("/proc/self/fd").and_then(|()| {
        rustix::mount::mount("overlay", place, "overlay", MountFlags::empty(), &*options)
    });
    rustix::process::chdir("/").map_err(at("/", Error::OverlayMount))?;
    mounted.map_err(|errno| {
        let path = std::fs::read_link(format!("/proc/self/fd/{}", target.as_raw_fd()));
        at(path.unwrap_or_default(), Error::OverlayMount)(errno)
    })
}

/// A new instance of a filesystem, detached. An option without a value is a flag.
pub fn filesystem(name: &str, options: &[(&str, &str)], flags: MountAttrFlags) -> Sys<OwnedFd> {
    let context = rustix::mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    // What /proc/mounts shows as the device.
    rustix::mount::fsconfig_set_string(&context, "source", name)?;
    for (key, value) in options {
        if value.is_empty() {
            rustix::mount::fsconfig_set_flag(&context, *key)?;
        } else {
            rustix::mount::fsconfig_set_string(&context, *key, *value)?;
        }
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

/// A sysfs, read-only. A user namespace may mount that of its own network namespace only; else it is
/// the host's, with all that is mounted in it: the kernel does not let us take a part.
pub fn sysfs() -> Sys<OwnedFd> {
    filesystem("sysfs", &[], inert_readonly()).or_else(|_| clone_readonly("/sys"))
}

/// The control groups, read-only, for `onto` in a sysfs: from our own on (cgroup 2), or the host's
/// trees (cgroup 1). `None` when there are none, or `onto` has them already.
pub fn control_groups(onto: &OwnedFd) -> Sys<Option<OwnedFd>> {
    let host = "/sys/fs/cgroup";
    let is_v2 = rustix::fs::statfs(host).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC);
    if let Some(Ok(tree)) = is_v2.then(|| filesystem("cgroup2", &[], inert_readonly())) {
        return Ok(Some(tree));
    }
    let is_bare = rustix::fs::fstatfs(onto)?.f_type == SYSFS_MAGIC;
    let has_groups = is_bare && Path::new(host).is_dir();
    has_groups.then(|| clone_readonly(host)).transpose()
}

/// A node with the number of another, and its mode and owner where no other is asked for, made in a
/// directory; detached.
pub fn device_like(
    other: &OwnedFd,
    asked: &DeviceNode,
    (directory, name): (&OwnedFd, &str),
) -> Sys<OwnedFd> {
    let stat = rustix::fs::statat(other, "", AtFlags::EMPTY_PATH)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
        return Err(Errno::NODEV);
    }
    let mode = Mode::from_raw_mode(asked.mode.unwrap_or(stat.st_mode));
    rustix::fs::mknodat(directory, name, kind, mode, stat.st_rdev)?;
    let uid = Uid::from_raw(asked.uid.unwrap_or(stat.st_uid));
    let gid = Gid::from_raw(asked.gid.unwrap_or(stat.st_gid));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(directory, name, Some(uid), Some(gid), flags)?;
    // The umask had a say in what it was made with.
    rustix::fs::chmodat(directory, name, mode, AtFlags::empty())?;
    clone_tree(directory, name, false)
}

/// The flags of a mount from which nothing is executed.
pub fn inert() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn inert_readonly() -> MountAttrFlags {
    inert() | MountAttrFlags::MOUNT_ATTR_RDONLY
}

fn clone_readonly(path: &str) -> Sys<OwnedFd> {
    let tree = clone_tree(CWD, path, true)?;
    restrict(&tree, inert_readonly(), true)?;
    Ok(tree)
}

/// Attaches a detached mount on top of what `target` is.
pub fn attach(tree: &OwnedFd, target: &OwnedFd) -> Sys<()> {
    let by_descriptor =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", target, "", by_descriptor)
}

/// Adds to the flags of a mount. What it had, a user namespace's locked flags among it, stays.
pub fn restrict(tree: &OwnedFd, attributes: MountAttrFlags, recursive: bool) -> Sys<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    sys::mount_setattr(tree.as_fd(), attributes.bits().into(), recursive)
}

/// A detached copy of the mount at a path (of `from` itself, if the path is empty).
pub fn clone_tree(from: impl AsFd, path: impl rustix::path::Arg, recursive: bool) -> Sys<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    rustix::mount::open_tree(from, path, flags)
}

/// What a path is inside a root, symlinks followed inside it, the topmost mount on it included.
pub fn resolve_in(root: &OwnedFd, path: &Path) -> Sys<OwnedFd> {
    loop {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            // Somebody renamed or mounted while the kernel looked.
            Err(Errno::AGAIN) => {}
            outcome => return outcome,
        }
    }
}

/// A descriptor that only names.
pub fn open_path(path: &Path) -> Sys<OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn open_directory(path: &Path) -> Sys<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// A descriptor that only names what is in a directory.
pub fn open_at(directory: impl AsFd, name: &str) -> Sys<OwnedFd> {
    let directory: BorrowedFd<'_> = directory.as_fd();
    rustix::fs::openat(
        directory,
        name,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
}
