//! Lists a directory tree in the order of an index, through directory descriptors; no symlink is
//! followed but the root itself. Privileges: those of who may read it.

use crate::beneath::is_gone;
use crate::cancel::Cancel;
use crate::entry::{Entry, Kind, excess};
use crate::error::{Error, at};
use crate::ignore::{Ignore, Matches};
use crate::owner::{self, Device, Listed, Owner};
use crate::protocol::DirectoryFormat;
use crate::stat_cache::Fingerprint;
use crate::xattr;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// So many sockets are told of by name.
const MAX_SOCKETS: usize = 100;

/// Something that was found. Files have no digest yet.
pub struct Found {
    pub entry: Entry,
    /// Of a file with content of its own.
    pub fingerprint: Option<Fingerprint>,
}

pub struct Walker<'a> {
    pub root: &'a Path,
    pub format: DirectoryFormat,
    pub ignore: &'a Ignore,
    pub cancel: &'a Cancel,
    pub found: &'a mut dyn FnMut(Found) -> Result<(), Error>,
    /// What was left out for being a socket; not all of them, when they are many.
    pub sockets: Vec<Vec<u8>>,
    /// What of a context was left out because this user may not look at it.
    pub unreadable: Vec<Vec<u8>>,
    /// What has several names, by device and inode.
    pub links: HashMap<(u64, u64), Vec<u8>>,
    /// Who owns what has no attributes to say so, in a layer.
    pub owners: Listed,
    /// Ignored directories around the current path, which are listed when something in them is.
    pub withheld: Vec<Found>,
}

impl Walker<'_> {
    pub fn walk(&mut self, root: BorrowedFd<'_>) -> Result<(), Error> {
        self.directory(root, &mut Vec::new(), &Matches::default())
    }

    fn directory(
        &mut self,
        directory: BorrowedFd<'_>,
        path: &mut Vec<u8>,
        matches: &Matches,
    ) -> Result<(), Error> {
        self.cancel.check()?;
        let names = sorted_names(directory).map_err(at(self.shown(path), Error::Read))?;
        let length = path.len();
        for name in names.iter() {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.child(directory, name, path, matches)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn child(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        path: &mut Vec<u8>,
        parent: &Matches,
    ) -> Result<(), Error> {
        let matches = self.ignore.matches(path, parent);
        if matches.ignored && !self.ignore.has_exceptions() {
            return Ok(());
        }
        if excess(path).is_some() {
            let shown = self.shown(&path[..path.len().min(100)]);
            return Err(at(shown, Error::Open)(Errno::NAMETOOLONG));
        }
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Gone since it was listed: as if it had never been.
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ACCESS) if self.format == DirectoryFormat::Context => {
                return self.leave_out(path, &matches);
            }
            stat => stat.map_err(at(self.shown(path), Error::Stat))?,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return self.subdirectory(directory, name, path, &matches);
        }
        if matches.ignored {
            return Ok(());
        }
        let Some(kind) = self.kind(directory, name, path, &stat)? else {
            if self.sockets.len() < MAX_SOCKETS {
                self.sockets.push(path.clone());
            }
            return Ok(());
        };
        let kind = self.linked(kind, path, &stat);
        let has_content = matches!(kind, Kind::File { .. });
        let mut entry = entry(path, kind, &stat, self.format);
        match &entry.kind {
            Kind::Hardlink(_) => take_owner(&mut entry, self.linked_owner(directory, name, path)),
            Kind::File { .. } => {}
            _ => take_owner(&mut entry, self.owners.get(path).copied()),
        }
        self.emit(Found {
            entry,
            fingerprint: has_content.then(|| Fingerprint::of(&stat)),
        })
    }

    fn subdirectory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &mut Vec<u8>,
        matches: &Matches,
    ) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory: OwnedFd = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
            Err(Errno::ACCESS) if self.format == DirectoryFormat::Context => {
                return self.leave_out(path, matches);
            }
            Err(errno) if is_gone(errno) => return Err(self.changed(path)),
            directory => directory.map_err(at(self.shown(path), Error::Open))?,
        };
        let attributes =
            xattr::read(directory.as_fd()).map_err(at(self.shown(path), Error::Stat))?;
        // Of what was opened, whatever had its name before.
        let stat = rustix::fs::fstat(&directory).map_err(at(self.shown(path), Error::Stat))?;
        let mut entry = entry(path, Kind::Directory, &stat, self.format);
        if self.format == DirectoryFormat::Layer {
            take_owner(&mut entry, attributes.owner);
        }
        entry.xattrs = attributes.kept;
        entry.opaque = attributes.opaque && self.format == DirectoryFormat::Layer;
        let found = Found {
            entry,
            fingerprint: None,
        };
        if !matches.ignored {
            self.emit(found)?;
            return self.directory(directory.as_fd(), path, matches);
        }
        let outside = self.withheld.len();
        self.withheld.push(found);
        self.directory(directory.as_fd(), path, matches)?;
        self.withheld.truncate(outside);
        Ok(())
    }

    /// A user who may not read something ignores it for that very reason; what an exception may
    /// name in it is missed when it is copied.
    fn leave_out(&mut self, path: &[u8], matches: &Matches) -> Result<(), Error> {
        if !matches.ignored {
            self.unreadable.push(path.to_vec());
        }
        Ok(())
    }

    /// None: a socket, which no tar has.
    fn kind(
        &self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<Option<Kind>, Error> {
        let device = || {
            (
                rustix::fs::major(stat.st_rdev),
                rustix::fs::minor(stat.st_rdev),
            )
        };
        let is_layer = self.format == DirectoryFormat::Layer;
        Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File {
                size: stat.st_size as u64,
                digest: None,
                source: None,
            },
            FileType::Symlink => {
                let target = match rustix::fs::readlinkat(directory, name, Vec::new()) {
                    Err(errno) if errno == Errno::INVAL || is_gone(errno) => {
                        return Err(self.changed(path));
                    }
                    target => target.map_err(at(self.shown(path), Error::Read))?,
                };
                Kind::Symlink(target.into_bytes())
            }
            FileType::CharacterDevice if is_layer && stat.st_rdev == 0 => Kind::Whiteout,
            FileType::CharacterDevice => Kind::Character(device().0, device().1),
            FileType::BlockDevice => Kind::Block(device().0, device().1),
            FileType::Fifo => Kind::Fifo,
            _ => return Ok(None),
        }))
    }

    /// Another name of what was listed already is a hardlink, whatever it is. Not so the whiteouts,
    /// which overlayfs makes as links of one node.
    fn linked(&mut self, kind: Kind, path: &[u8], stat: &Stat) -> Kind {
        if stat.st_nlink < 2 || kind == Kind::Whiteout {
            return kind;
        }
        let inode = Fingerprint::of(stat).identity();
        match self.links.get(&inode) {
            Some(first) => Kind::Hardlink(first.clone()),
            None => {
                self.links.insert(inode, path.to_vec());
                kind
            }
        }
    }

    /// Of another name of something: files are only read under their first name.
    fn linked_owner(&self, directory: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Option<Owner> {
        if !owner::only_one_id() || self.format != DirectoryFormat::Layer {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => owner::read(file.as_fd()).or_else(|| self.owners.get(path).copied()),
            Err(_) => self.owners.get(path).copied(),
        }
    }

    fn emit(&mut self, found: Found) -> Result<(), Error> {
        for directory in self.withheld.iter_mut() {
            // Its place stays on the stack, without anything left to be listed.
            if let Some(found) = directory.take() {
                (self.found)(found)?;
            }
        }
        (self.found)(found)
    }

    fn changed(&self, path: &[u8]) -> Error {
        Error::ContentChanged {
            path: self.shown(path),
        }
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }
}

