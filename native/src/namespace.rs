//! Enters the namespaces of a mode, and proves that an overlay can be mounted in them.
//!
//! Privileges, phase by phase, all in a process with one thread:
//! 1. `subids` and `single`: as the user. A user namespace gives every capability in it, and none
//!    outside. The ids are mapped from outside it by newuidmap and newgidmap, started by a child
//!    that was forked before, or by ourselves when one id is all there is.
//! 2. With CAP_SYS_ADMIN: a mount namespace, from which nothing propagates to the host's, and a PID
//!    namespace, whose first process is a fork that serves. The process that was started only waits.
//! 3. In the new PID namespace: a fresh /proc, and the probe.
//!
//! So the kernel ends whatever the helper started: when the waiting process dies, the serving one
//! gets SIGKILL; when the first process of a PID namespace dies, all others in it do; and with the
//! last process of a mount namespace its mounts go. The serving process has no orphans to reap: a
//! RUN's processes have a PID namespace of their own, whose first process is the serving one's child.

use crate::error::{Error, at, id_map};
use crate::protocol::{HelperError, Mode};
use crate::sys::sandbox as sys;
use crate::{mount, owner, run};
use rustix::fs::{CWD, Mode as Permissions, OFlags};
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getegid, geteuid, set_parent_process_death_signal,
    setsid, waitpid,
};
use rustix::thread::{
    Gid, Uid, UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

/// Forks; returns in the child that shall serve, single-threaded, stdin and stdout inherited.
pub fn enter(
    mode: Mode,
    uid_map: Option<&str>,
    gid_map: Option<&str>,
    scratch: Option<&Path>,
) -> Result<(), Error> {
    // A Ctrl-C at the terminal is for our caller to handle.
    let _ = setsid();
    let executable =
        std::fs::read_link("/proc/self/exe").map_err(at("/proc/self/exe", Error::SandboxStart))?;
    match (mode, uid_map, gid_map) {
        (Mode::Plain, ..) => return Ok(()),
        (Mode::Root, ..) => {}
        (Mode::Subids, Some(uids), Some(gids)) => enter_mapped(uids, gids)?,
        (Mode::Subids, ..) => {
            return Err(Error::Request("subids needs UIDMAP and GIDMAP".to_owned()));
        }
        (Mode::Single, uids, gids) => enter_single(uids, gids)?,
    }
    sys::unshare(UnshareFlags::NEWNS).map_err(at("", Error::MountNamespace))?;
    // What the host unmounts goes from here, too, so that we keep nothing of it busy.
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", downstream).map_err(at("/", Error::MountNamespace))?;
    sys::unshare(UnshareFlags::NEWPID).map_err(at("", Error::PidNamespace))?;
    let outer = std::process::id();
    if let Some(child) = sys::fork().map_err(at("", Error::PidNamespace))? {
        wait_for(child);
    }
    die_with_parent()?;
    mount_proc()?;
    run::keep_executable(&executable)?;
    scratch.map_or(Ok(()), |scratch| probe_overlay(scratch, outer))
}

/// Set anew after each fork and each change of ids: the kernel clears it then.
fn die_with_parent() -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(at("", Error::Thread))
}

/// What the started process does from now on: nothing, and end as its child does, by the same signal.
fn wait_for(child: Pid) -> ! {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                end_by_signal_of(status);
                std::process::exit(status.exit_status().unwrap_or(1))
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => std::process::exit(1),
        }
    }
}

/// Whoever kills a process of the helper has killed the helper: no rung is refused for that.
fn end_by_signal_of(status: WaitStatus) {
    if let Some(signal) = status.terminating_signal().and_then(Signal::from_named_raw) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    }
}

/// A user namespace with several ids. Ends as its uid 0 and gid 0.
fn enter_mapped(uid_map: &str, gid_map: &str) -> Result<(), Error> {
    let (created, tell_created) = pipe()?;
    let (mapped, tell_mapped) = pipe()?;
    let ourselves = rustix::process::getpid();
    let Some(mapper) = sys::fork().map_err(at("", Error::UserNamespace))? else {
        drop(tell_created);
        let failure = map_when_created(created, ourselves, uid_map, gid_map);
        let report = failure.and_then(|error| serde_json::to_vec(&error.to_wire()).ok());
        let _ = File::from(tell_mapped).write_all(&report.unwrap_or_default());
        std::process::exit(0);
    };
    drop((created, tell_mapped));
    let entered = sys::unshare(UnshareFlags::NEWUSER).map_err(at("", Error::UserNamespace));
    if entered.is_ok() {
        let _ = File::from(tell_created).write_all(b"1");
    } else {
        drop(tell_created);
    }
    let mut report = Vec::new();
    let read = File::from(mapped).read_to_end(&mut report);
    if let Ok(Some((_, status))) = waitpid(Some(mapper), WaitOptions::empty()) {
        end_by_signal_of(status);
    }
    entered?;
    read.map_err(at("", Error::UserNamespace))?;
    if let Ok(error) = serde_json::from_slice::<HelperError>(&report) {
        return Err(Error::Reported(Box::new(error)));
    }
    become_root()
}

