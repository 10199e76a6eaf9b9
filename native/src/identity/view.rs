//! The files of a RUN as its processes name them. Of a thread whose root is the RUN's: absolute paths and
//! symlinks lead where they lead in there. Privileges: CAP_SYS_CHROOT, CAP_SYS_PTRACE.

use crate::owner::{ATTRIBUTE, Owner};
use crate::sys::notify as sys;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, StatxFlags, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

type Sys<T> = Result<T, Errno>;

const PAGE: u64 = 4096;
const MAX_PATH: usize = 4096;

pub struct View {
    /// The helper's own /proc: its processes have the numbers of the notifications.
    proc: OwnedFd,
    root: OwnedFd,
    /// What the RUN has written, as the host has it.
    upper: OwnedFd,
    /// Whose root the thread has, if it is not the RUN's.
    within: Option<u32>,
    /// Whether a process may have another root.
    pub has_chroots: bool,
}

/// A path as it is right now, from the thread's working directory.
pub struct Place {
    pub path: CString,
    pub follow: bool,
}

/// What statx tells, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub inode: Inode,
}

/// Which inode, even when its number is another's later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inode {
    pub device: (u32, u32),
    pub number: u64,
    pub born: (i64, u32),
}

impl Facts {
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }

    /// Whether the kernel lets it have an attribute.
    pub fn has_attributes(&self) -> bool {
        matches!(self.kind(), libc::S_IFREG | libc::S_IFDIR)
    }
}

impl View {
    /// From within the thread, once its root is the RUN's.
    pub fn new(proc: OwnedFd, upper: OwnedFd) -> Sys<View> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(View {
            proc,
            root: rustix::fs::open("/", flags, Mode::empty())?,
            upper,
            within: None,
            has_chroots: false,
        })
    }

    /// Makes the root of a process the thread's.
    pub fn enter_root(&mut self, thread: u32) -> Sys<()> {
        if !self.has_chroots {
            return Ok(());
        }
        rustix::process::fchdir(&self.proc)?;
        rustix::process::chroot(format!("{thread}/root"))?;
        self.within = Some(thread);
        Ok(())
    }

    /// Makes the RUN's root the thread's again.
    pub fn leave_root(&mut self) -> Sys<()> {
        if self.within.take().is_some() {
            rustix::process::fchdir(&self.root)?;
            rustix::process::chroot(".")?;
        }
        Ok(())
    }

    /// What a process means. Changes the thread's working directory.
    pub fn place(&self, thread: u32, directory: i32, path: Vec<u8>, follow: bool) -> Sys<Place> {
        let in_proc = |path: String, follow| {
            rustix::process::fchdir(&self.proc)?;
            place(path.into_bytes(), follow)
        };
        if path.is_empty() {
            return match directory {
                libc::AT_FDCWD => in_proc(format!("{thread}/cwd"), true),
                fd => in_proc(format!("{thread}/fd/{fd}"), true),
            };
        }
        if path[0] == b'/' {
            return match own(thread, &path) {
                Some(path) => in_proc(path, follow),
                None => place(path, follow),
            };
        }
        rustix::process::fchdir(&self.proc)?;
        match directory {
            libc::AT_FDCWD => rustix::process::chdir(format!("{thread}/cwd"))?,
            fd => rustix::process::chdir(format!("{thread}/fd/{fd}"))?,
        }
        place(path, follow)
    }

    /// Where a place is, from the root; symlinks are resolved but the last.
    pub fn path_of(&self, place: &Place) -> Sys<Vec<u8>> {
        let mut flags = OFlags::PATH | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !place.follow);
        let fd = rustix::fs::open(&*place.path, flags, Mode::empty())?;
        let link = format!("self/fd/{}", fd.as_raw_fd());
        let read = || rustix::fs::readlinkat(&self.proc, &link, Vec::new());
        let path = match self.within {
            None => read(),
            // The kernel tells paths from the reader's root.
            Some(thread) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let here = rustix::fs::open(".", flags, Mode::empty())?;
                rustix::process::fchdir(&self.root)?;
                rustix::process::chroot(".")?;
                let path = read();
                rustix::process::fchdir(&self.proc)?;
                rustix::process::chroot(format!("{thread}/root"))?;
                rustix::process::fchdir(&here)?;
                path
            }
        }?
        .into_bytes();
        Ok(path.strip_prefix(b"/").unwrap_or(&path).to_vec())
    }

    /// The inode in the upper directory. Of what overlayfs has copied there, it tells the number of the
    /// original for a while.
    pub fn upper_inode(&self, path: &[u8]) -> Sys<Inode> {
        let path = CString::new(path).map_err(|_| Errno::INVAL)?;
        facts(self.upper.as_fd(), &path, AtFlags::SYMLINK_NOFOLLOW).map(|facts| facts.inode)
    }

    pub fn umask_of(&self, thread: u32) -> Sys<Mode> {
        let path = format!("{thread}/status");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let status = rustix::fs::openat(&self.proc, path, flags, Mode::empty())?;
        // It is the second line.
        let mut text = [0; 512];
        let length = rustix::io::read(&status, &mut text)?;
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        let umask = text.lines().find_map(|line| line.strip_prefix("Umask:"));
        let umask = umask.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
        umask.map(Mode::from_raw_mode).ok_or(Errno::INVAL)
    }
}

