//! Deletes trees, relative to directory descriptors, symlinks never followed.
//! Privileges: those of the owner of the tree, or of root in a namespace that maps them.

use crate::cancel::Cancel;
use crate::error::{Error, at};
use crate::protocol::RemoveRequest;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Serves a remove request.
pub fn remove(request: &RemoveRequest, cancel: &Cancel) -> Result<(), Error> {
    request.paths.iter().try_for_each(|path| {
        Deleter {
            cancel: Some(cancel),
        }
        .remove(path)
    })
}

/// Deletes what is at a path, if anything is.
pub fn remove_tree(path: &Path) -> Result<(), Error> {
    Deleter { cancel: None }.remove(path)
}

/// Deletes what is at a name in a directory.
pub fn remove_at(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        result => return result,
    }
    let path = Path::new(OsStr::from_bytes(name));
    let directory = open_directory(parent, path)?;
    let emptied = Deleter { cancel: None }.empty(directory, path);
    emptied.map_err(|error| error.at().1.unwrap_or(Errno::IO))?;
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

struct Deleter<'a> {
    cancel: Option<&'a Cancel>,
}

impl Deleter<'_> {
    fn remove(&self, path: &Path) -> Result<(), Error> {
        match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(at(path, Error::Remove)(errno)),
        }
        let directory = match open_directory(CWD, path) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(at(path, Error::Remove)(errno)),
        };
        self.empty(directory, path)?;
        match rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(at(path, Error::Remove)(errno)),
        }
    }

    /// Deletes everything in a directory. Depth lives on the heap: a hostile tree may be deep, and
    /// its directories are many more than descriptors, so that one is opened again through `..`.
    fn empty(&self, directory: OwnedFd, path: &Path) -> Result<(), Error> {
        let failed = |errno| at(path, Error::Remove)(errno);
        let mut names: Vec<CString> = Vec::new();
        let mut current = directory;
        loop {
            if let Some(cancel) = self.cancel {
                cancel.check()?;
            }
            match empty_files(current.as_fd()).map_err(failed)? {
                Some(child) => {
                    let next = open_directory(current.as_fd(), &child).map_err(failed)?;
                    names.push(child);
                    current = next;
                }
                None => {
                    let Some(name) = names.pop() else {
                        return Ok(());
                    };
                    current = open_directory(current.as_fd(), c"..").map_err(failed)?;
                    rustix::fs::unlinkat(&current, &name, AtFlags::REMOVEDIR).map_err(failed)?;
                }
            }
        }
    }
}

/// Deletes all that is no directory; returns the first directory that is not empty.
fn empty_files(directory: BorrowedFd<'_>) -> rustix::io::Result<Option<CString>> {
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 << 10];
    let mut reader = RawDir::new(directory, &mut buffer);
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let mut is_directory = entry.file_type() == FileType::Directory;
        if !is_directory {
            match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => is_directory = true,
                Err(errno) => return Err(errno),
            }
        }
        if is_directory {
            match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(_) => return Ok(Some(name.to_owned())),
            }
        }
    }
    Ok(None)
}

/// Opens a directory for deleting in it, which its mode may forbid to its owner.
fn open_directory<P: rustix::path::Arg + Copy>(
    at: impl AsFd,
    name: P,
) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let stat = rustix::fs::statat(at.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && stat.st_mode & 0o700 != 0o700
    {
        // Only an owner who is not root needs it; whoever may not do it is told by what follows.
        let _ = rustix::fs::chmodat(at.as_fd(), name, Mode::RWXU, AtFlags::empty());
    }
    rustix::fs::openat(at, name, flags, Mode::empty())
}
