//! The calls about who a process is, and who it becomes.

use super::Answering;
use super::calls::Call;
use super::credentials::{Credentials, Ids};
use crate::sys::notify::{self as sys, Answer};
use rustix::io::Errno;
use std::os::fd::AsFd;

type Sys<T> = Result<T, Errno>;

/// More than any RUN has of different users.
const MAX_CREDENTIALS: usize = 1 << 16;

impl Answering {
    /// The calls about who a process is. None: it is none of them.
    pub(super) fn identity(&mut self, kind: Call, call: &sys::Call) -> Option<Sys<Answer>> {
        let me = self.credentials_of(call.thread);
        let root = me.is_privileged();
        let [a, b, c] = [0, 1, 2].map(|at| call.arguments[at] as u32);
        let (user, group) = (me.user, me.group);
        let number = |id: u32| Ok(Answer::Return(id.into()));
        Some(match kind {
            Call::Getuid => number(user.real),
            Call::Geteuid => number(user.effective),
            Call::Getgid => number(group.real),
            Call::Getegid => number(group.effective),
            Call::Getresuid => self.three(call, user),
            Call::Getresgid => self.three(call, group),
            Call::Getgroups => self.groups(call, me),
            Call::Setuid => self.change_user(call, user.set(a, root)),
            Call::Setreuid => self.change_user(call, user.set_two(a, b, root)),
            Call::Setresuid => self.change_user(call, user.set_three([a, b, c], root)),
            Call::Setgid => self.change_group(call, group.set(a, root)),
            Call::Setregid => self.change_group(call, group.set_two(a, b, root)),
            Call::Setresgid => self.change_group(call, group.set_three([a, b, c], root)),
            Call::Setfsuid => self
                .change_user(call, Ok(user.set_filesystem(a, root)))
                .and_then(|_| number(user.filesystem)),
            Call::Setfsgid => self
                .change_group(call, Ok(group.set_filesystem(a, root)))
                .and_then(|_| number(group.filesystem)),
            Call::Prctl => {
                let keeps = call.arguments[1] != 0;
                let me = Credentials {
                    keeps,
                    ..me.clone()
                };
                // The kernel is to know it, too.
                self.become_(call, me).map(|_| Answer::Continue)
            }
            Call::Setgroups => self.set_groups(call, root),
            _ => return None,
        })
    }

    pub(super) fn become_(&mut self, call: &sys::Call, new: Credentials) -> Sys<Answer> {
        let known = self.credentials.iter().position(|known| *known == new);
        let number = match known {
            Some(number) => number,
            None if self.credentials.len() >= MAX_CREDENTIALS => return Err(Errno::AGAIN),
            None => {
                self.credentials.push(new);
                self.credentials.len() - 1
            }
        };
        if sys::still_waits(self.listener.as_fd(), call) {
            sys::set_lock_limit(call.thread, number as u64)?;
        }
        Ok(Answer::Return(0))
    }

    fn change_user(&mut self, call: &sys::Call, user: Sys<Ids>) -> Sys<Answer> {
        let me = self.credentials_of(call.thread).clone();
        self.become_(call, me.with_user(user?))
    }

    fn change_group(&mut self, call: &sys::Call, group: Sys<Ids>) -> Sys<Answer> {
        let me = self.credentials_of(call.thread).clone();
        self.become_(
            call,
            Credentials {
                group: group?,
                ..me
            },
        )
    }

    fn set_groups(&mut self, call: &sys::Call, privileged: bool) -> Sys<Answer> {
        let count = call.arguments[0] as u32 as usize;
        if !privileged {
            return Err(Errno::PERM);
        }
        if count > MAX_CREDENTIALS {
            return Err(Errno::INVAL);
        }
        let mut bytes = vec![0; 4 * count];
        let read = if count == 0 {
            0
        } else {
            sys::read_memory(call.thread, call.arguments[1], &mut bytes)?
        };
        if read < bytes.len() {
            return Err(Errno::FAULT);
        }
        let word = |bytes: &[u8]| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let mut groups: Vec<u32> = bytes.chunks_exact(4).map(word).collect();
        groups.sort_unstable();
        let me = self.credentials_of(call.thread).clone();
        self.become_(call, Credentials { groups, ..me })
    }

    fn three(&self, call: &sys::Call, ids: Ids) -> Sys<Answer> {
        for (address, id) in call
            .arguments
            .iter()
            .zip([ids.real, ids.effective, ids.saved])
        {
            self.write(call, *address, &id.to_ne_bytes())?;
        }
        Ok(Answer::Return(0))
    }

    fn groups(&self, call: &sys::Call, me: &Credentials) -> Sys<Answer> {
        let [room, list, ..] = call.arguments;
        let room = room as u32 as usize;
        if room > 0 {
            if room < me.groups.len() {
                return Err(Errno::INVAL);
            }
            let bytes: Vec<u8> = me.groups.iter().flat_map(|id| id.to_ne_bytes()).collect();
            if !bytes.is_empty() {
                self.write(call, list, &bytes)?;
            }
        }
        Ok(Answer::Return(me.groups.len() as i64))
    }
}
