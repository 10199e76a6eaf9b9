//! The calls about files: who owns them, who shall, and who owns what is made.

use super::Answering;
use super::calls::Call;
use super::credentials::{Credentials, UNCHANGED};
use super::shown::{stat_bytes, statx_bytes};
use super::view::{Place, read_path};
use crate::owner::{ATTRIBUTE, Device, Owner};
use crate::sys::notify::{self as sys, Answer};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

type Sys<T> = Result<T, Errno>;

const NOFOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW as u32;

/// In which form an answer to stat is wanted.
enum Form {
    Stat,
    Statx { flags: u32, mask: u32 },
}

/// What a call makes.
enum Make {
    Directory(u32),
    Symlink(Vec<u8>),
    Node(u32, u64),
    File { flags: u32, mode: u32 },
}

impl Answering {
    pub(super) fn file(&mut self, kind: Call, call: &sys::Call) -> Answer {
        if kind == Call::Chroot {
            self.view.has_chroots = true;
            return Answer::Continue;
        }
        let thread = call.thread;
        // For errors of ours the kernel has an answer of its own.
        match self.view.enter_root(thread) {
            Ok(()) => {}
            Err(_) => return Answer::Continue,
        }
        let answer = self.file_in_root(kind, call);
        if self.view.leave_root().is_err() {
            // Never seen; what comes now would be answered about the wrong files.
            std::process::abort();
        }
        answer.unwrap_or(Answer::Continue)
    }

    fn file_in_root(&mut self, kind: Call, call: &sys::Call) -> Sys<Answer> {
        let [a, b, c, d, e, _] = call.arguments;
        let cwd = libc::AT_FDCWD;
        let path = |address: u64| read_path(call.thread, address);
        let at = |fd: u64| fd as u32 as i32;
        let follows = |flags: u64| flags as u32 & NOFOLLOW == 0;
        let [b32, c32, d32] = [b, c, d].map(|argument| argument as u32);
        let view = &self.view;
        let place = |directory, path, follow| view.place(call.thread, directory, path, follow);
        match kind {
            Call::Chown => {
                let place = place(cwd, path(a)?, true)?;
                self.chown(call, &place, (b32, c32))
            }
            Call::Lchown => {
                let place = place(cwd, path(a)?, false)?;
                self.chown(call, &place, (b32, c32))
            }
            Call::Fchown => {
                let place = place(at(a), Vec::new(), true)?;
                self.chown(call, &place, (b32, c32))
            }
            Call::Fchownat => {
                let place = place(at(a), named(path(b)?, e)?, follows(e))?;
                self.chown(call, &place, (c32, d32))
            }
            Call::Stat => {
                let place = place(cwd, named(path(a)?, 0)?, true)?;
                self.stat(call, &place, b, Form::Stat)
            }
            Call::Lstat => {
                let place = place(cwd, named(path(a)?, 0)?, false)?;
                self.stat(call, &place, b, Form::Stat)
            }
            Call::Fstat => {
                let place = place(at(a), Vec::new(), true)?;
                self.stat(call, &place, b, Form::Stat)
            }
            Call::Fstatat => {
                let place = place(at(a), named(path(b)?, d)?, follows(d))?;
                self.stat(call, &place, c, Form::Stat)
            }
            Call::Statx => {
                let place = place(at(a), named(path(b)?, c)?, follows(c))?;
                let (flags, mask) = (c32 & !(libc::AT_EMPTY_PATH as u32), d32);
                self.stat(call, &place, e, Form::Statx { flags, mask })
            }
            Call::Listxattr | Call::Llistxattr => {
                let place = place(cwd, named(path(a)?, 0)?, kind == Call::Listxattr)?;
                self.list_attributes(call, &place)
            }
            Call::Flistxattr => {
                let place = place(at(a), Vec::new(), true)?;
                self.list_attributes(call, &place)
            }
            Call::Execve => {
                let place = place(cwd, named(path(a)?, 0)?, true)?;
                self.execute(call, &place)
            }
            Call::Execveat => {
                let place = place(at(a), named(path(b)?, e)?, follows(e))?;
                self.execute(call, &place)
            }
            Call::Mkdir => self.make(call, (cwd, path(a)?), Make::Directory(b32)),
            Call::Mkdirat => self.make(call, (at(a), path(b)?), Make::Directory(c32)),
            Call::Symlink => self.make(call, (cwd, path(b)?), Make::Symlink(path(a)?)),
            Call::Symlinkat => self.make(call, (at(b), path(c)?), Make::Symlink(path(a)?)),
            Call::Mknod => self.make(call, (cwd, path(a)?), Make::Node(b32, c)),
            Call::Mknodat => self.make(call, (at(a), path(b)?), Make::Node(c32, d)),
            Call::Creat => {
                let flags = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u32;
                self.make(call, (cwd, path(a)?), Make::File { flags, mode: b32 })
            }
            Call::Open => {
                let (flags, mode) = (b32, c32);
                self.make(call, (cwd, path(a)?), Make::File { flags, mode })
            }
            Call::Openat => {
                let (flags, mode) = (c32, d32);
                self.make(call, (at(a), path(b)?), Make::File { flags, mode })
            }
            Call::Openat2 => self.make_as_told(call),
            Call::Rename | Call::Renameat | Call::Link | Call::Linkat
                if self.owners.are_all_kept() =>
            {
                Ok(Answer::Continue)
            }
            Call::Rename | Call::Link => {
                let place = place(cwd, named(path(a)?, 0)?, false)?;
                self.keep(call, &place)
            }
            Call::Renameat | Call::Linkat => {
                let place = place(at(a), named(path(b)?, 0)?, false)?;
                self.keep(call, &place)
            }
            _ => Ok(Answer::Continue),
        }
    }

