//! The sources of an entry list: files below directories, ranges of files, inline bytes.
//! Privileges: those of who may read them.

use crate::beneath::open_beneath;
use crate::entry::{Entry, Kind, Source};
use crate::error::{Error, at};
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
                let place = usize::try_from(*file).ok().and_then(|n| self.files.get(n));
                let (file, path) = place.ok_or_else(|| missing("a source has no file"))?;
                (OpenedKind::Range(file, *offset), path.clone())
            }
            Some(Source::Path { root, path }) => {
                let place = usize::try_from(*root).ok().and_then(|n| self.roots.get(n));
                let (root, root_path) = place.ok_or_else(|| missing("a source has no root"))?;
                let shown = root_path.join(OsStr::from_bytes(path));
                match open_source(root, path, &shown, *size)? {
                    Some(file) => (OpenedKind::File(file), shown),
                    None => (OpenedKind::Bytes(&[]), shown),
                }
            }
        };
        Ok(Opened { kind, path })
    }
}

/// A source that is gone, is no file any more or has another size was changed since it was listed.
/// None: a socket, which is listed as an empty file, but can not be opened.
fn open_source(root: &File, path: &[u8], shown: &Path, size: u64) -> Result<Option<File>, Error> {
    let changed = || Error::ContentChanged {
        path: shown.to_owned(),
    };
    let file = match open_beneath(root.as_fd(), path) {
        Err(Errno::NXIO) if size == 0 => return Ok(None),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Err(changed()),
        result => result.map_err(at(shown, Error::Open))?,
    };
    let stat = rustix::fs::fstat(&file).map_err(at(shown, Error::Stat))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_file || stat.st_size as u64 != size {
        return Err(changed());
    }
    Ok(Some(file))
}

/// Bytes that are about to be read.
pub struct Opened<'a> {
    kind: OpenedKind<'a>,
    path: PathBuf,
}

enum OpenedKind<'a> {
    Bytes(&'a [u8]),
    Range(&'a File, u64),
    File(File),
}

impl Opened<'_> {
    /// Reads exactly as much as fits.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let outcome = match &mut self.kind {
            OpenedKind::Bytes(bytes) => bytes.read_exact(buffer),
            OpenedKind::File(file) => file.read_exact(buffer),
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
            OpenedKind::Range(..) => true,
            OpenedKind::File(file) => {
                file.read(&mut [0]).map_err(at(&self.path, Error::Read))? == 0
            }
        };
        match is_end {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    fn changed(&self) -> Error {
        Error::ContentChanged {
            path: self.path.clone(),
        }
    }
}
