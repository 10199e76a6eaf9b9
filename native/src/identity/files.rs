//! The calls about files: who owns them, and who shall. What makes some is `making`'s.

use super::Answering;
use super::calls::Call;
use super::credentials::{Credentials, UNCHANGED};
use super::making::Make;
use super::shown::{stat_bytes, statx_bytes};
use super::view::{Place, read_path};
use crate::owner::{ATTRIBUTE, Owner};
use crate::sys::notify::{self as sys, Answer};
use rustix::io::Errno;
use std::os::fd::AsFd;

type Sys<T> = Result<T, Errno>;

const NOFOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW as u32;

/// In which form an answer to stat is wanted.
enum Form {
    Stat,
    Statx { flags: u32, mask: u32 },
}

impl Answering {
    pub(super) fn file(&mut self, kind: Call, call: &sys::Call) -> Answer {
        if kind == Call::Chroot {
            self.view.has_chroots = true;
            return Answer::Continue;
        }
        let thread = call.thread;
        // For errors of ours the kernel has an answer of its own.
        if self.view.enter_root(thread).is_err() {
            return Answer::Continue;
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
}

/// A path; an empty one only where the flags allow it.
fn named(path: Vec<u8>, flags: u64) -> Sys<Vec<u8>> {
    let may_be_empty = flags as u32 & libc::AT_EMPTY_PATH as u32 != 0;
    if path.is_empty() && !may_be_empty {
        return Err(Errno::NOENT);
    }
    Ok(path)
}
