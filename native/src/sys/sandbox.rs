//! Raw system calls of the sandbox half: those that rustix lacks or marks unsafe. Privileges: the caller's.
//!
//! Everything here is called in a process that has one thread.

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

type Result<T> = std::result::Result<T, Errno>;

/// linux/landlock.h
const LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;

/// `struct sigaction` of the kernel: handler, flags, restorer and a mask of 8 bytes, all zero.
const DEFAULT_ACTION: [u64; 4] = [0; 4];

/// unshare(2).
pub fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: the process has one thread, so that no other is surprised by CLONE_FILES.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// fork(2). The child's id, or `None` in the child.
pub fn fork() -> Result<Option<Pid>> {
    // SAFETY: the process has one thread, so that no lock is held by a thread that the child lacks.
    checked(unsafe { libc::fork() }.into()).map(|pid| Pid::from_raw(pid as i32))
}

/// A fork whose child is the child of our parent, as CLONE_PARENT has it. `None` in the child.
pub fn fork_sibling() -> Result<Option<Pid>> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and with a null stack this is fork; the process has one thread.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags as libc::c_ulong, 0, 0, 0, 0) };
    checked(result).map(|pid| Pid::from_raw(pid as i32))
}

/// The same, into a control group of version 2. Linux 5.7.
pub fn fork_sibling_into(group: BorrowedFd<'_>) -> Result<Option<Pid>> {
    let arguments = CloneArguments {
        flags: libc::CLONE_PARENT as u64 | CLONE_INTO_CGROUP,
        cgroup: group.as_raw_fd() as u64,
        ..CloneArguments::default()
    };
    // SAFETY: without CLONE_VM and with a null stack this is fork; the process has one thread.
    let result = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<CloneArguments>(),
        )
    };
    checked(result).map(|pid| Pid::from_raw(pid as i32))
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The kernel's `struct clone_args`. With CLONE_PARENT the signal at the end is that of the caller's own.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Adds MOUNT_ATTR_* to a mount, and with `recursive` to all below it. Linux 5.12.
pub fn mount_setattr(tree: BorrowedFd<'_>, attributes: u64, recursive: bool) -> Result<()> {
    let mut change: libc::mount_attr = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let recurse = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, `change` is of the size that is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recurse,
            &raw mut change,
            size_of::<libc::mount_attr>(),
        )
    };
    checked(result).map(drop)
}

/// Brings up the loopback device of the network namespace.
pub fn loopback_up(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq.
    checked(
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }.into(),
    )
    .map(drop)
}

/// Marks every descriptor from `first` on to be closed by exec.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    // SAFETY: no descriptor is closed here.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    checked(result).map(drop)
}

/// Every signal's default disposition, and none blocked.
pub fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // Not by libc, which ignores two of its own in what it spawns, and refuses to touch them.
        // SAFETY: SIG_DFL runs no code of ours. SIGKILL and SIGSTOP are refused: fine.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT_ACTION.as_ptr(),
                std::ptr::null_mut::<u8>(),
                8,
            )
        };
    }
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Loads a seccomp filter without no_new_privs, for which CAP_SYS_ADMIN is needed.
pub fn load_filter(program: &[libc::sock_filter]) -> Result<()> {
    let header = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `header` points to a program of the length that it tells; the kernel reads it only.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            // What is run here needs no more protection from itself than outside.
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const header,
        )
    };
    checked(result).map(drop)
}

/// Takes the abstract Unix sockets of other processes out of reach, for this process and its children.
/// Linux 6.12 with Landlock; elsewhere nothing happens. Needs CAP_SYS_ADMIN, as no_new_privs is off.
pub fn scope_abstract_sockets() -> Result<()> {
    // struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped.
    let attributes: [u64; 3] = [0, 0, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET];
    // SAFETY: the kernel reads as many bytes as are told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            attributes.as_ptr(),
            size_of_val(&attributes),
            0,
        )
    };
    let rules = match checked(result) {
        // SAFETY: the descriptor is new, and nobody else's.
        Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd as RawFd) },
        Err(_) => return Ok(()),
    };
    // SAFETY: no memory is involved.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) })
        .map(drop)
}

/// execve(2). Comes back only when it fails.
pub fn execute(path: &CStr, argv: &[CString], env: &[CString]) -> Errno {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let all = strings.iter().map(|string| string.as_ptr());
        all.chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end in null and point to strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_error()
}

fn checked(result: libc::c_long) -> Result<libc::c_long> {
    if result < 0 {
        Err(last_error())
    } else {
        Ok(result)
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
