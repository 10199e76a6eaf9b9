//! The sources of an entry list: files below directories, ranges of files, sparse members of
//! archives, inline bytes.
//! Privileges: those of who may read them.

use crate::beneath::{is_gone, open_beneath};
use crate::entry::{Entry, Kind, Source};
use crate::error::{Error, at};
use crate::holes::HoleReader;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What sources are relative to.
pub struct Places {
    roots: Vec<(File, PathBuf)>,
    files: Vec<(File, PathBuf)>,
}

impl Places {
    pub fn open(roots: &[PathBuf], files: &[PathBuf]) -> Result<Places, Error> {
        let open = |path: &PathBuf| {
            let file = File::open(path).map_err(at(path, Error::Open))?;
            Ok((file, path.clone()))
        };
        Ok(Places {
            roots: roots.iter().map(open).collect::<Result<_, Error>>()?,
            files: files.iter().map(open).collect::<Result<_, Error>>()?,
        })
    }

    /// Opens the bytes of a file entry.
    pub fn source<'a>(&'a self, entry: &'a Entry) -> Result<Opened<'a>, Error> {
        let missing = |reason| Error::IndexInvalid {
            path: PathBuf::from(OsStr::from_bytes(&entry.path)),
            reason,
        };
        let Kind::File { size, source, .. } = &entry.kind else {
            return Err(missing("only files have content"));
        };
        let (kind, path) = match source {
            None if *size == 0 => (OpenedKind::Bytes(&[]), PathBuf::new()),
            None => return Err(missing("a file has no source")),
            Some(Source::Bytes(bytes)) => (OpenedKind::Bytes(bytes), PathBuf::new()),
            Some(Source::Range { file, offset }) => {
                let place = self.file(*file);
                let (file, path) = place.ok_or_else(|| missing("a source has no file"))?;
                (OpenedKind::Range(file, *offset), path.clone())
            }
            Some(Source::Sparse {
                file,
                offset,
                parts,
            }) => {
                let place = self.file(*file);
                let (file, path) = place.ok_or_else(|| missing("a source has no file"))?;
                let parts = Parts {
                    file,
                    offset: *offset,
                    parts: parts.iter(),
                    hole: 0,
                    data: 0,
                };
                (OpenedKind::Sparse(parts), path.clone())
            }
            Some(Source::Path { root, path }) => {
                let place = usize::try_from(*root).ok().and_then(|n| self.roots.get(n));
                let (root, root_path) = place.ok_or_else(|| missing("a source has no root"))?;
                let shown = root_path.join(OsStr::from_bytes(path));
                let file = open_source(root, path, &shown, *size)?;
                (OpenedKind::File(file), shown)
            }
        };
        Ok(Opened { kind, path })
    }

    fn file(&self, number: u64) -> Option<&(File, PathBuf)> {
        self.files.get(usize::try_from(number).ok()?)
    }
}

/// A source that is gone, is no file any more, has another size or may not be read any more was
/// changed since it was listed.
fn open_source(root: &File, path: &[u8], shown: &Path, size: u64) -> Result<HoleReader, Error> {
    let changed = || Error::ContentChanged {
        path: shown.to_owned(),
    };
    let file = match open_beneath(root.as_fd(), path) {
        Err(errno) if is_gone(errno) || errno == Errno::ACCESS => return Err(changed()),
        result => result.map_err(at(shown, Error::Open))?,
    };
    let stat = rustix::fs::fstat(&file).map_err(at(shown, Error::Stat))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_file || stat.st_size as u64 != size {
        return Err(changed());
    }
    Ok(HoleReader::new(file, &stat))
}

/// Bytes that are about to be read.
pub struct Opened<'a> {
    kind: OpenedKind<'a>,
    path: PathBuf,
}

enum OpenedKind<'a> {
    Bytes(&'a [u8]),
    Range(&'a File, u64),
    Sparse(Parts<'a>),
    File(HoleReader),
}

/// A sparse file of an archive, from its front.
struct Parts<'a> {
    file: &'a File,
    /// Of the next byte that the archive has.
    offset: u64,
    parts: std::slice::Iter<'a, (u64, u64)>,
    /// What is left of the part in hand.
    hole: u64,
    data: u64,
}

impl Parts<'_> {
    fn fill(&mut self, mut buffer: &mut [u8]) -> std::io::Result<()> {
        while !buffer.is_empty() {
            let is_hole = self.hole > 0;
            let left = if is_hole { self.hole } else { self.data };
            if left == 0 {
                // Behind the last part there is a hole to the end.
                let next = self.parts.next().copied();
                (self.hole, self.data) = next.unwrap_or((u64::MAX, 0));
                continue;
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX);
            let (front, rest) = buffer.split_at_mut(length.min(buffer.len()));
            let taken = front.len() as u64;
            if is_hole {
                front.fill(0);
                self.hole -= taken;
            } else {
                self.file.read_exact_at(front, self.offset)?;
                self.offset += taken;
                self.data -= taken;
            }
            buffer = rest;
        }
        Ok(())
    }
}

impl Opened<'_> {
    /// Reads exactly as much as fits.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let outcome = match &mut self.kind {
            OpenedKind::Bytes(bytes) => bytes.read_exact(buffer),
            OpenedKind::File(file) => file.read_exact(buffer),
            OpenedKind::Sparse(parts) => parts.fill(buffer),
            OpenedKind::Range(file, offset) => {
                let read = file.read_exact_at(buffer, *offset);
                *offset += buffer.len() as u64;
                read
            }
        };
        outcome.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.changed(),
            _ => at(&self.path, Error::Read)(error),
        })
    }

    /// Fails when there is more.
    pub fn expect_end(&mut self) -> Result<(), Error> {
        let is_end = match &mut self.kind {
            OpenedKind::Bytes(bytes) => bytes.is_empty(),
            OpenedKind::Range(..) | OpenedKind::Sparse(..) => true,
            OpenedKind::File(file) => {
                file.read(&mut [0]).map_err(at(&self.path, Error::Read))? == 0
            }
        };
        match is_end {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// That its bytes are not what somebody saw before.
    pub fn changed(&self) -> Error {
        Error::ContentChanged {
            path: self.path.clone(),
        }
    }
}
