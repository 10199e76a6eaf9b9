//! Other users and groups where the kernel lets only one exist (design.md §7, rung 3).
//!
//! Every process of such a RUN is root of a namespace with one id. A thread of the helper answers the
//! system calls with which programs ask for ids and change them: who a process is (`credentials`), who
//! owns a file (`owners`), and who owns what is made. What it has no other answer for it leaves to the
//! kernel. It guards nothing: what a RUN must not do is refused by the namespaces and the filter, and
//! permissions are those of root, whoever a process is told that it is. So nothing here may reach further
//! than the process itself could: it is performed in the RUN's root, on what the process names.
//!
//! A process's credentials are a number, its soft limit of file locks (RLIMIT_LOCKS): children inherit
//! it, exec keeps it, and no kernel since 2.4 has looked at it. 0, and what is not known, are the RUN's.
//!
//! Privileges: root of the RUN's user namespace, in a thread that enters its mount namespace.

pub mod calls;
mod credentials;
mod files;
mod ids;
mod making;
mod owners;
mod shown;
mod view;

use crate::error::{Error, at};
use crate::protocol::RunRequest;
use crate::sys::notify::{self as sys, Answer};
use crate::sys::sandbox;
use crate::{mount, seccomp};
use calls::Call;
use credentials::Credentials;
use owners::Owners;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::LinkNameSpaceType;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use view::View;

type Sys<T> = Result<T, Errno>;

/// The thread that answers; it ends when the last process of the RUN has.
pub struct Emulation {
    thread: JoinHandle<Option<Owners>>,
}

impl Emulation {
    /// Answers what comes from `listener`, for a RUN whose first process has its root already.
    pub fn start(listener: OwnedFd, first: Pid, request: &RunRequest) -> Result<Emulation, Error> {
        let process = &request.process;
        let initial = Credentials::new(process.uid, process.gid, process.groups.clone());
        let owners = Owners::of(&request.layers);
        let upper =
            mount::open_path(&request.upper).map_err(at(&request.upper, Error::Emulation))?;
        let (tell, told) = channel();
        let builder = std::thread::Builder::new();
        let thread = builder
            .spawn(move || answer_all(listener, (first, upper), (initial, owners), &tell))
            .map_err(at("", Error::Thread))?;
        match told.recv() {
            Ok(Ok(())) => Ok(Emulation { thread }),
            Ok(Err(errno)) => Err(at("", Error::Emulation)(errno)),
            Err(_) => Err(at("", Error::Emulation)(Errno::CHILD)),
        }
    }

    /// Waits for its end: until then it keeps the RUN's mounts.
    pub fn finish(self) -> Option<Finished> {
        self.thread.join().ok().flatten().map(Finished)
    }
}

/// What is known when nothing can change it any more.
pub struct Finished(Owners);

impl Finished {
    /// Completes the layer in an upper directory.
    pub fn save(&self, upper: &Path) -> Result<(), Error> {
        self.0.save(upper).map_err(at(upper, Error::Metadata))
    }
}

/// Why no RUN can be answered for here: another program answers already (BUSY), or the kernel lets nobody.
/// Tried in a fork, which the filter ends with. No thread was started yet.
pub fn why_not() -> Option<Errno> {
    let code = match sandbox::fork() {
        Ok(None) => {
            let errno = sys::load_filter(&seccomp::allow_all()).err();
            std::process::exit(errno.map_or(0, Errno::raw_os_error));
        }
        Ok(Some(child)) => waitpid(Some(child), WaitOptions::empty())
            .ok()
            .flatten()
            .and_then(|(_, status)| status.exit_status()),
        Err(errno) => return Some(errno),
    };
    match code {
        Some(0) => None,
        Some(code) => Some(Errno::from_raw_os_error(code)),
        // What ended it was the filter.
        None => Some(Errno::PERM),
    }
}

fn answer_all(
    listener: OwnedFd,
    (first, upper): (Pid, OwnedFd),
    (initial, owners): (Credentials, Owners),
    tell: &Sender<Sys<()>>,
) -> Option<Owners> {
    let view = match enter(first, upper) {
        Ok(view) => view,
        Err(errno) => {
            let _ = tell.send(Err(errno));
            return None;
        }
    };
    let _ = tell.send(Ok(()));
    sys::wake_at_once(listener.as_fd());
    let mut answering = Answering {
        listener,
        calls: seccomp::emulated_calls().collect(),
        view,
        owners,
        credentials: vec![initial],
    };
    while answering.has_call() {
        let listener = answering.listener.as_fd();
        // It is gone, or the wait was interrupted.
        let Ok(call) = sys::receive(listener) else {
            continue;
        };
        let answer = answering.answer(&call);
        let _ = sys::answer(answering.listener.as_fd(), &call, answer);
    }
    Some(answering.owners)
}

/// Makes the RUN's root the thread's.
fn enter(first: Pid, upper: OwnedFd) -> Sys<View> {
    let open = |path: &str, flags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
    let proc = open("/proc", OFlags::PATH | OFlags::DIRECTORY)?;
    let namespace = open(
        &format!("/proc/{}/ns/mnt", first.as_raw_pid()),
        OFlags::RDONLY,
    )?;
    sys::own_directories()?;
    let kind = Some(LinkNameSpaceType::Mount);
    rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)?;
    View::new(proc, upper)
}

struct Answering {
    listener: OwnedFd,
    calls: HashMap<(u32, u32), Call>,
    view: View,
    owners: Owners,
    /// By number. The first are the RUN's.
    credentials: Vec<Credentials>,
}

impl Answering {
    /// Waits for a call; false when nobody is left to make one.
    fn has_call(&self) -> bool {
        let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => !fds[0].revents().contains(PollFlags::HUP),
            Err(errno) => errno == Errno::INTR,
        }
    }

    fn answer(&mut self, call: &sys::Call) -> Answer {
        let Some(&kind) = self.calls.get(&(call.architecture, call.number)) else {
            return Answer::Continue;
        };
        match self.identity(kind, call) {
            Some(Ok(answer)) => answer,
            Some(Err(errno)) => Answer::Fail(errno),
            None => self.file(kind, call),
        }
    }

    fn credentials_of(&self, thread: u32) -> &Credentials {
        let number = sys::lock_limit(thread).unwrap_or_default();
        let known = usize::try_from(number).ok();
        let known = known.and_then(|number| self.credentials.get(number));
        known.unwrap_or(&self.credentials[0])
    }

    /// Writes into the memory of who called.
    fn write(&self, call: &sys::Call, address: u64, bytes: &[u8]) -> Sys<()> {
        if !sys::still_waits(self.listener.as_fd(), call) {
            return Err(Errno::SRCH);
        }
        sys::write_memory(call.thread, address, bytes)
    }
}