impl Found {
    /// Leaves an entry without a path behind.
    fn take(&mut self) -> Option<Found> {
        if self.entry.path.is_empty() {
            return None;
        }
        let empty = Entry::new(Vec::new(), Kind::Directory, 0);
        Some(Found {
            entry: std::mem::replace(&mut self.entry, empty),
            fingerprint: None,
        })
    }
}

/// Makes an entry its owner's, and a device of a file that stands for one.
pub fn take_owner(entry: &mut Entry, owner: Option<Owner>) {
    let Some(owner) = owner else {
        return;
    };
    (entry.uid, entry.gid) = (owner.uid, owner.gid);
    if let (Kind::File { .. }, Some(device)) = (&entry.kind, owner.device) {
        entry.kind = match device {
            Device::Character(major, minor) => Kind::Character(major, minor),
            Device::Block(major, minor) => Kind::Block(major, minor),
        };
    }
}

/// Whoever owns a context's files on this machine, the build has them from root: not even identity tells.
fn entry(path: &[u8], kind: Kind, stat: &Stat, format: DirectoryFormat) -> Entry {
    let is_whiteout = kind == Kind::Whiteout;
    let mut entry = Entry::new(path.to_vec(), kind, 0);
    if !is_whiteout {
        entry.mode = stat.st_mode & 0o7777;
        if format == DirectoryFormat::Layer {
            (entry.uid, entry.gid) = (stat.st_uid, stat.st_gid);
        }
        (entry.mtime, entry.nsec) = (stat.st_mtime, stat.st_mtime_nsec as u32);
    }
    entry
}

/// The names in a directory, one after the other in one buffer.
struct Names {
    bytes: Vec<u8>,
    ranges: Vec<(u32, u32)>,
}

impl Names {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().map(|&range| self.name(range))
    }

    fn name(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }
}

fn sorted_names(directory: BorrowedFd<'_>) -> rustix::io::Result<Names> {
    let mut names = Names {
        bytes: Vec::new(),
        ranges: Vec::new(),
    };
    let mut buffer: Vec<MaybeUninit<u8>> = vec![MaybeUninit::uninit(); 32 << 10];
    let mut reader = RawDir::new(directory, &mut buffer);
    while let Some(found) = reader.next() {
        let found = found?;
        let name = found.file_name().to_bytes();
        if name != b"." && name != b".." {
            let start = names.bytes.len() as u32;
            names.bytes.extend_from_slice(name);
            names.ranges.push((start, names.bytes.len() as u32));
        }
    }
    let mut ranges = std::mem::take(&mut names.ranges);
    ranges.sort_unstable_by(|&a, &b| names.name(a).cmp(names.name(b)));
    names.ranges = ranges;
    Ok(names)
}
