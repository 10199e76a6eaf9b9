//! A directory or an archive becomes an index. Privileges: those of who may read it.

use crate::archive::{self, Options};
use crate::cancel::Cancel;
use crate::decompress::{Format, Input};
use crate::error::Error;
use crate::hasher::TarUse;
use crate::index::{IndexWriter, empty_summary};
use crate::pending::PendingFile;
use crate::protocol::{ScanArchive, ScanReply, ScanRequest, ScanSource};
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
    let input = Input::open(&request.path, false)?;
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
        may_be_none: true,
    };
    let Some(archive) = archive::read(input, options, cancel)? else {
        return Ok(ScanReply {
            archive: false,
            index: empty_summary(),
            unpacked: false,
            sockets: Vec::new(),
            unreadable: Vec::new(),
        });
    };
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

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// One character per byte, as TypeScript has paths.
fn characters(path: &[u8]) -> String {
    path.iter().copied().map(char::from).collect()
}
