//! Raw system calls of who answers for the kernel: seccomp's notifications, and the memory and limits of
//! the processes that wait. Privileges: CAP_SYS_PTRACE and CAP_SYS_RESOURCE over them.

use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

type Result<T> = std::result::Result<T, Errno>;

/// linux/seccomp.h.
mod request {
    pub const RECEIVE: libc::c_ulong = 0xc050_2100;
    pub const SEND: libc::c_ulong = 0xc018_2101;
    pub const IS_VALID: libc::c_ulong = 0x4008_2102;
    pub const ADD_FD: libc::c_ulong = 0x4018_2103;
    pub const SET_FLAGS: libc::c_ulong = 0x4008_2104;
}
const SYNC_WAKE_UP: u64 = 1;

/// A process's call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub id: u64,
    /// Its thread, in our PID namespace.
    pub thread: u32,
    pub number: u32,
    /// `AUDIT_ARCH_*`.
    pub architecture: u32,
    pub arguments: [u64; 6],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The kernel shall perform the call.
    Continue,
    Return(i64),
    Fail(Errno),
    /// It was answered already.
    Given,
}

/// Loads a filter, as `sandbox::load_filter` does, whose notifications come from the descriptor.
pub fn load_filter(program: &[libc::sock_filter]) -> Result<OwnedFd> {
    let header = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    let load = |flags: libc::c_ulong| {
        // SAFETY: `header` points to a program of the length that it tells; the kernel reads it only.
        checked(unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW
                    | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER
                    | flags,
                &raw const header,
            )
        })
    };
    // No signal makes a call begin anew that was performed already. Linux 5.19.
    let fd = match load(libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::INVAL) => load(0),
        outcome => outcome,
    }?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Has whoever is answered run on the processor of who answers. Without effect before Linux 6.6.
pub fn wake_at_once(listener: BorrowedFd<'_>) {
    // SAFETY: the argument is a number.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), request::SET_FLAGS as _, SYNC_WAKE_UP) };
}

/// The next call. NOENT: who called is gone.
pub fn receive(listener: BorrowedFd<'_>) -> Result<Call> {
    // SAFETY: all zeros is a valid one, and what the kernel wants to get.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a seccomp_notif.
    let outcome =
        unsafe { libc::ioctl(listener.as_raw_fd(), request::RECEIVE as _, &raw mut call) };
    checked(outcome.into())?;
    Ok(Call {
        id: call.id,
        thread: call.pid,
        number: call.data.nr as u32,
        architecture: call.data.arch,
        arguments: call.data.args,
    })
}

/// Whether who called still waits: else its number may be another's by now.
pub fn still_waits(listener: BorrowedFd<'_>, call: &Call) -> bool {
    // SAFETY: the kernel reads a number of 64 bits.
    let outcome = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            request::IS_VALID as _,
            &raw const call.id,
        )
    };
    outcome == 0
}

/// NOENT: who called is gone.
pub fn answer(listener: BorrowedFd<'_>, call: &Call, answer: Answer) -> Result<()> {
    let (val, error, flags) = match answer {
        Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Return(value) => (value, 0, 0),
        Answer::Fail(errno) => (0, -errno.raw_os_error(), 0),
        Answer::Given => return Ok(()),
    };
    let mut response = libc::seccomp_notif_resp {
        id: call.id,
        val,
        error,
        flags,
    };
    // SAFETY: the kernel reads a seccomp_notif_resp.
    checked(
        unsafe { libc::ioctl(listener.as_raw_fd(), request::SEND as _, &raw mut response) }.into(),
    )
    .map(drop)
}

/// Answers with a descriptor of its own for what `file` is.
pub fn answer_file(
    listener: BorrowedFd<'_>,
    call: &Call,
    file: BorrowedFd<'_>,
    close_on_exec: bool,
) -> Result<()> {
    let at_once = libc::SECCOMP_ADDFD_FLAG_SEND as u32;
    match add_file(listener, call, (file, close_on_exec), at_once) {
        // Before Linux 5.14.
        Err(Errno::INVAL) => answer_file_in_steps(listener, call, (file, close_on_exec)),
        outcome => outcome.map(drop),
    }
}

