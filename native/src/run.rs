//! Serves a run request: starts the sandbox, hands on its output, waits for its end. Privileges:
//! those of the mode.
//!
//! The server has threads, and a fork of such a process may do nothing but exec. So the helper
//! executes itself anew (`sandbox`), from a read-only mount of its file: in the sandbox,
//! /proc/self/exe leads to it for as long as no command is executed, and nobody shall write there.
//!
//! The reply is given when the first process of the RUN is reaped. By then the kernel has ended
//! every process of its PID namespace, and with the last of them its mounts: `upper` and `work` are
//! free, and all output is in the pipes. With them ends the thread that emulates ids, if there is one.

use crate::agent;
use crate::cancel::Cancel;
use crate::cgroup::Cgroup;
use crate::device_group::DeviceGroup;
use crate::error::{Error, at};
use crate::identity::Emulation;
use crate::mount;
use crate::network;
use crate::protocol::{DeviceNodes, RunReply, RunRequest, Stream};
use crate::sandbox::Message;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, waitpid,
};
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The helper's own file, on a read-only mount. Set when the namespaces are entered.
static EXECUTABLE: OnceLock<OwnedFd> = OnceLock::new();

/// As much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// Opens the helper's file for the sandboxes to come.
pub fn keep_executable(path: &Path) -> Result<(), Error> {
    let tree = mount::clone_tree(rustix::fs::CWD, path, false)
        .and_then(|tree| {
            mount::restrict(&tree, MountAttrFlags::MOUNT_ATTR_RDONLY, false)?;
            Ok(tree)
        })
        .map_err(at(path, Error::SandboxStart))?;
    let _ = EXECUTABLE.set(tree);
    Ok(())
}

pub fn run(
    mut request: RunRequest,
    sink: &dyn Fn(Stream, &[u8]),
    cancel: &Cancel,
) -> Result<RunReply, Error> {
    cancel.check()?;
    // Ends with the RUN.
    let _agents = agent::start_all(&request.mounts)?;
    let cgroup = request.cgroup.as_ref().map(Cgroup::create).transpose()?;
    let devices = tell_devices_apart(&mut request, cgroup.as_ref());
    let connection = request.connection.as_ref();
    let mut connected = connection
        .map(|connection| network::connect(connection, cancel))
        .transpose()?;
    let mut emulation = None;
    let outcome = network::with_network(connected.as_mut(), cancel, || {
        execute(&request, cgroup.as_ref(), (sink, cancel), &mut emulation)
    });
    drop(devices);
    let finished = emulation.and_then(Emulation::finish);
    let status = outcome?;
    finished.map_or(Ok(()), |finished| finished.save(&request.upper))?;
    let signal = status.terminating_signal();
    let exit_code = status.exit_status().unwrap_or(128 + signal.unwrap_or(0));
    let events = cgroup.map(|cgroup| cgroup.events()).unwrap_or_default();
    Ok(RunReply {
        exit_code,
        signal,
        oom_kills: events.oom_kills,
        pids_refused: events.pids_refused,
    })
}

/// Where it cannot be, nodes open only where they are mounted.
fn tell_devices_apart(request: &mut RunRequest, limits: Option<&Cgroup>) -> Option<DeviceGroup> {
    if request.device_nodes != Some(DeviceNodes::Listed) {
        return None;
    }
    let group = DeviceGroup::create(request, limits);
    request.device_group = group
        .as_ref()
        .and_then(|group| group.path())
        .map(Path::to_owned);
    request.device_nodes = group.as_ref().map(|_| DeviceNodes::Listed);
    group
}

/// Takes the output.
type Sink<'a> = &'a dyn Fn(Stream, &[u8]);

