//! A directory or an archive becomes an index. Privileges: those of who may read it.

use crate::archive::{self, Options};
use crate::cancel::Cancel;
use crate::decompress::{Format, Input, file_digest};
use crate::entry::Digest;
use crate::error::Error;
use crate::hasher::TarUse;
use crate::index::{IndexWriter, digest_text, empty_summary};
use crate::pending::PendingFile;
use crate::protocol::{ArchiveFormat, ScanArchive, ScanReply, ScanRequest, ScanSource};
use crate::resolve::resolve;
use crate::scan_directory::scan_directory;
use std::path::Path;

/// Serves a scan request. On failure nothing is left of it.
pub fn scan(request: &ScanRequest, cancel: &Cancel) -> Result<ScanReply, Error> {
    match &request.source {
        ScanSource::Directory(directory) => {
            let (index, left_out) = scan_directory(directory, &request.index, cancel)?;
            Ok(ScanReply {
                archive: false,
                index,
                unpacked: false,
                sockets: left_out.sockets.iter().map(|path| lossy(path)).collect(),
                unreadable: left_out
                    .unreadable
                    .iter()
                    .map(|path| characters(path))
                    .collect(),
            })
        }
        ScanSource::Archive(archive) => scan_archive(archive, &request.index, cancel),
    }
}

fn scan_archive(request: &ScanArchive, index: &Path, cancel: &Cancel) -> Result<ScanReply, Error> {
    let input = Input::open(&request.path, request.digest.is_some())?;
    let is_compressed = input.format != Format::Plain;
    let tar_path = request.tar.as_deref().filter(|_| is_compressed);
    let mut tar = tar_path.map(PendingFile::create).transpose()?;
    let options = Options {
        path: &request.path,
        format: request.format,
        ranges: tar.is_some() || !is_compressed,
        tar: TarUse {
            wants_digest: false,
            copy: tar.as_mut().zip(tar_path),
        },
        directory: None,
        // A layer is one, also when nothing is in it.
        may_be_none: request.format == ArchiveFormat::Files,
    };
    let archive = match archive::read(input, options, cancel) {
        // That it is another by now is the better explanation.
        Err(error @ (Error::ArchiveInvalid { .. } | Error::UnsafePath { .. }))
            if request.digest.is_some() =>
        {
            expect(request, Some(file_digest(&request.path, cancel)?))?;
            return Err(error);
        }
        outcome => outcome?,
    };
    let Some(archive) = archive else {
        return Ok(ScanReply {
            archive: false,
            index: empty_summary(),
            unpacked: false,
            sockets: Vec::new(),
            unreadable: Vec::new(),
        });
    };
    expect(request, archive.digest)?;
    let mut writer = IndexWriter::create(Some(index))?;
    let digests = &archive.hashes.files;
    resolve(archive.list, digests, &request.path, &mut |entry| {
        cancel.check()?;
        writer.push(entry)
    })?;
    let (writer, summary) = writer.finish()?;
    let unpacked = tar.is_some();
    tar.map_or(Ok(()), PendingFile::commit)?;
    writer.map_or(Ok(()), PendingFile::commit)?;
    Ok(ScanReply {
        archive: true,
        index: summary,
        unpacked,
        sockets: Vec::new(),
        unreadable: Vec::new(),
    })
}

/// Refuses an archive that is not the one that was meant.
fn expect(request: &ScanArchive, found: Option<Digest>) -> Result<(), Error> {
    let found = found.map(|digest| digest_text(&digest));
    if request.digest.is_none() || found == request.digest {
        return Ok(());
    }
    Err(Error::ContentChanged {
        path: request.path.clone(),
    })
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// One character per byte, as TypeScript has paths.
fn characters(path: &[u8]) -> String {
    path.iter().copied().map(char::from).collect()
}