/// A caller that is interrupted between the two keeps a descriptor too many.
fn answer_file_in_steps(
    listener: BorrowedFd<'_>,
    call: &Call,
    given: (BorrowedFd<'_>, bool),
) -> Result<()> {
    let number = add_file(listener, call, given, 0)?;
    answer(listener, call, Answer::Return(number))
}

/// Gives who called a descriptor; its number there.
fn add_file(
    listener: BorrowedFd<'_>,
    call: &Call,
    (file, close_on_exec): (BorrowedFd<'_>, bool),
    flags: u32,
) -> Result<i64> {
    let mut added = libc::seccomp_notif_addfd {
        id: call.id,
        flags,
        srcfd: file.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec {
            libc::O_CLOEXEC as u32
        } else {
            0
        },
    };
    // SAFETY: the kernel reads a seccomp_notif_addfd.
    checked(
        unsafe { libc::ioctl(listener.as_raw_fd(), request::ADD_FD as _, &raw mut added) }.into(),
    )
}

/// Reads a process's memory; less than the buffer when not all of it is there.
pub fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> Result<usize> {
    let theirs = span(address as *mut u8, buffer.len());
    let ours = span(buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `ours` is the buffer; what `theirs` is, the kernel checks.
    let read = unsafe {
        libc::process_vm_readv(thread as i32, &raw const ours, 1, &raw const theirs, 1, 0)
    };
    checked(read as i64).map(|count| count as usize)
}

/// Writes all of the bytes, or fails.
pub fn write_memory(thread: u32, address: u64, bytes: &[u8]) -> Result<()> {
    let theirs = span(address as *mut u8, bytes.len());
    let ours = span(bytes.as_ptr().cast_mut(), bytes.len());
    // SAFETY: `ours` is only read; what `theirs` is, the kernel checks.
    let written = unsafe {
        libc::process_vm_writev(thread as i32, &raw const ours, 1, &raw const theirs, 1, 0)
    };
    match checked(written as i64)? {
        count if count as usize == bytes.len() => Ok(()),
        _ => Err(Errno::FAULT),
    }
}

fn span(start: *mut u8, length: usize) -> libc::iovec {
    libc::iovec {
        iov_base: start.cast(),
        iov_len: length,
    }
}

/// The soft limit on file locks, which the kernel hands down and never looks at.
pub fn lock_limit(thread: u32) -> Result<u64> {
    limit(thread, None).map(|limit| limit.soft)
}

/// Sets the soft limit, and leaves the hard one.
pub fn set_lock_limit(thread: u32, soft: u64) -> Result<()> {
    let mut changed = limit(thread, None)?;
    changed.soft = soft;
    limit(thread, Some(&changed)).map(drop)
}

/// The kernel's `struct rlimit64`, which not every C library has.
#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

fn limit(thread: u32, new: Option<&Limit>) -> Result<Limit> {
    let mut old = Limit { soft: 0, hard: 0 };
    // SAFETY: both are what the kernel calls an rlimit64, or null.
    checked(unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            thread as libc::pid_t,
            libc::RLIMIT_LOCKS,
            new.map_or(std::ptr::null(), std::ptr::from_ref),
            &raw mut old,
        )
    })?;
    Ok(old)
}

/// The kernel's `struct stat` of a path.
pub type StatBytes = [u8; size_of::<libc::stat>()];

/// stat(2) in the kernel's form.
pub fn stat(path: &CStr, flags: i32) -> Result<StatBytes> {
    let mut stat = [0; size_of::<libc::stat>()];
    // SAFETY: the kernel writes a stat, which the buffer has room for, at any address.
    checked(unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            path.as_ptr(),
            stat.as_mut_ptr(),
            flags,
        )
    })?;
    Ok(stat)
}

/// The size of the kernel's `struct statx`.
pub type StatxBytes = [u8; 256];

/// statx(2) in the kernel's form.
pub fn statx(path: &CStr, flags: i32, mask: u32) -> Result<StatxBytes> {
    let mut stat = [0; 256];
    // SAFETY: the kernel writes a statx, which has 256 bytes, at any address.
    checked(unsafe {
        libc::syscall(
            libc::SYS_statx,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            mask,
            stat.as_mut_ptr(),
        )
    })?;
    Ok(stat)
}

/// Gives this thread a root and a working directory of its own.
pub fn own_directories() -> Result<()> {
    // SAFETY: no memory and no descriptors become the thread's own.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }
}

fn checked(result: libc::c_long) -> Result<libc::c_long> {
    if result < 0 {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::sync::mpsc::channel;

    /// Has `answer` answer one dup(2) of a thread with a file, and reads what the thread got.
    fn given(
        answer: fn(BorrowedFd<'_>, &Call, BorrowedFd<'_>) -> Result<()>,
    ) -> std::io::Result<String> {
        // LD number; JEQ dup: RET notify; RET allow.
        let step = |code: u32, jf: u8, k: u32| libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf,
            k,
        };
        let filter = [
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            step(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                1,
                libc::SYS_dup as u32,
            ),
            step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_USER_NOTIF),
            step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            // Without privileges a filter is for those who give them up.
            rustix::thread::set_no_new_privs(true)?;
            let _ = tell.send(load_filter(&filter)?);
            // SAFETY: the argument is a number; whatever comes back is a new descriptor.
            let number = checked(unsafe { libc::dup(0) }.into())?;
            // SAFETY: it was made for this call.
            let mut file = File::from(unsafe { OwnedFd::from_raw_fd(number as i32) });
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(text)
        });
        let listener = told.recv().map_err(std::io::Error::other)?;
        let call = receive(listener.as_fd())?;
        let file = File::open("/proc/sys/kernel/ostype")?;
        answer(listener.as_fd(), &call, file.as_fd())?;
        thread.join().unwrap_or_else(|_| Ok("a panic".to_owned()))
    }

    #[test]
    fn a_file_is_given_at_once_and_in_steps() -> std::io::Result<()> {
        let at_once = given(|listener, call, file| answer_file(listener, call, file, true))?;
        let in_steps =
            given(|listener, call, file| answer_file_in_steps(listener, call, (file, true)))?;
        assert_eq!(at_once, "Linux\n");
        assert_eq!(in_steps, "Linux\n");
        Ok(())
    }
}
