//! The system calls that are answered in place of the kernel. No privileges.
//!
//! A 32-bit program's calls for 16-bit ids, which no C library of this century makes, go to the kernel,
//! and so do its calls of stat, whose answers have forms of their own.

/// What a call is, whatever it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Chown,
    Lchown,
    Fchown,
    Fchownat,
    Stat,
    Lstat,
    Fstat,
    Fstatat,
    Statx,
    Setuid,
    Setgid,
    Setreuid,
    Setregid,
    Setresuid,
    Setresgid,
    Setfsuid,
    Setfsgid,
    Setgroups,
    Getuid,
    Geteuid,
    Getgid,
    Getegid,
    Getresuid,
    Getresgid,
    Getgroups,
    Open,
    Openat,
    Openat2,
    Creat,
    Mkdir,
    Mkdirat,
    Symlink,
    Symlinkat,
    Mknod,
    Mknodat,
    Execve,
    Execveat,
    Listxattr,
    Llistxattr,
    Flistxattr,
    Chroot,
    Rename,
    Renameat,
    Link,
    Linkat,
    Prctl,
}

/// Which programs' calls of this name are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    All,
    Native,
    Foreign,
}

use Call::*;
use Of::*;

#[rustfmt::skip]
pub const CALLS: &[(&str, Call, Of)] = &[
    ("chown", Chown, Native), ("chown32", Chown, Foreign),
    ("lchown", Lchown, Native), ("lchown32", Lchown, Foreign),
    ("fchown", Fchown, Native), ("fchown32", Fchown, Foreign),
    ("fchownat", Fchownat, All),
    ("stat", Stat, Native), ("lstat", Lstat, Native), ("fstat", Fstat, Native),
    ("newfstatat", Fstatat, Native), ("statx", Statx, All),
    ("setuid", Setuid, Native), ("setuid32", Setuid, Foreign),
    ("setgid", Setgid, Native), ("setgid32", Setgid, Foreign),
    ("setreuid", Setreuid, Native), ("setreuid32", Setreuid, Foreign),
    ("setregid", Setregid, Native), ("setregid32", Setregid, Foreign),
    ("setresuid", Setresuid, Native), ("setresuid32", Setresuid, Foreign),
    ("setresgid", Setresgid, Native), ("setresgid32", Setresgid, Foreign),
    ("setfsuid", Setfsuid, Native), ("setfsuid32", Setfsuid, Foreign),
    ("setfsgid", Setfsgid, Native), ("setfsgid32", Setfsgid, Foreign),
    ("setgroups", Setgroups, Native), ("setgroups32", Setgroups, Foreign),
    ("getuid", Getuid, Native), ("getuid32", Getuid, Foreign),
    ("geteuid", Geteuid, Native), ("geteuid32", Geteuid, Foreign),
    ("getgid", Getgid, Native), ("getgid32", Getgid, Foreign),
    ("getegid", Getegid, Native), ("getegid32", Getegid, Foreign),
    ("getresuid", Getresuid, Native), ("getresuid32", Getresuid, Foreign),
    ("getresgid", Getresgid, Native), ("getresgid32", Getresgid, Foreign),
    ("getgroups", Getgroups, Native), ("getgroups32", Getgroups, Foreign),
    ("open", Open, All), ("openat", Openat, All), ("openat2", Openat2, All), ("creat", Creat, All),
    ("mkdir", Mkdir, All), ("mkdirat", Mkdirat, All),
    ("symlink", Symlink, All), ("symlinkat", Symlinkat, All),
    ("mknod", Mknod, All), ("mknodat", Mknodat, All),
    ("execve", Execve, All), ("execveat", Execveat, All),
    ("listxattr", Listxattr, All), ("llistxattr", Llistxattr, All), ("flistxattr", Flistxattr, All),
    ("chroot", Chroot, All), ("prctl", Prctl, All),
    ("rename", Rename, All), ("renameat", Renameat, All), ("renameat2", Renameat, All),
    ("link", Link, All), ("linkat", Linkat, All),
];

/// When a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// The argument has one of these bits.
    HasBit(u8, u64),
    /// The argument, an int, is this one.
    Is(u8, u64),
}

/// Of open, only what makes a file; of prctl, only what keeps capabilities.
pub fn when(call: Call) -> When {
    // O_TMPFILE without O_DIRECTORY, which alone makes nothing.
    let making = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;
    match call {
        Open => When::HasBit(1, making),
        Openat => When::HasBit(2, making),
        Prctl => When::Is(0, libc::PR_SET_KEEPCAPS as u64),
        _ => When::Always,
    }
}
