//! The calls that make files: who owns what is made.

use super::Answering;
use super::view::{Place, read_path};
use crate::owner::{Device, Owner};
use crate::sys::notify::{self as sys, Answer};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

type Sys<T> = Result<T, Errno>;

/// What a call makes.
pub enum Make {
    Directory(u32),
    Symlink(Vec<u8>),
    Node(u32, u64),
    File { flags: u32, mode: u32 },
}

impl Answering {
    /// openat2(2), whose flags are in memory.
    pub(super) fn make_as_told(&mut self, call: &sys::Call) -> Sys<Answer> {
        let [directory, path, how, size, ..] = call.arguments;
        let mut bytes = [0; 24];
        let is_whole = size >= 24 && sys::read_memory(call.thread, how, &mut bytes)? == 24;
        let long = |at: usize| u64::from_ne_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|b| bytes[at + b]));
        let (flags, mode, resolve) = (long(0), long(8), long(16));
        let making = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;
        // With a way of its own to resolve paths, the file is root's.
        if !is_whole || resolve != 0 || flags & making == 0 {
            return Ok(Answer::Continue);
        }
        let at = (directory as u32 as i32, read_path(call.thread, path)?);
        let (flags, mode) = (flags as u32, mode as u32);
        self.make(call, at, Make::File { flags, mode })
    }

    /// Makes what shall not be root's; the kernel makes the rest.
    pub(super) fn make(
        &mut self,
        call: &sys::Call,
        (directory, path): (i32, Vec<u8>),
        make: Make,
    ) -> Sys<Answer> {
        let is_unnamed = matches!(make, Make::File { flags, .. } if is_unnamed(flags));
        let (above, name) = if is_unnamed {
            (path.as_slice(), &b"."[..])
        } else {
            split(&path).ok_or(Errno::INVAL)?
        };
        let above = self
            .view
            .place(call.thread, directory, above.to_vec(), true)?;
        let facts = above.facts()?;
        let me = self.credentials_of(call.thread);
        let (uid, mut gid) = (me.user.filesystem, me.group.filesystem);
        let is_root = me.is_privileged();
        if facts.mode & libc::S_ISGID != 0 {
            gid = self.owners.known(&self.view, &above, &facts)?.gid;
        }
        let device = device(&make);
        if device.is_some() && !is_root {
            return Ok(Answer::Fail(Errno::PERM));
        }
        let owner = Owner { uid, gid, device };
        if !matches!(make, Make::Directory(_) | Make::File { .. }) {
            self.owners.forget(&self.view, &above, name);
        }
        if owner.is_default() || !sys::still_waits(self.listener.as_fd(), call) {
            return Ok(Answer::Continue);
        }
        rustix::process::umask(self.view.umask_of(call.thread)?);
        let place = above.child(name)?;
        match make {
            Make::File { flags, mode } => self.make_file(call, &place, (flags, mode), owner),
            make => {
                let made = make_at(&place, &make);
                let kept =
                    made.and_then(|()| self.owners.set(&self.view, &place, &place.facts()?, owner));
                Ok(match kept {
                    Ok(()) => Answer::Return(0),
                    Err(errno) => Answer::Fail(errno),
                })
            }
        }
    }

    /// A file that is there already is the kernel's to open.
    fn make_file(
        &mut self,
        call: &sys::Call,
        place: &Place,
        (flags, mode): (u32, u32),
        owner: Owner,
    ) -> Sys<Answer> {
        let wanted = OFlags::from_bits_retain(flags);
        let mut ours = wanted | OFlags::CLOEXEC | OFlags::NOCTTY;
        ours.set(
            OFlags::EXCL,
            wanted.contains(OFlags::EXCL) || !is_unnamed(flags),
        );
        let made = rustix::fs::openat(CWD, &*place.path, ours, Mode::from_raw_mode(mode));
        let file: OwnedFd = match made {
            Err(Errno::EXIST) if wanted.contains(OFlags::EXCL) => {
                return Ok(Answer::Fail(Errno::EXIST));
            }
            made => made?,
        };
        match crate::owner::write(file.as_fd(), owner) {
            Err(errno) => return Ok(Answer::Fail(errno)),
            Ok(()) if is_unnamed(flags) => {}
            // Where there are no attributes, the table has it.
            Ok(()) => self.owners.set(&self.view, place, &place.facts()?, owner)?,
        }
        let close = wanted.contains(OFlags::CLOEXEC);
        Ok(
            match sys::answer_file(self.listener.as_fd(), call, file.as_fd(), close) {
                Ok(()) => Answer::Given,
                Err(errno) => Answer::Fail(errno),
            },
        )
    }
}

fn is_unnamed(flags: u32) -> bool {
    flags & libc::O_TMPFILE as u32 == libc::O_TMPFILE as u32
}

/// The directory and the name of what is to be made. None for what can only be there already.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = path.iter().rposition(|&byte| byte != b'/')? + 1;
    let start = path[..end].iter().rposition(|&byte| byte == b'/');
    let (above, name) = match start {
        None => (&b"."[..], &path[..end]),
        Some(0) => (&b"/"[..], &path[1..end]),
        Some(slash) => (&path[..slash], &path[slash + 1..end]),
    };
    (name != b"." && name != b"..").then_some((above, name))
}

/// The device that a call makes. Overlayfs's whiteout is one that everybody may make.
fn device(make: &Make) -> Option<Device> {
    let Make::Node(mode, number) = make else {
        return None;
    };
    let (major, minor) = (rustix::fs::major(*number), rustix::fs::minor(*number));
    match FileType::from_raw_mode(*mode) {
        FileType::CharacterDevice if *number != 0 => Some(Device::Character(major, minor)),
        FileType::BlockDevice => Some(Device::Block(major, minor)),
        _ => None,
    }
}

fn make_at(place: &Place, make: &Make) -> Sys<()> {
    let path = &*place.path;
    match make {
        Make::Directory(mode) => {
            rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(*mode & 0o7777))
        }
        Make::Symlink(target) => rustix::fs::symlinkat(target.as_slice(), CWD, path),
        Make::Node(mode, number) => {
            let is_device = device(make).is_some();
            let kind = match FileType::from_raw_mode(*mode) {
                // mknod(2): no type is a file.
                FileType::Unknown => FileType::RegularFile,
                _ if is_device => FileType::RegularFile,
                kind => kind,
            };
            let number = if is_device { 0 } else { *number };
            rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(*mode & 0o7777), number)
        }
        Make::File { .. } => Err(Errno::INVAL),
    }
}
