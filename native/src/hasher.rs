//! A thread that hashes: the whole of a tar, and the content of each file in it. No privileges.

use crate::chunk::Slice;
use crate::entry::Digest;
use crate::error::{Error, at};
use crate::holes;
use crate::pending::PendingFile;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::mpsc::Receiver;

pub enum HashJob {
    /// The next bytes of the tar.
    Tar(Slice),
    /// The next bytes of the current file.
    Content(Slice),
    Zeros(u64),
    /// The current file is complete.
    EndFile,
}

#[derive(Default)]
pub struct Hashes {
    pub tar: Option<Digest>,
    /// In the order of the `EndFile` jobs.
    pub files: Vec<Digest>,
}

/// What becomes of the tar's bytes besides their contents' digests.
pub struct TarUse<'a> {
    pub wants_digest: bool,
    pub copy: Option<(&'a mut PendingFile, &'a Path)>,
}

/// Works until the senders are gone.
pub fn hash(jobs: Receiver<HashJob>, tar_use: TarUse<'_>) -> Result<Hashes, Error> {
    let mut tar = Sha256::new();
    let mut content = Sha256::new();
    let mut hashes = Hashes::default();
    let mut copied = 0;
    for job in jobs {
        match job {
            HashJob::Tar(slice) => {
                if tar_use.wants_digest {
                    tar.update(&*slice);
                }
                if let Some((file, path)) = &tar_use.copy {
                    holes::write(file.file(), &slice).map_err(at(path, Error::Write))?;
                    copied += slice.len() as u64;
                }
            }
            HashJob::Content(slice) => content.update(&*slice),
            HashJob::Zeros(mut length) => {
                static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
                while length > 0 {
                    let step = length.min(ZEROS.len() as u64);
                    content.update(&ZEROS[..step as usize]);
                    length -= step;
                }
            }
            HashJob::EndFile => hashes.files.push(content.finalize_reset().into()),
        }
    }
    if let Some((file, path)) = &tar_use.copy {
        holes::end(file.file(), copied).map_err(at(path, Error::Write))?;
    }
    hashes.tar = tar_use.wants_digest.then(|| tar.finalize().into());
    Ok(hashes)
}