/// When it returns, the first process is reaped.
fn execute(
    request: &RunRequest,
    cgroup: Option<&Cgroup>,
    (sink, cancel): (Sink<'_>, &Cancel),
    emulation: &mut Option<Emulation>,
) -> Result<WaitStatus, Error> {
    let mut sandbox = start(request, cgroup)?;
    let first = FirstProcess::await_start(&mut sandbox, cancel, (request, emulation))?;
    first.await_end(&mut sandbox, sink, cancel)
}

/// The re-executed helper, and our ends of what it was given. It ends by itself once it has told of the
/// first process; what fails before that ends it here.
struct Sandbox {
    child: Child,
    channel: UnixStream,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(request: &RunRequest, cgroup: Option<&Cgroup>) -> Result<Sandbox, Error> {
    let executable = EXECUTABLE
        .get()
        .ok_or_else(|| Error::Request("mode plain cannot run".to_owned()))?;
    let path = format!("/proc/self/fd/{}", executable.as_raw_fd());
    let failed = || at("tsbuild-helper", Error::SandboxStart);
    let (channel, theirs) = UnixStream::pair().map_err(failed())?;
    let child = Command::new(path)
        .arg0("tsbuild-helper")
        .arg("sandbox")
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed())?;
    let mut sandbox = Sandbox { child, channel };
    // It waits for what it is to do: whatever it starts is in the group, too.
    cgroup.map_or(Ok(()), |cgroup| cgroup.add(sandbox.child.id()))?;
    let spec = serde_json::to_vec(request).map_err(|error| Error::Request(error.to_string()))?;
    // A sandbox that does not listen is found out below: it tells nothing.
    let _ = sandbox.channel.write_all(&spec);
    let _ = sandbox.channel.shutdown(Shutdown::Write);
    Ok(sandbox)
}

/// The command's process, from before it is the command. Our child: its id cannot be another's until
/// it is reaped, and it is killed and reaped in any case.
struct FirstProcess {
    pid: Pid,
    cancelled: bool,
    reaped: bool,
}

impl Drop for FirstProcess {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.reap();
        }
    }
}

impl FirstProcess {
    fn new(pid: Pid) -> FirstProcess {
        FirstProcess {
            pid,
            cancelled: false,
            reaped: false,
        }
    }

    /// Waits until the command is executed, which closes the channel, or could not be set up.
    fn await_start(
        sandbox: &mut Sandbox,
        cancel: &Cancel,
        (request, emulation): (&RunRequest, &mut Option<Emulation>),
    ) -> Result<FirstProcess, Error> {
        let mut told = Vec::new();
        let mut first: Option<FirstProcess> = None;
        let mut listener: Option<OwnedFd> = None;
        loop {
            if let Some(first) = &mut first {
                first.cancel_if(wait_readable(&sandbox.channel, cancel));
            }
            let mut buffer = [0; 4096];
            let (count, descriptor) = match receive(&sandbox.channel, &mut buffer) {
                Ok((0, _)) => break,
                Ok(received) => received,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            told.extend_from_slice(&buffer[..count]);
            if first.is_none() {
                first = messages(&told).find_map(started).map(FirstProcess::new);
            }
            // Who forks and who was forked tell in whatever order.
            listener = listener.or(descriptor);
            if let Some(first) = &first
                && let Some(listener) = listener.take()
            {
                *emulation = Some(Emulation::start(listener, first.pid, request)?);
            }
        }
        let _ = sandbox.child.wait();
        let is_ready = messages(&told).any(|message| matches!(message, Message::Ready));
        if let (Some(first), true) = (first, is_ready) {
            return Ok(first);
        }
        cancel.check()?;
        let failure = messages(&told).find_map(failure);
        Err(failure.unwrap_or_else(|| at("tsbuild-helper", Error::SandboxStart)(Errno::CHILD)))
    }

    fn cancel_if(&mut self, is_cancelled: bool) {
        if is_cancelled && !self.cancelled {
            let _ = kill_process(self.pid, Signal::KILL);
            self.cancelled = true;
        }
    }

    fn reap(&mut self) -> Result<WaitStatus, Error> {
        self.reaped = true;
        loop {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => return Ok(status),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(at("", Error::SandboxStart)(errno)),
            }
        }
    }

