/**
 * Which system calls a RUN is refused: those that Docker refuses to a container with its default
 * capabilities (EX-3). Only data; the helper makes the filter.
 *
 * Most of them would fail for want of a capability anyway: that they fail before the kernel's code
 * for them runs is the point. Docker lists what is allowed, this list what is not; for calls that are
 * newer than both, the helper sees to the same answer (ENOSYS).
 */

import type { SeccompProfile, SeccompRule } from '../../native/index.ts';

const EPERM = 1;
const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NEW_NAMESPACE = 0x7e020000;

/** For arguments that are an `int`: the upper half of the register is not looked at by the kernel. */
const INT = 0xffffffff;

const AF_ALG = 38;
const AF_VSOCK = 40;
/** DECnet, Econet, ATM, IrDA, WANPIPE, ISDN and CAIF: gone from newer kernels, modules to load in older ones. */
const OLD_FAMILIES = [12, 19, 20, 23, 25, 34, 37];

/** PER_LINUX, PER_LINUX32, UNAME26 with each of them, and the question for the current one. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const RULES: readonly SeccompRule[] = [
  // Mounts, by either interface.
  refuse('mount', 'umount', 'umount2', 'pivot_root', 'mount_setattr', 'move_mount', 'open_tree'),
  refuse('fsopen', 'fsconfig', 'fsmount', 'fspick'),
  refuse('quotactl', 'quotactl_fd', 'swapon', 'swapoff'),
  // Paths that are reached past the directories that lead to them.
  refuse('open_by_handle_at'),

  // New namespaces. The C library falls back from clone3, whose flags no filter can read.
  refuse('unshare', 'setns', 'sethostname', 'setdomainname'),
  {
    names: ['clone'],
    errno: EPERM,
    when: [{ argument: 0, mask: CLONE_NEW_NAMESPACE, operator: 'not-equal', value: 0 }],
  },
  { names: ['clone3'], errno: ENOSYS },

  // The machine: its kernel, clock, ports and terminals.
  refuse('reboot', 'kexec_load', 'kexec_file_load', 'acct', 'syslog', 'vhangup'),
  refuse('init_module', 'finit_module', 'delete_module'),
  refuse('create_module', 'get_kernel_syms', 'query_module'),
  refuse('settimeofday', 'stime', 'clock_settime', 'clock_settime64'),
  refuse('iopl', 'ioperm', 'vm86', 'vm86old'),
  refuse('mbind', 'get_mempolicy', 'set_mempolicy', 'set_mempolicy_home_node'),
  refuse('migrate_pages', 'move_pages'),

  // What looks at the whole system or at other processes, or is known as a way into the kernel.
  refuse('bpf', 'perf_event_open', 'lookup_dcookie', 'fanotify_init', 'userfaultfd'),
  refuse('io_uring_setup', 'io_uring_enter', 'io_uring_register'),
  refuse('kcmp', 'pidfd_getfd', 'process_madvise'),
  // Key rings have no namespace.
  refuse('add_key', 'keyctl', 'request_key'),
  refuse('lsm_get_self_attr', 'lsm_set_self_attr', 'lsm_list_modules'),
  // A 32-bit program's socketcall has the family in memory, where no filter looks: as with Docker.
  ...[AF_ALG, AF_VSOCK, ...OLD_FAMILIES].map(socket),

  // What no program of this century calls.
  refuse('_sysctl', 'afs_syscall', 'bdflush', 'nfsservctl', 'sgetmask', 'ssetmask'),
  refuse('sysfs', 'uselib', 'ustat'),
  {
    names: ['personality'],
    errno: EPERM,
    when: PERSONALITIES.map((value) => ({
      argument: 0,
      mask: INT,
      operator: 'not-equal',
      value,
    })),
  },
];

export const DEFAULT_SECCOMP: SeccompProfile = Object.freeze({ rules: Object.freeze(RULES) });

function refuse(...names: readonly string[]): SeccompRule {
  return { names, errno: EPERM };
}

function socket(family: number): SeccompRule {
  return {
    names: ['socket'],
    errno: EPERM,
    when: [{ argument: 0, mask: INT, operator: 'equal', value: family }],
  };
}
