//! Opens files below a directory, without ever following a symlink. Privileges: those of who may read them.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Opens a file for reading. It never waits, as for the writer of a FIFO it would.
pub fn open_beneath(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<File> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            // A rename somewhere below: ask again.
            Err(Errno::AGAIN) => {}
            // Kernels before 5.6, and seccomp filters that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, path, flags),
            result => return result.map(File::from),
        }
    }
}

/// Whether something else is now where a file was, or nothing: it was changed since somebody saw it.
pub fn is_gone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::ISDIR | Errno::XDEV
    )
}

fn walk(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<File> {
    let mut components = path.split(|&byte| byte == b'/').peekable();
    let mut directory: Option<OwnedFd> = None;
    while let Some(name) = components.next() {
        if matches!(name, b"" | b"." | b"..") {
            return Err(Errno::XDEV);
        }
        let above = directory.as_ref().map_or(root, |fd| fd.as_fd());
        if components.peek().is_none() {
            return rustix::fs::openat(above, name, flags, Mode::empty()).map(File::from);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = Some(rustix::fs::openat(above, name, flags, Mode::empty())?);
    }
    Err(Errno::NOENT)
}