impl Place {
    /// A name in a directory, which the last `place` was.
    pub fn child(&self, name: &[u8]) -> Sys<Place> {
        place([self.path.as_bytes(), b"/", name].concat(), false)
    }

    pub fn flags(&self) -> AtFlags {
        if self.follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        }
    }

    pub fn facts(&self) -> Sys<Facts> {
        facts(CWD, &self.path, self.flags())
    }

    /// The kept owner; None when there is none, and when there can be none.
    pub fn attribute(&self) -> Sys<Option<Owner>> {
        let mut value = [0; 64];
        let read = match self.follow {
            true => rustix::fs::getxattr(&*self.path, ATTRIBUTE, &mut value[..]),
            false => rustix::fs::lgetxattr(&*self.path, ATTRIBUTE, &mut value[..]),
        };
        match read {
            Ok(length) => Ok(Owner::decode(&value[..length])),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    pub fn set_attribute(&self, owner: Owner) -> Sys<()> {
        let (path, value, flags) = (&*self.path, owner.encode(), XattrFlags::empty());
        match (owner.is_default(), self.follow) {
            (true, true) => gone(rustix::fs::removexattr(path, ATTRIBUTE)),
            (true, false) => gone(rustix::fs::lremovexattr(path, ATTRIBUTE)),
            (false, true) => rustix::fs::setxattr(path, ATTRIBUTE, value.as_bytes(), flags),
            (false, false) => rustix::fs::lsetxattr(path, ATTRIBUTE, value.as_bytes(), flags),
        }
    }

    /// Gives it to root, who owns it: the kernel copies it up, and takes bits and capabilities away.
    pub fn chown(&self) -> Sys<()> {
        let (root, group) = (Some(Uid::ROOT), Some(Gid::ROOT));
        rustix::fs::chownat(CWD, &*self.path, root, group, self.flags())
    }

    /// The names of the attributes, each ended by a zero.
    pub fn attributes(&self) -> Sys<Vec<u8>> {
        let mut names = vec![0u8; 64 << 10];
        let length = match self.follow {
            true => rustix::fs::listxattr(&*self.path, &mut names[..]),
            false => rustix::fs::llistxattr(&*self.path, &mut names[..]),
        }?;
        names.truncate(length);
        Ok(names)
    }
}

fn facts(directory: BorrowedFd<'_>, path: &CStr, flags: AtFlags) -> Sys<Facts> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let stat = rustix::fs::statx(directory, path, flags, wanted)?;
    Ok(Facts {
        mode: stat.stx_mode.into(),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        inode: Inode {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            number: stat.stx_ino,
            born: (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec),
        },
    })
}

fn place(path: Vec<u8>, follow: bool) -> Sys<Place> {
    let path = CString::new(path).map_err(|_| Errno::INVAL)?;
    Ok(Place { path, follow })
}

fn gone(removed: Sys<()>) -> Sys<()> {
    match removed {
        Err(Errno::NODATA) => Ok(()),
        outcome => outcome,
    }
}

/// A path to a descriptor of the process's own, below our /proc: in there, `self` would be nobody. What
/// else is below /proc/self is for the kernel: `..` leads out of it, and ours is not the RUN's.
fn own(thread: u32, path: &[u8]) -> Option<String> {
    let number = match path {
        b"/dev/stdin" => b"0",
        b"/dev/stdout" => b"1",
        b"/dev/stderr" => b"2",
        path => path
            .strip_prefix(b"/dev/fd/")
            .or_else(|| path.strip_prefix(b"/proc/self/fd/"))?,
    };
    let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(format!("{thread}/fd/{number}"))
}

/// A string in a process's memory; nothing at all is an empty one.
pub fn read_path(thread: u32, address: u64) -> Sys<Vec<u8>> {
    let mut path = Vec::new();
    if address == 0 {
        return Ok(path);
    }
    while path.len() < MAX_PATH {
        let from = address + path.len() as u64;
        // What follows a page need not be there.
        let mut page = [0; PAGE as usize];
        let length = (PAGE - from % PAGE) as usize;
        let read = sys::read_memory(thread, from, &mut page[..length])?;
        match page[..read].iter().position(|&byte| byte == 0) {
            Some(end) => {
                path.extend_from_slice(&page[..end]);
                return Ok(path);
            }
            None if read == length => path.extend_from_slice(&page[..read]),
            None => return Err(Errno::FAULT),
        }
    }
    Err(Errno::NAMETOOLONG)
}

/// For messages and joins.
pub fn os(path: &[u8]) -> OsString {
    OsString::from_vec(path.to_vec())
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn only_descriptors_are_looked_up_in_our_proc() {
        assert_eq!(own(7, b"/dev/stdout"), Some("7/fd/1".to_owned()));
        assert_eq!(own(7, b"/proc/self/fd/12"), Some("7/fd/12".to_owned()));
        for path in [
            &b"/proc/self/../1/root/etc"[..],
            b"/proc/self/fd/../../1/root",
            b"/dev/fd/3/../../../1",
            b"/dev/fd/",
            b"/proc/self/root",
            b"/dev/null",
        ] {
            assert_eq!(own(7, path), None);
        }
    }
}