/// In the mapper: waits for the namespace, then maps its ids. `None` when all went well.
fn map_when_created(created: OwnedFd, target: Pid, uids: &str, gids: &str) -> Option<Error> {
    let mut byte = [0];
    if File::from(created).read_exact(&mut byte).is_err() {
        return None;
    }
    map_ids(target, "uid_map", uids, "newuidmap")
        .and_then(|()| map_ids(target, "gid_map", gids, "newgidmap"))
        .err()
}

/// Writes the map when the kernel lets us (for a privileged caller), else asks the setuid tool.
fn map_ids(target: Pid, file: &str, map: &str, tool: &str) -> Result<(), Error> {
    let path = format!("/proc/{target}/{file}");
    if std::fs::write(&path, map_lines(map)).is_ok() {
        return Ok(());
    }
    let words = map.split([',', ':']);
    let output = Command::new(tool)
        .arg(target.to_string())
        .args(words)
        .output()
        .map_err(|error| {
            let reason = format!("{tool} cannot be started: {error}");
            id_map(tool, reason)(error)
        })?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(id_map(tool, reason)(rustix::io::Errno::PERM))
}

/// `inside:outside:count[,…]` in the kernel's form.
fn map_lines(map: &str) -> String {
    map.replace(':', " ").replace(',', "\n")
}

/// A user namespace in which only uid 0 and gid 0 exist: by default, ours.
fn enter_single(uid_map: Option<&str>, gid_map: Option<&str>) -> Result<(), Error> {
    let own_uid = format!("0:{}:1", geteuid().as_raw());
    let own_gid = format!("0:{}:1", getegid().as_raw());
    sys::unshare(UnshareFlags::NEWUSER).map_err(at("", Error::UserNamespace))?;
    let write = |path: &str, text: String| {
        std::fs::write(path, &text).map_err(|error| {
            let reason = format!("{path} refuses {text:?}");
            id_map(path, reason)(error)
        })
    };
    owner::there_is_only_one_id();
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", map_lines(uid_map.unwrap_or(&own_uid)))?;
    write("/proc/self/gid_map", map_lines(gid_map.unwrap_or(&own_gid)))?;
    become_root()
}

/// Uid 0 and gid 0 of the user namespace.
fn become_root() -> Result<(), Error> {
    // Refused where there is one gid; then the groups are the user's, and stand for nothing here.
    let _ = set_thread_groups(&[]);
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    set_thread_res_gid(gid, gid, gid).map_err(at("0", Error::User))?;
    set_thread_res_uid(uid, uid, uid).map_err(at("0", Error::User))?;
    die_with_parent()
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe_with(PipeFlags::CLOEXEC).map_err(at("", Error::UserNamespace))
}

fn mount_proc() -> Result<(), Error> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let target = rustix::fs::open(
        "/proc",
        OFlags::PATH | OFlags::CLOEXEC,
        Permissions::empty(),
    );
    mount::filesystem("proc", &[], flags)
        .and_then(|tree| mount::attach(&tree, &target?))
        .map_err(at("/proc", Error::ProcMount))
}

/// Does once what each RUN will do: mounts an overlay, and removes and replaces what lies below.
fn probe_overlay(scratch: &Path, outer: u32) -> Result<(), Error> {
    let probe = scratch.join(format!("probe-{outer}"));
    let failed = || at(&probe, Error::OverlayMount);
    let _ = std::fs::remove_dir_all(&probe);
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| probe.join(name));
    for directory in [&lower.join("directory/below"), &upper, &work, &merged] {
        std::fs::create_dir_all(directory).map_err(failed())?;
    }
    std::fs::write(lower.join("file"), b"").map_err(failed())?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let target = rustix::fs::open(&merged, flags, Permissions::empty())
        .map_err(at(&merged, Error::OverlayMount))?;
    mount::overlay(&[lower], Some((&upper, &work)), &target)?;
    drop(target);
    let used = use_overlay(&merged).map_err(failed());
    rustix::mount::unmount(&merged, UnmountFlags::empty())
        .map_err(at(&merged, Error::OverlayMount))?;
    std::fs::remove_dir_all(&probe).map_err(failed())?;
    used
}

/// A whiteout, an opaque directory (which needs user xattrs), and mount_setattr.
fn use_overlay(merged: &Path) -> Result<(), std::io::Error> {
    std::fs::remove_file(merged.join("file"))?;
    std::fs::remove_dir_all(merged.join("directory"))?;
    std::fs::create_dir(merged.join("directory"))?;
    let flags = rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE
        | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, merged, flags)?;
    mount::restrict(&tree, MountAttrFlags::MOUNT_ATTR_RDONLY, true)?;
    Ok(())
}
