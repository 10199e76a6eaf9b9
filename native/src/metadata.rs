//! Sets what stat shows of a file. Privileges: root of the namespace; with less, owners are kept beside
//! the file, or stay as they are.

use crate::entry::{Entry, Kind};
use crate::owner::{self, ATTRIBUTE, Device, Owner};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Of an open file or directory. Mode after owner, as chown takes suid bits away; capabilities after both.
pub fn set(fd: BorrowedFd<'_>, entry: &Entry) -> rustix::io::Result<()> {
    let (uid, gid) = owner(entry);
    unless_not_possible(rustix::fs::fchown(fd, uid, gid))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
    let owner = kept_owner(entry);
    if owner::only_one_id() && !owner.is_default() {
        owner::write(fd, owner)?;
    }
    for (name, value) in others(entry) {
        let set = rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty());
        unless_unsupported(set)?;
    }
    rustix::fs::futimens(fd, &times(entry))
}

/// Of what is not to be opened, or can not be: symlinks, devices, FIFOs.
pub fn set_at(parent: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> rustix::io::Result<()> {
    let (uid, gid) = owner(entry);
    let owned = rustix::fs::chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW);
    unless_not_possible(owned)?;
    if !matches!(entry.kind, Kind::Symlink(_)) {
        let mode = Mode::from_raw_mode(entry.mode);
        rustix::fs::chmodat(parent, name, mode, AtFlags::empty())?;
    }
    for (attribute, value) in others(entry) {
        let directory = format!("/proc/self/fd/{}/", parent.as_raw_fd());
        let path = [directory.as_bytes(), name].concat();
        let set = rustix::fs::lsetxattr(&path, attribute, value, XattrFlags::empty());
        unless_unsupported(set)?;
    }
    rustix::fs::utimensat(parent, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)
}

/// What is kept beside a file where only one id exists.
pub fn kept_owner(entry: &Entry) -> Owner {
    let device = match entry.kind {
        Kind::Character(major, minor) => Some(Device::Character(major, minor)),
        Kind::Block(major, minor) => Some(Device::Block(major, minor)),
        _ => None,
    };
    Owner {
        device,
        ..Owner::new(entry.uid, entry.gid)
    }
}

/// The attributes but ours, which an archive shall not speak for.
fn others(entry: &Entry) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> {
    let is_other = |(name, _): &&(Vec<u8>, Vec<u8>)| name != ATTRIBUTE.as_bytes();
    entry.xattrs.iter().filter(is_other)
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(entry.uid)),
        Some(Gid::from_raw(entry.gid)),
    )
}

/// The user namespace may not have the id, or there is none and the caller is not root: then the
/// index alone knows the owner.
fn unless_not_possible(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::INVAL) => Ok(()),
        Err(Errno::PERM) if !rustix::process::geteuid().is_root() => Ok(()),
        result => result,
    }
}

/// The filesystem may not have attributes, or the namespace may not set this one.
fn unless_unsupported(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::PERM) => Ok(()),
        result => result,
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime,
        tv_nsec: entry.nsec.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
