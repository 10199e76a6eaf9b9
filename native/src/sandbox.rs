//! Becomes the command of a RUN: the helper, executed anew by `run`, with one thread.
//!
//! Stdin is a socket: the request comes in, and what became of it goes out, as lines of JSON. Phases:
//! 1. As the helper: enter a new PID namespace, and fork its first process as a sibling, so that the
//!    helper itself can wait for it and kill it. Tell its id, and end.
//! 2. In the fork, with the helper's privileges: the other namespaces, the root filesystem, and the
//!    pivot into it. From here on nothing of the host is within reach but descriptors 0 to 2 and
//!    those that exec closes.
//! 3. In the root: host name, working directory, streams, limits.
//! 4. Down: bounding set, groups, gid, uid (keeping the permitted set), then the filter, for which
//!    CAP_SYS_ADMIN is needed once more because no_new_privs stays off (sudo and ping are to work),
//!    then the capabilities of the command. Nothing but exec comes after. With emulated ids, the user
//!    stays root, and what the filter notifies of goes to `identity`, in the helper.
//!
//! The command is PID 1 (EX-1): when it ends, the kernel ends what it left behind, and the mounts.

use crate::error::{Error, at};
use crate::protocol::{
    Connection, Network, ProcessSpec, ResourceLimit, RunRequest, SeccompProfile,
};
use crate::root::Root;
use crate::seccomp::{self, Rest};
use crate::sys::{notify, sandbox as sys};
use crate::{capability, command, owner};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socket_with,
};
use rustix::process::{Gid, Pid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// Of a RUN that no limit was given, unless it asks for more.
const MOST_DESCRIPTORS: u64 = 65_536;

/// What the sandbox tells `run`, one on a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// The id of the RUN's first process, in the helper's PID namespace.
    Started(i32),
    /// All is set up: what ends from now on is the command.
    Ready,
    /// The RUN could not be set up.
    Failed(crate::protocol::HelperError),
}

pub fn main() -> ExitCode {
    let Ok(input) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut channel = UnixStream::from(input);
    let outcome = start(&mut channel).and_then(|request| match request {
        None => Ok(()),
        Some(request) => {
            become_command(&request, &mut channel).map(|code| std::process::exit(code))
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&mut channel, &Message::Failed(error.to_wire()));
            ExitCode::FAILURE
        }
    }
}

/// The first phase. `None` in the process that ends, the request in the one that goes on.
fn start(channel: &mut UnixStream) -> Result<Option<RunRequest>, Error> {
    let mut request = Vec::new();
    channel
        .read_to_end(&mut request)
        .map_err(at("", Error::SandboxStart))?;
    let mut request: RunRequest =
        serde_json::from_slice(&request).map_err(|error| Error::Request(error.to_string()))?;
    sys::unshare(UnshareFlags::NEWPID).map_err(at("", Error::SandboxNamespaces))?;
    let Some(child) = fork_first(&mut request)? else {
        return Ok(Some(request));
    };
    tell(channel, &Message::Started(child.as_raw_pid()));
    Ok(None)
}

/// Forks the first process, into the group of its devices if there is one: it is in no moment without.
fn fork_first(request: &mut RunRequest) -> Result<Option<Pid>, Error> {
    if let Some(path) = request.device_group.take() {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let forked = rustix::fs::open(&path, flags, Mode::empty())
            .and_then(|group| sys::fork_sibling_into(group.as_fd()));
        if let Ok(forked) = forked {
            return Ok(forked);
        }
        request.device_nodes = None;
    }
    sys::fork_sibling().map_err(at("", Error::SandboxStart))
}

fn tell(channel: &mut UnixStream, message: &Message) {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    // When nobody listens, there is nobody to tell that to.
    let _ = channel.write_all(&line);
}

/// The other phases. Comes back with an exit code when the command cannot be executed.
fn become_command(request: &RunRequest, channel: &mut UnixStream) -> Result<i32, Error> {
    let process = &request.process;
    if process.emulate_ids {
        // The namespace that the helper entered is not known to what it executes.
        owner::there_is_only_one_id();
    }
    let capabilities = capability::parse(&process.capabilities)?;
    let filter = filter(process)?;
    enter_namespaces(request)?;
    let mut root = Root::mount(request)?;
    root.perform(&request.mounts)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(at("/dev/null", Error::Streams))?;
    root.pivot()?;

    rustix::system::sethostname(request.hostname.as_bytes()).map_err(at("", Error::Hostname))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    enter_directory(Path::new(&process.cwd))?;
    set_streams(null, process)?;
    bound_descriptors().map_err(at("nofile", Error::ResourceLimit))?;
    // The emulation keeps a note of its own in the limit of locks, which stands for nothing else.
    let is_free = |limit: &&ResourceLimit| !(process.emulate_ids && limit.name == "locks");
    process
        .limits
        .iter()
        .filter(is_free)
        .try_for_each(set_limit)?;

    capability::bound(capabilities)?;
    change_user(process)?;
    capability::raise()?;
    if let Some(filter) = filter {
        // On the host's network, its abstract sockets are in reach: an X server, a session's bus.
        sys::scope_abstract_sockets().map_err(at("", Error::Seccomp))?;
        load(&filter, process.emulate_ids, channel)?;
    }
    // The kernel gives root the bounding set at exec, and nobody else anything.
    let root_only = if process.uid == 0 || process.emulate_ids {
        capabilities
    } else {
        CapabilitySet::empty()
    };
    capability::keep(root_only)?;
    tell(channel, &Message::Ready);
    Ok(command::execute(&process.argv, &process.env))
}

