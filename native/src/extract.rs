//! A layer blob, verified, becomes a directory in overlay format and an index.
//! Privileges: those of `layer_directory`; without a directory those of who may read the blob.

use crate::archive::{self, Archive, Options};
use crate::cancel::Cancel;
use crate::decompress::{Input, file_digest};
use crate::entry::Digest;
use crate::error::Error;
use crate::hasher::TarUse;
use crate::index::{IndexWriter, digest_text};
use crate::layer_directory::LayerDirectory;
use crate::pending::{PendingDirectory, PendingFile};
use crate::protocol::{ArchiveFormat, ExtractReply, ExtractRequest};
use crate::resolve::resolve;
use std::path::Path;

/// Serves an extract request. On failure nothing is left of it.
pub fn extract(request: &ExtractRequest, cancel: &Cancel) -> Result<ExtractReply, Error> {
    let pending = request.directory.as_deref().map(PendingDirectory::create);
    let pending = pending.transpose()?;
    let directory = pending
        .as_ref()
        .map(|pending| LayerDirectory::open(pending.temporary()));
    let mut directory = directory.transpose()?;
    let mut tar = request
        .tar
        .as_deref()
        .map(PendingFile::create)
        .transpose()?;
    let archive = read(request, directory.as_mut(), tar.as_mut(), cancel)?;
    verify(&request.blob, &request.digest, archive.digest)?;
    verify(&request.blob, &request.diff_id, archive.hashes.tar)?;
    let mut index = IndexWriter::create(Some(&request.index))?;
    let digests = &archive.hashes.files;
    resolve(archive.list, digests, &request.blob, &mut |entry| {
        cancel.check()?;
        if let Some(directory) = &mut directory {
            directory.finish_directories(Some(&entry.path))?;
            if entry.is_directory() {
                directory.finish_later(entry.clone());
            }
        }
        index.push(entry)
    })?;
    if let Some(directory) = &mut directory {
        directory.finish_directories(None)?;
    }
    let (index, summary) = index.finish()?;
    pending.map_or(Ok(()), PendingDirectory::commit)?;
    tar.map_or(Ok(()), PendingFile::commit)?;
    index.map_or(Ok(()), PendingFile::commit)?;
    Ok(ExtractReply { index: summary })
}

fn read(
    request: &ExtractRequest,
    directory: Option<&mut LayerDirectory>,
    tar: Option<&mut PendingFile>,
    cancel: &Cancel,
) -> Result<Archive, Error> {
    let input = Input::open(&request.blob, true)?;
    let options = Options {
        path: &request.blob,
        format: ArchiveFormat::Layer,
        ranges: tar.is_some(),
        tar: TarUse {
            wants_digest: true,
            copy: tar.zip(request.tar.as_deref()),
        },
        directory,
        may_be_none: false,
    };
    match archive::read(input, options, cancel) {
        Ok(Some(archive)) => Ok(archive),
        Ok(None) => Err(Error::ArchiveInvalid {
            path: request.blob.clone(),
            reason: "it is no archive".to_owned(),
        }),
        // Other bytes than were asked for are the better explanation for a damaged archive.
        Err(error @ (Error::ArchiveInvalid { .. } | Error::UnsafePath { .. })) => {
            let digest = file_digest(&request.blob, cancel)?;
            verify(&request.blob, &request.digest, Some(digest))?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn verify(path: &Path, expected: &str, found: Option<Digest>) -> Result<(), Error> {
    let found = found.map_or_else(String::new, |digest| digest_text(&digest));
    if found == expected {
        return Ok(());
    }
    Err(Error::DigestMismatch {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}
