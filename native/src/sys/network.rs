//! Raw system calls for networks. Privileges: CAP_SYS_ADMIN in the user namespace.

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

/// Gives the calling thread, and no other, a new network namespace.
pub fn own_network() -> Result<(), Errno> {
    // SAFETY: CLONE_NEWNET does not touch what threads share; CLONE_FILES is not asked for.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
}