    /// Hands on the output until the process is gone and the pipes are empty.
    fn await_end(
        mut self,
        sandbox: &mut Sandbox,
        sink: &dyn Fn(Stream, &[u8]),
        cancel: &Cancel,
    ) -> Result<WaitStatus, Error> {
        let failed = || at("", Error::Streams);
        let ended = pidfd_open(self.pid, PidfdFlags::empty()).map_err(failed())?;
        let mut outputs = outputs(sandbox).map_err(failed())?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let cancel_fd = cancel.fd();
            let mut fds = vec![PollFd::new(&ended, PollFlags::IN)];
            fds.extend(
                outputs
                    .iter()
                    .map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)),
            );
            if !self.cancelled {
                fds.push(PollFd::new(&cancel_fd, PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(failed()(errno)),
            }
            let is_over = !fds[0].revents().is_empty();
            drop(fds);
            self.cancel_if(cancel.is_cancelled());
            // Once it is over nobody writes any more: what is in the pipes is all there is.
            outputs.retain(|(stream, pipe)| hand_on(*stream, pipe, &mut buffer, is_over, sink));
            if is_over {
                break;
            }
        }
        let status = self.reap()?;
        if self.cancelled {
            Err(Error::Cancelled)
        } else {
            Ok(status)
        }
    }
}

fn outputs(sandbox: &mut Sandbox) -> rustix::io::Result<Vec<(Stream, OwnedFd)>> {
    let stdout = sandbox
        .child
        .stdout
        .take()
        .map(|pipe| (Stream::Stdout, OwnedFd::from(pipe)));
    let stderr = sandbox
        .child
        .stderr
        .take()
        .map(|pipe| (Stream::Stderr, OwnedFd::from(pipe)));
    let outputs: Vec<_> = stdout.into_iter().chain(stderr).collect();
    for (_, pipe) in &outputs {
        rustix::fs::fcntl_setfl(pipe, OFlags::NONBLOCK)?;
    }
    Ok(outputs)
}

/// Reads once, or with `all` until there is nothing more. False at the pipe's end.
fn hand_on(
    stream: Stream,
    pipe: &OwnedFd,
    buffer: &mut [u8],
    all: bool,
    sink: &dyn Fn(Stream, &[u8]),
) -> bool {
    loop {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return false,
            Ok(count) => sink(stream, &buffer[..count]),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return true,
            Err(_) => return false,
        }
        if !all {
            return true;
        }
    }
}

/// Reads once; with what is read, a descriptor may come.
fn receive(
    channel: &UnixStream,
    buffer: &mut [u8],
) -> rustix::io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(buffer)];
    let received = recvmsg(channel, &mut bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((received.bytes, descriptors.next()))
}

/// True when the request was cancelled; else there is something to read.
fn wait_readable(channel: &UnixStream, cancel: &Cancel) -> bool {
    let cancel_fd = cancel.fd();
    let mut fds = vec![PollFd::from_borrowed_fd(channel.as_fd(), PollFlags::IN)];
    if !cancel.is_cancelled() {
        fds.push(PollFd::new(&cancel_fd, PollFlags::IN));
    }
    // When it fails, the read that follows waits instead.
    let _ = poll(&mut fds, None);
    cancel.is_cancelled()
}

/// The complete lines.
fn messages(told: &[u8]) -> impl Iterator<Item = Message> + '_ {
    told.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
}

fn started(message: Message) -> Option<Pid> {
    match message {
        Message::Started(pid) => Pid::from_raw(pid),
        Message::Ready | Message::Failed(_) => None,
    }
}

fn failure(message: Message) -> Option<Error> {
    match message {
        Message::Started(_) | Message::Ready => None,
        Message::Failed(error) => Some(Error::Reported(Box::new(error))),
    }
}
