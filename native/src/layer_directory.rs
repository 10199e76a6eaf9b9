//! Fills a directory with a layer's entries, in overlay format. Every path is walked from one
//! directory descriptor, and no symlink is ever followed.
//! Privileges: root of the namespace it runs in; with less, ownership and devices stay in the index alone.

use crate::entry::{Entry, Kind, MAX_DEPTH, is_below, split};
use crate::error::{Error, at};
use crate::metadata;
use crate::owner::{self, Listed};
use crate::remove::remove_at;
use crate::resolve::{missing_target, unsafe_path};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, XattrFlags, makedev};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub struct LayerDirectory {
    root: OwnedFd,
    path: PathBuf,
    /// The directories from the root to the one used last.
    open: Vec<(Vec<u8>, OwnedFd)>,
    /// The directories that are to be finished, outermost first.
    unfinished: Vec<Entry>,
    /// Where only one id exists: the owners of what has no attributes.
    owners: Listed,
}

impl LayerDirectory {
    pub fn open(path: &Path) -> Result<LayerDirectory, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, path, flags, Mode::empty());
        Ok(LayerDirectory {
            root: root.map_err(at(path, Error::Open))?,
            path: path.to_owned(),
            open: Vec::new(),
            unfinished: Vec::new(),
            owners: Listed::new(),
        })
    }

    /// Makes an empty file, to be written and then given to `finish_file`.
    pub fn create_file(&mut self, path: &[u8]) -> Result<File, Error> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = |parent: BorrowedFd<'_>, name: &[u8]| {
            rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
        };
        self.place(path, create).map(File::from)
    }

    /// Owner, mode, attributes and time of a file whose bytes are written.
    pub fn finish_file(&self, file: &File, entry: &Entry) -> Result<(), Error> {
        metadata::set(file.as_fd(), entry).map_err(at(self.shown(&entry.path), Error::Metadata))
    }

    /// Everything but files. A directory gets its metadata later.
    pub fn create(&mut self, entry: &Entry) -> Result<(), Error> {
        let path = entry.path.as_slice();
        let node = |kind: FileType, device: u64| {
            move |parent: BorrowedFd<'_>, name: &[u8]| {
                let mode = Mode::RUSR | Mode::WUSR;
                match rustix::fs::mknodat(parent, name, kind, mode, device) {
                    // What may not be made is an empty file; the index keeps the truth.
                    Err(Errno::PERM) if device != 0 => {
                        rustix::fs::mknodat(parent, name, FileType::RegularFile, mode, 0)
                    }
                    result => result,
                }
            }
        };
        match &entry.kind {
            Kind::Directory => return self.create_directory(path),
            Kind::Whiteout => return self.create_whiteout(path),
            Kind::Hardlink(target) => return self.create_link(path, target),
            Kind::File { .. } => {
                self.create_file(path)?;
            }
            Kind::Symlink(target) => self.place(path, |parent, name| {
                rustix::fs::symlinkat(target.as_slice(), parent, name)
            })?,
            Kind::Character(major, minor) => {
                self.place(
                    path,
                    node(FileType::CharacterDevice, makedev(*major, *minor)),
                )?;
            }
            Kind::Block(major, minor) => {
                self.place(path, node(FileType::BlockDevice, makedev(*major, *minor)))?;
            }
            Kind::Fifo => self.place(path, node(FileType::Fifo, 0))?,
        }
        self.finish_node(entry)
    }

    /// Leaves a directory to be finished when nothing changes in it any more.
    pub fn finish_later(&mut self, directory: Entry) {
        self.unfinished.push(directory);
    }

    /// Finishes the directories that do not contain the next path, the innermost first: a parent's
    /// mode may keep even its owner out. None: there is no next path.
    pub fn finish_directories(&mut self, next: Option<&[u8]>) -> Result<(), Error> {
        while let Some(directory) = self.unfinished.pop() {
            if next.is_some_and(|next| is_below(next, &directory.path)) {
                self.unfinished.push(directory);
                break;
            }
            self.finish_directory(&directory)?;
        }
        if next.is_some() {
            return Ok(());
        }
        owner::write_list(&self.path, &self.owners).map_err(at(&self.path, Error::Metadata))
    }

    /// Owner, mode, opaqueness, attributes and time. The root has an entry for its opaqueness alone, which
    /// overlayfs does not look at: who mounts it leaves out what is below.
    fn finish_directory(&mut self, entry: &Entry) -> Result<(), Error> {
        let shown = self.shown(&entry.path);
        let is_root = entry.path.is_empty();
        let (parent, name) = match is_root {
            true => (&b""[..], &b"."[..]),
            false => split(&entry.path),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = self.parent(parent)?;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())
            .map_err(at(&shown, Error::Open))?;
        if entry.opaque {
            rustix::fs::fsetxattr(&directory, "user.overlay.opaque", b"y", XattrFlags::empty())
                .map_err(at(&shown, Error::Metadata))?;
        }
        if is_root {
            return Ok(());
        }
        metadata::set(directory.as_fd(), entry).map_err(at(&shown, Error::Metadata))
    }

    fn create_directory(&mut self, path: &[u8]) -> Result<(), Error> {
        if path.is_empty() {
            return Ok(());
        }
        let shown = self.shown(path);
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        make_directory(parent, name).map_err(at(shown, Error::Create))
    }

    /// A whiteout for what is there already says only that lower layers' is hidden.
    fn create_whiteout(&mut self, path: &[u8]) -> Result<(), Error> {
        let shown = self.shown(path);
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        let kind = FileType::CharacterDevice;
        match rustix::fs::mknodat(parent, name, kind, Mode::empty(), makedev(0, 0)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(at(shown, Error::Create)(errno)),
        }
    }

    fn create_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        let shown = self.shown(path);
        let (directory, target_name) = split(target);
        let directory = self.parent(directory)?.try_clone_to_owned();
        let directory = directory.map_err(at(&shown, Error::Create))?;
        let linked = self.place(path, |parent, name| {
            rustix::fs::linkat(&directory, target_name, parent, name, AtFlags::empty())
        });
        match linked {
            // Nothing there, or a directory.
            Err(Error::Create(failed)) if matches!(failed.errno, Errno::NOENT | Errno::PERM) => {
                Err(missing_target(path, &shown))
            }
            linked => linked,
        }
    }

    /// Makes something at a path, in place of what the layer had there before.
    fn place<T>(
        &mut self,
        path: &[u8],
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<T>,
    ) -> Result<T, Error> {
        let shown = self.shown(path);
        let (parent, name) = split(path);
        let outcome = {
            let parent = self.parent(parent)?;
            match make(parent, name) {
                Err(Errno::EXIST) => {
                    remove_at(parent, name).map_err(at(&shown, Error::Create))?;
                    make(parent, name)
                }
                outcome => outcome,
            }
        };
        outcome.map_err(at(shown, Error::Create))
    }

    fn finish_node(&mut self, entry: &Entry) -> Result<(), Error> {
        let shown = self.shown(&entry.path);
        let (parent, name) = split(&entry.path);
        let parent = self.parent(parent)?;
        metadata::set_at(parent, name, entry).map_err(at(&shown, Error::Metadata))?;
        let owner = metadata::kept_owner(entry);
        if !owner::only_one_id() || owner.is_default() {
            return Ok(());
        }
        if owner.device.is_none() {
            self.owners.insert(entry.path.clone(), owner);
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::empty())
            .and_then(|file| owner::write(file.as_fd(), owner))
            .map_err(at(shown, Error::Metadata))
    }

    /// The descriptor of a directory of the layer, which is made when it is missing.
    fn parent(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Error> {
        let components: Vec<&[u8]> = match path {
            [] => Vec::new(),
            path => path.split(|&byte| byte == b'/').collect(),
        };
        if components.len() > MAX_DEPTH {
            return Err(unsafe_path(path, "it is nested too deeply"));
        }
        let open = self.open.iter().map(|(name, _)| name.as_slice());
        let shared = open.zip(&components).take_while(|(a, b)| a == *b).count();
        self.open.truncate(shared);
        for &name in &components[shared..] {
            let above = self
                .open
                .last()
                .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
            let next = self.enter(above, name, path)?;
            self.open.push((name.to_vec(), next));
        }
        Ok(self
            .open
            .last()
            .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    fn enter(&self, above: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(above, name, flags, Mode::empty());
        let failed = |errno| at(self.shown(path), Error::Open)(errno);
        match open() {
            Ok(fd) => Ok(fd),
            Err(Errno::NOENT) => {
                make_directory(above, name).map_err(failed)?;
                open().map_err(failed)
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                if !is_whiteout(above, name).map_err(failed)? {
                    return Err(unsafe_path(path, "it lies below what is no directory"));
                }
                make_directory(above, name).map_err(failed)?;
                open().map_err(failed)
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }
}

/// Makes a directory in place of whatever else is there. Its mode is its owner's until it is finished,
/// so that no set-group-ID bit rubs off on what is made inside.
fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Err(Errno::EXIST) => {
            let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                return Ok(());
            }
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            rustix::fs::mkdirat(parent, name, Mode::RWXU)
        }
        result => result,
    }
}

fn is_whiteout(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<bool> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    Ok(kind == FileType::CharacterDevice && stat.st_rdev == 0)
}
