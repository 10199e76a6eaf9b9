//! Outputs that appear complete or not at all: a temporary sibling, renamed at the end, removed on failure.
//! Privileges: those of who may write there.

use crate::error::{Error, at};
use crate::remove::remove_tree;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file that is not there yet.
pub struct PendingFile {
    file: File,
    name: PendingName,
}

impl PendingFile {
    pub fn create(path: &Path) -> Result<PendingFile, Error> {
        PendingFile::create_as(temporary_name(path), path)
    }

    /// The same, in a directory that somebody clears away when this process cannot.
    pub fn create_in(directory: &Path, path: &Path) -> Result<PendingFile, Error> {
        let name = temporary_name(path);
        PendingFile::create_as(directory.join(name.file_name().unwrap_or_default()), path)
    }

    fn create_as(temporary: PathBuf, path: &Path) -> Result<PendingFile, Error> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(at(path, Error::Create))?;
        let name = PendingName::new(temporary, path);
        Ok(PendingFile { file, name })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn commit(self) -> Result<(), Error> {
        self.name.commit()
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A directory that is not there yet.
pub struct PendingDirectory {
    name: PendingName,
}

impl PendingDirectory {
    pub fn create(path: &Path) -> Result<PendingDirectory, Error> {
        let temporary = temporary_name(path);
        std::fs::create_dir(&temporary).map_err(at(path, Error::Create))?;
        let name = PendingName::new(temporary, path);
        // Whatever the umask is: it becomes the root of somebody's filesystem.
        std::fs::set_permissions(&name.temporary, Permissions::from_mode(0o755))
            .map_err(at(path, Error::Create))?;
        Ok(PendingDirectory { name })
    }

    /// Where it is until it is committed.
    pub fn temporary(&self) -> &Path {
        &self.name.temporary
    }

    pub fn commit(self) -> Result<(), Error> {
        self.name.commit()
    }
}

struct PendingName {
    temporary: PathBuf,
    path: PathBuf,
    committed: bool,
}

impl PendingName {
    fn new(temporary: PathBuf, path: &Path) -> PendingName {
        PendingName {
            temporary,
            path: path.to_owned(),
            committed: false,
        }
    }

    fn commit(mut self) -> Result<(), Error> {
        std::fs::rename(&self.temporary, &self.path).map_err(at(&self.path, Error::Rename))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for PendingName {
    fn drop(&mut self) {
        if !self.committed {
            // The request has failed already, with a better reason than what fails here.
            let _ = remove_tree(&self.temporary);
        }
    }
}

/// `DIR/.NAME.RANDOM.tmp`, beside the final name. Not of the process id, which is the same in every
/// namespace and container: what a killed build left must not be in another's way.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // The keys of a hasher are random, and others for each.
    let random = RandomState::new().build_hasher().finish();
    name.push(format!(".{random:016x}.tmp"));
    path.with_file_name(name)
}
