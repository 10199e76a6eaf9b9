//! The numbers of the system calls that a seccomp rule may name. No privileges.
//!
//! Sources: the kernel's system call tables of each architecture, as the `libc` crate has them.

/// An architecture's calling convention; its place in the columns of [`CALLS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // Each target uses two of them.
pub enum Abi {
    X86_64 = 0,
    I386 = 1,
    Aarch64 = 2,
    Arm = 3,
}

/// The last call that was looked at when the table was made: `removexattrat`. From 424 on, a call
/// has the same number on every architecture.
pub const HIGHEST_KNOWN: u32 = 466;

/// The call's number, `Some(None)` when the architecture has no such call, `None` for an unknown name.
pub fn number(name: &str, abi: Abi) -> Option<Option<u32>> {
    let found = CALLS.binary_search_by(|(call, _)| (*call).cmp(name)).ok()?;
    Some(u32::try_from(CALLS[found].1[abi as usize]).ok())
}

const NONE: i32 = -1;

/// Sorted by name; columns x86_64, i386, aarch64, arm (EABI).
#[rustfmt::skip]
const CALLS: &[(&str, [i32; 4])] = &[
    ("_sysctl", [156, 149, NONE, 149]),
    ("acct", [163, 51, 89, 51]),
    ("add_key", [248, 286, 217, 309]),
    ("adjtimex", [159, 124, 171, 124]),
    ("afs_syscall", [183, 137, NONE, NONE]),
    ("bdflush", [NONE, 134, NONE, 134]),
    ("bpf", [321, 357, 280, 386]),
    ("chown", [92, 182, NONE, 182]),
    ("chown32", [NONE, 212, NONE, 212]),
    ("chroot", [161, 61, 51, 61]),
    ("clock_settime", [227, 264, 112, 262]),
    ("clock_settime64", [NONE, 404, NONE, 404]),
    ("clone", [56, 120, 220, 120]),
    ("clone3", [435, 435, 435, 435]),
    ("creat", [85, 8, NONE, 8]),
    ("create_module", [174, 127, NONE, NONE]),
    ("delete_module", [176, 129, 106, 129]),
    ("execve", [59, 11, 221, 11]),
    ("execveat", [322, 358, 281, 387]),
    ("fanotify_init", [300, 338, 262, 367]),
    ("fchown", [93, 95, 55, 95]),
    ("fchown32", [NONE, 207, NONE, 207]),
    ("fchownat", [260, 298, 54, 325]),
    ("finit_module", [313, 350, 273, 379]),
    ("flistxattr", [196, 234, 13, 234]),
    ("fsconfig", [431, 431, 431, 431]),
    ("fsmount", [432, 432, 432, 432]),
    ("fsopen", [430, 430, 430, 430]),
    ("fspick", [433, 433, 433, 433]),
    ("fstat", [5, 108, 80, 108]),
    ("get_kernel_syms", [177, 130, NONE, NONE]),
    ("get_mempolicy", [239, 275, 236, 320]),
    ("getegid", [108, 50, 177, 50]),
    ("getegid32", [NONE, 202, NONE, 202]),
    ("geteuid", [107, 49, 175, 49]),
    ("geteuid32", [NONE, 201, NONE, 201]),
    ("getgid", [104, 47, 176, 47]),
    ("getgid32", [NONE, 200, NONE, 200]),
    ("getgroups", [115, 80, 158, 80]),
    ("getgroups32", [NONE, 205, NONE, 205]),
    ("getresgid", [120, 171, 150, 171]),
    ("getresgid32", [NONE, 211, NONE, 211]),
    ("getresuid", [118, 165, 148, 165]),
    ("getresuid32", [NONE, 209, NONE, 209]),
    ("getuid", [102, 24, 174, 24]),
    ("getuid32", [NONE, 199, NONE, 199]),
    ("init_module", [175, 128, 105, 128]),
    ("io_uring_enter", [426, 426, 426, 426]),
    ("io_uring_register", [427, 427, 427, 427]),
    ("io_uring_setup", [425, 425, 425, 425]),
    ("ioperm", [173, 101, NONE, NONE]),
    ("iopl", [172, 110, NONE, NONE]),
    ("kcmp", [312, 349, 272, 378]),
    ("kexec_file_load", [320, NONE, 294, 401]),
    ("kexec_load", [246, 283, 104, 347]),
    ("keyctl", [250, 288, 219, 311]),
    ("lchown", [94, 16, NONE, 16]),
    ("lchown32", [NONE, 198, NONE, 198]),
    ("link", [86, 9, NONE, 9]),
    ("linkat", [265, 303, 37, 330]),
    ("listmount", [458, 458, 458, 458]),
    ("listxattr", [194, 232, 11, 232]),
    ("llistxattr", [195, 233, 12, 233]),
    ("lookup_dcookie", [212, 253, 18, 249]),
    ("lsm_get_self_attr", [459, 459, 459, 459]),
    ("lsm_list_modules", [461, 461, 461, 461]),
    ("lsm_set_self_attr", [460, 460, 460, 460]),
    ("lstat", [6, 107, NONE, 107]),
    ("mbind", [237, 274, 235, 319]),
    ("migrate_pages", [256, 294, 238, 400]),
    ("mkdir", [83, 39, NONE, 39]),
    ("mkdirat", [258, 296, 34, 323]),
    ("mknod", [133, 14, NONE, 14]),
    ("mknodat", [259, 297, 33, 324]),
    ("mount", [165, 21, 40, 21]),
    ("mount_setattr", [442, 442, 442, 442]),
    ("move_mount", [429, 429, 429, 429]),
    ("move_pages", [279, 317, 239, 344]),
    ("newfstatat", [262, NONE, 79, NONE]),
    ("nfsservctl", [180, 169, 42, 169]),
    ("open", [2, 5, NONE, 5]),
    ("open_by_handle_at", [304, 342, 265, 371]),
    ("open_tree", [428, 428, 428, 428]),
    ("openat", [257, 295, 56, 322]),
    ("openat2", [437, 437, 437, 437]),
    ("perf_event_open", [298, 336, 241, 364]),
    ("personality", [135, 136, 92, 136]),
    ("pidfd_getfd", [438, 438, 438, 438]),
    ("pivot_root", [155, 217, 41, 218]),
    ("prctl", [157, 172, 167, 172]),
    ("prlimit64", [302, 340, 261, 369]),
    ("process_madvise", [440, 440, 440, 440]),
    ("process_vm_readv", [310, 347, 270, 376]),
    ("process_vm_writev", [311, 348, 271, 377]),
    ("ptrace", [101, 26, 117, 26]),
    ("query_module", [178, 167, NONE, NONE]),
    ("quotactl", [179, 131, 60, 131]),
    ("quotactl_fd", [443, 443, 443, 443]),
    ("reboot", [169, 88, 142, 88]),
    ("rename", [82, 38, NONE, 38]),
    ("renameat", [264, 302, 38, 329]),
    ("renameat2", [316, 353, 276, 382]),
    ("request_key", [249, 287, 218, 310]),
    ("set_mempolicy", [238, 276, 237, 321]),
    ("set_mempolicy_home_node", [450, 450, 450, 450]),
    ("setdomainname", [171, 121, 162, 121]),
    ("setfsgid", [123, 139, 152, 139]),
    ("setfsgid32", [NONE, 216, NONE, 216]),
    ("setfsuid", [122, 138, 151, 138]),
    ("setfsuid32", [NONE, 215, NONE, 215]),
    ("setgid", [106, 46, 144, 46]),
    ("setgid32", [NONE, 214, NONE, 214]),
    ("setgroups", [116, 81, 159, 81]),
    ("setgroups32", [NONE, 206, NONE, 206]),
    ("sethostname", [170, 74, 161, 74]),
    ("setns", [308, 346, 268, 375]),
    ("setregid", [114, 71, 143, 71]),
    ("setregid32", [NONE, 204, NONE, 204]),
    ("setresgid", [119, 170, 149, 170]),
    ("setresgid32", [NONE, 210, NONE, 210]),
    ("setresuid", [117, 164, 147, 164]),
    ("setresuid32", [NONE, 208, NONE, 208]),
    ("setreuid", [113, 70, 145, 70]),
    ("setreuid32", [NONE, 203, NONE, 203]),
    ("setrlimit", [160, 75, 164, 75]),
    ("settimeofday", [164, 79, 170, 79]),
    ("setuid", [105, 23, 146, 23]),
    ("setuid32", [NONE, 213, NONE, 213]),
    ("sgetmask", [NONE, 68, NONE, NONE]),
    ("socket", [41, 359, 198, 281]),
    ("ssetmask", [NONE, 69, NONE, NONE]),
    ("stat", [4, 106, NONE, 106]),
    ("statmount", [457, 457, 457, 457]),
    ("statx", [332, 383, 291, 397]),
    ("stime", [NONE, 25, NONE, NONE]),
    ("swapoff", [168, 115, 225, 115]),
    ("swapon", [167, 87, 224, 87]),
    ("symlink", [88, 83, NONE, 83]),
    ("symlinkat", [266, 304, 36, 331]),
    ("sysfs", [139, 135, NONE, 135]),
    ("syslog", [103, 103, 116, 103]),
    ("umount", [NONE, 22, NONE, NONE]),
    ("umount2", [166, 52, 39, 52]),
    ("unshare", [272, 310, 97, 337]),
    ("uselib", [134, 86, NONE, 86]),
    ("userfaultfd", [323, 374, 282, 388]),
    ("ustat", [136, 62, NONE, 62]),
    ("vhangup", [153, 111, 58, 111]),
    ("vm86", [NONE, 166, NONE, NONE]),
    ("vm86old", [NONE, 113, NONE, NONE]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sorted_by_name() {
        assert!(CALLS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn agrees_with_the_c_library() {
        for (name, number) in [
            ("mount", libc::SYS_mount),
            ("clone3", libc::SYS_clone3),
            ("bpf", libc::SYS_bpf),
            ("socket", libc::SYS_socket),
        ] {
            assert_eq!(
                super::number(name, Abi::X86_64),
                Some(u32::try_from(number).ok())
            );
        }
        assert_eq!(super::number("umount", Abi::X86_64), Some(None));
        assert_eq!(super::number("nonsense", Abi::X86_64), None);
    }
}