fn filter(process: &ProcessSpec) -> Result<Option<Vec<libc::sock_filter>>, Error> {
    let none = SeccompProfile { rules: Vec::new() };
    match (&process.seccomp, process.emulate_ids) {
        (profile, true) => {
            let profile = profile.as_ref().unwrap_or(&none);
            seccomp::program(profile, Rest::Emulate).map(Some)
        }
        (Some(profile), false) => seccomp::program(profile, Rest::Allow).map(Some),
        (None, false) => Ok(None),
    }
}

/// Loads the filter; the helper gets the descriptor that it notifies by, if it does.
fn load(filter: &[libc::sock_filter], emulate: bool, channel: &UnixStream) -> Result<(), Error> {
    if !emulate {
        return sys::load_filter(filter).map_err(at("", Error::Seccomp));
    }
    let listener = notify::load_filter(filter).map_err(at("", Error::Emulation))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A descriptor goes with a byte; an empty line says nothing.
    let line = [IoSlice::new(b"\n")];
    sendmsg(channel, &line, &mut control, SendFlags::empty())
        .map(drop)
        .map_err(at("", Error::Emulation))
}

fn enter_namespaces(request: &RunRequest) -> Result<(), Error> {
    let network = request.network;
    let _ = rustix::process::setsid();
    if network == Network::Private {
        enter_network(request)?;
    }
    let mut flags =
        UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    flags.set(UnshareFlags::NEWNET, network == Network::None);
    sys::unshare(flags).map_err(at("", Error::SandboxNamespaces))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(at("/", Error::SandboxNamespaces))?;
    if network == Network::None {
        socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .and_then(|socket| sys::loopback_up(socket.as_fd()))
        .map_err(at("", Error::Loopback))?;
    }
    Ok(())
}

/// The one that is connected already, by `network`.
fn enter_network(request: &RunRequest) -> Result<(), Error> {
    let Some(Connection { place, .. }) = &request.connection else {
        return Err(Error::Request(
            "a private network needs a connection".to_owned(),
        ));
    };
    rustix::fs::open(place, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|namespace| {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind)
        })
        .map_err(at(place, Error::NetworkNamespace))
}

/// As root: what is made belongs to it, and it may enter what the user may not (EX-11).
fn enter_directory(path: &Path) -> Result<(), Error> {
    if !path.is_absolute() {
        return Err(at(path, Error::WorkingDirectory)(Errno::INVAL));
    }
    std::fs::create_dir_all(path).map_err(at(path, Error::WorkingDirectory))?;
    rustix::process::chdir(path).map_err(at(path, Error::WorkingDirectory))
}

/// Stdin is empty. Stdout and stderr are the pipes that we got; they become the user's, so that
/// writing to /dev/stdout works for it. Nothing else stays open.
fn set_streams(host_null: OwnedFd, process: &ProcessSpec) -> Result<(), Error> {
    let failed = || at("", Error::Streams);
    let null = own_null().unwrap_or(host_null);
    rustix::stdio::dup2_stdin(&null).map_err(failed())?;
    let (uid, gid) = kernel_ids(process);
    // Fails for a user that does not exist here, which is told when we become it.
    let _ = rustix::fs::fchown(std::io::stdout(), Some(uid), Some(gid));
    let _ = rustix::fs::fchown(std::io::stderr(), Some(uid), Some(gid));
    sys::close_on_exec_from(3).map_err(failed())
}

/// The sandbox's own /dev/null, if it has the real one.
fn own_null() -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&null).ok()?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    (is_device && stat.st_rdev == rustix::fs::makedev(1, 3)).then_some(null)
}

/// Node has raised its own limit as far as it may. Old programs close as many before they start
/// others: with a million that takes minutes (EX-10). Who needs more may still ask for it.
fn bound_descriptors() -> Result<(), Errno> {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|soft| soft <= MOST_DESCRIPTORS) {
        return Ok(());
    }
    limit.current = Some(MOST_DESCRIPTORS);
    rustix::process::setrlimit(Resource::Nofile, limit)
}

fn set_limit(limit: &ResourceLimit) -> Result<(), Error> {
    let resource = match limit.name.as_str() {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        name => return Err(Error::Request(format!("unknown resource limit {name:?}"))),
    };
    let values = Rlimit {
        current: u64::try_from(limit.soft).ok(),
        maximum: u64::try_from(limit.hard).ok(),
    };
    rustix::process::setrlimit(resource, values).map_err(at(&limit.name, Error::ResourceLimit))
}

/// Who the command is to the kernel.
fn kernel_ids(process: &ProcessSpec) -> (Uid, Gid) {
    if process.emulate_ids {
        return (Uid::ROOT, Gid::ROOT);
    }
    (Uid::from_raw(process.uid), Gid::from_raw(process.gid))
}

fn change_user(process: &ProcessSpec) -> Result<(), Error> {
    use rustix::thread;
    let groups: &[u32] = if process.emulate_ids {
        &[]
    } else {
        &process.groups
    };
    let groups: Vec<_> = groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = kernel_ids(process);
    match thread::set_thread_groups(&groups) {
        // In a namespace with one gid there are no others to have.
        Err(Errno::PERM) if groups.iter().all(|group| *group == gid) => {}
        outcome => outcome.map_err(at(format!("{:?}", process.groups), Error::User))?,
    }
    thread::set_keep_capabilities(true).map_err(at("", Error::Capabilities))?;
    thread::set_thread_res_gid(gid, gid, gid).map_err(at(process.gid.to_string(), Error::User))?;
    thread::set_thread_res_uid(uid, uid, uid).map_err(at(process.uid.to_string(), Error::User))?;
    // After the change of ids, which clears it. The helper's PID namespace is the stronger promise.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(at("", Error::SandboxStart))
}