    fn chown(&mut self, call: &sys::Call, place: &Place, (uid, gid): (u32, u32)) -> Sys<Answer> {
        let facts = place.facts()?;
        let owner = self.owners.known(&self.view, place, &facts)?;
        let me = self.credentials_of(call.thread);
        if !me.may_give((owner.uid, owner.gid), (uid, gid)) {
            return Ok(Answer::Fail(Errno::PERM));
        }
        if !sys::still_waits(self.listener.as_fd(), call) {
            return Ok(Answer::Continue);
        }
        if let Err(errno) = place.chown() {
            return Ok(Answer::Fail(errno));
        }
        let new = Owner {
            uid: if uid == UNCHANGED { owner.uid } else { uid },
            gid: if gid == UNCHANGED { owner.gid } else { gid },
            device: owner.device,
        };
        Ok(match self.owners.set(&self.view, place, &facts, new) {
            Ok(()) => Answer::Return(0),
            Err(errno) => Answer::Fail(errno),
        })
    }

    fn stat(&self, call: &sys::Call, place: &Place, to: u64, form: Form) -> Sys<Answer> {
        let Some(owner) = self.owners.get(&self.view, place)? else {
            return Ok(Answer::Continue);
        };
        let bytes = match form {
            Form::Stat => stat_bytes(place, owner)?.to_vec(),
            Form::Statx { flags, mask } => statx_bytes(place, owner, (flags, mask))?.to_vec(),
        };
        self.write(call, to, &bytes)?;
        Ok(Answer::Return(0))
    }

    /// Without ours.
    fn list_attributes(&self, call: &sys::Call, place: &Place) -> Sys<Answer> {
        let [_, list, size, ..] = call.arguments;
        let names = place.attributes()?;
        let ours = ATTRIBUTE.as_bytes();
        let others: Vec<u8> = names
            .split_inclusive(|&byte| byte == 0)
            .filter(|name| name.strip_suffix(b"\0") != Some(ours))
            .flatten()
            .copied()
            .collect();
        if others.len() == names.len() {
            return Ok(Answer::Continue);
        }
        if size > 0 && (size as usize) < others.len() {
            return Ok(Answer::Fail(Errno::RANGE));
        }
        if size > 0 && !others.is_empty() {
            self.write(call, list, &others)?;
        }
        Ok(Answer::Return(others.len() as i64))
    }

    /// Before something gets another path.
    fn keep(&mut self, call: &sys::Call, place: &Place) -> Sys<Answer> {
        if sys::still_waits(self.listener.as_fd(), call) {
            self.owners.keep(&self.view, place)?;
        }
        Ok(Answer::Continue)
    }

    /// Set-user-ID and set-group-ID programs. The call can still fail: it is found out too late.
    fn execute(&mut self, call: &sys::Call, place: &Place) -> Sys<Answer> {
        let facts = place.facts()?;
        let me = self.credentials_of(call.thread).clone();
        let has = |bits: u32| facts.mode & bits == bits;
        let is_file = facts.kind() == libc::S_IFREG;
        let (sets_user, sets_group) = (has(libc::S_ISUID), has(libc::S_ISGID | libc::S_IXGRP));
        let owner = match is_file && (sets_user || sets_group) {
            true => Some(self.owners.known(&self.view, place, &facts)?),
            false => None,
        };
        let new = Credentials {
            user: me
                .user
                .executed(owner.filter(|_| sets_user).map(|owner| owner.uid)),
            group: me
                .group
                .executed(owner.filter(|_| sets_group).map(|owner| owner.gid)),
            groups: me.groups.clone(),
            keeps: false,
            kept: false,
        };
        if new != me {
            self.become_(call, new)?;
        }
        Ok(Answer::Continue)
    }

    /// openat2(2), whose flags are in memory.
    fn make_as_told(&mut self, call: &sys::Call) -> Sys<Answer> {
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
    fn make(
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

/// A path; an empty one only where the flags allow it.
fn named(path: Vec<u8>, flags: u64) -> Sys<Vec<u8>> {
    let may_be_empty = flags as u32 & libc::AT_EMPTY_PATH as u32 != 0;
    if path.is_empty() && !may_be_empty {
        return Err(Errno::NOENT);
    }
    Ok(path)
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
