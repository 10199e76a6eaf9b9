//! A network of a RUN's own, connected by pasta or slirp4netns. Privileges: those of the mode.
//!
//! A thread that does nothing else makes the network namespace, and binds it to a file, so that it
//! outlives the thread and the tool finds it by a path: by way of /proc it may not, for it drops its
//! privileges first. The mount is one of the helper's own mount namespace; nothing of it stays when the
//! helper is killed. The tool is our child, in our PID namespace: it ends with the step, or with us.

use crate::cancel::Cancel;
use crate::error::{Error, at, connection};
use crate::protocol::{Connection, ConnectionTool};
use crate::sys::network as sys;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// What connects a RUN, for as long as it lives. Dropped in this order.
pub struct Connected {
    tool: Tool,
    program: PathBuf,
    namespace: Namespace,
}

struct Tool(Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where it is mounted.
struct Namespace(PathBuf);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

impl Connected {
    /// Why the network is no more, once the tool has ended.
    fn failure(&mut self) -> Error {
        let status = self.tool.0.wait().ok();
        let words = std::fs::read_to_string(log_of(&self.namespace.0)).unwrap_or_default();
        let status = status.map_or_else(String::new, |status| format!("{status}: "));
        let reason = format!("it ended before the step did ({status}{})", reason(&words));
        connection(&self.program, reason)(Errno::NETDOWN)
    }
}

/// Does what needs the network, and ends it early when the tool ends first: what waits for an answer
/// from a network that is gone may wait forever.
pub fn with_network<T>(
    connected: Option<&mut Connected>,
    cancel: &Cancel,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let Some(connected) = connected else {
        return work();
    };
    let failed = || at(&connected.program, Error::NetworkTool);
    let ended = end_of(&connected.tool).map_err(failed())?;
    let is_cut_off = AtomicBool::new(false);
    let (until, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(failed())?;
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            if ends_before(&ended, &until) {
                is_cut_off.store(true, Ordering::Release);
                cancel.cancel();
            }
        });
        let outcome = work();
        drop(stop);
        outcome
    });
    match outcome {
        Err(Error::Cancelled) if is_cut_off.load(Ordering::Acquire) => Err(connected.failure()),
        outcome => outcome,
    }
}

/// A descriptor that can be read when it has ended.
fn end_of(tool: &Tool) -> Result<OwnedFd, Errno> {
    let pid = i32::try_from(tool.0.id()).ok().and_then(Pid::from_raw);
    pidfd_open(pid.ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

fn ends_before(tool: &OwnedFd, until: &OwnedFd) -> bool {
    let mut fds = [
        PollFd::new(tool, PollFlags::IN),
        PollFd::new(until, PollFlags::IN),
    ];
    while let Err(Errno::INTR) = poll(&mut fds, None) {}
    fds[1].revents().is_empty()
}

fn log_of(place: &Path) -> PathBuf {
    place.with_extension("log")
}

/// Makes the namespace and waits until the tool has connected it.
pub fn connect(connection: &Connection, cancel: &Cancel) -> Result<Connected, Error> {
    let place = &connection.place;
    File::create(place).map_err(at(place, Error::NetworkNamespace))?;
    make_namespace(place).map_err(at(place, Error::NetworkNamespace))?;
    let namespace = Namespace(place.clone());
    let log = log_of(place);
    let mut tool = Tool(start(connection, &log)?);
    await_ready(&mut tool.0, connection, &log, cancel)?;
    Ok(Connected {
        tool,
        program: connection.program.clone(),
        namespace,
    })
}

fn make_namespace(place: &Path) -> Result<(), Errno> {
    let place = place.to_owned();
    let thread = std::thread::Builder::new().spawn(move || {
        sys::own_network()?;
        rustix::mount::mount_bind("/proc/thread-self/ns/net", &place)
    });
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    thread
        .map_err(failed)?
        .join()
        .unwrap_or(Err(Errno::NOTRECOVERABLE))
}

/// Its output tells when it is ready; what it has to say goes to a file, which cannot be full.
fn start(connection: &Connection, log: &Path) -> Result<Child, Error> {
    let failed = || at(&connection.program, Error::NetworkTool);
    let log = File::create(log).map_err(failed())?;
    Command::new(&connection.program)
        .args(arguments(connection))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(failed())
}

/// Either gives the step 10.0.2.100, and the gateway 10.0.2.2.
fn arguments(connection: &Connection) -> Vec<String> {
    let words = match connection.tool {
        ConnectionTool::Pasta => {
            // As root it would become nobody, who may not look into our directory. It gives up its
            // capabilities, and its root directory, all the same.
            "--foreground --quiet --runas 0 --config-net --ns-ifname eth0 \
             --address 10.0.2.100 --netmask 24 --gateway 10.0.2.2 \
             --tcp-ports none --udp-ports none --tcp-ns none --udp-ns none --pid /proc/self/fd/1"
        }
        ConnectionTool::Slirp4netns => {
            "--configure --mtu=65520 --enable-sandbox --enable-seccomp --ready-fd=1 --netns-type=path"
        }
    };
    let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let place = connection.place.display().to_string();
    match connection.tool {
        ConnectionTool::Pasta => {
            if !connection.host_loopback {
                arguments.push("--no-map-gw".to_owned());
            }
            if connection.resolver {
                // Replies of the host's resolver seem to come from there, whoever was asked.
                arguments.extend(["--dns-forward".to_owned(), "10.0.2.3".to_owned()]);
            }
            arguments.extend(["--netns".to_owned(), place]);
        }
        ConnectionTool::Slirp4netns => {
            if !connection.host_loopback {
                arguments.push("--disable-host-loopback".to_owned());
            }
            arguments.extend([place, "eth0".to_owned()]);
        }
    }
    arguments
}

fn await_ready(
    tool: &mut Child,
    wanted: &Connection,
    log: &Path,
    cancel: &Cancel,
) -> Result<(), Error> {
    let failed = || at(&wanted.program, Error::NetworkTool);
    let Some(output) = tool.stdout.take() else {
        return Err(failed()(Errno::PIPE));
    };
    let cancel_fd = cancel.fd();
    let mut fds = [
        PollFd::new(&output, PollFlags::IN),
        PollFd::new(&cancel_fd, PollFlags::IN),
    ];
    loop {
        match poll(&mut fds, None) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed()(errno)),
        }
    }
    cancel.check()?;
    let mut buffer = [0; 64];
    if rustix::io::read(&output, &mut buffer).map_err(failed())? > 0 {
        return Ok(());
    }
    let words = std::fs::read_to_string(log).unwrap_or_default();
    Err(connection(&wanted.program, reason(&words))(Errno::IO))
}

/// What the tool said, in one line.
fn reason(words: &str) -> String {
    let lines: Vec<&str> = words
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("WARNING"))
        .collect();
    let last = lines.len().saturating_sub(3);
    match lines.get(last..) {
        Some(lines) if !lines.is_empty() => lines.join("; "),
        _ => "it ended without a word".to_owned(),
    }
}
