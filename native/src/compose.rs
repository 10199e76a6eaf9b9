//! An entry list becomes a layer: a blob, a directory and an index, in one pass over the sources.
//! Privileges: those of who may read the sources; for a directory those of `layer_directory`.

use crate::blob::BlobWriter;
use crate::cancel::Cancel;
use crate::entry::{Entry, Kind};
use crate::error::{Error, at};
use crate::holes;
use crate::index::{IndexReader, IndexWriter};
use crate::layer_directory::LayerDirectory;
use crate::load::{Batch, Piece, load};
use crate::pending::{PendingDirectory, PendingFile};
use crate::protocol::{BlobReply, ComposeReply, ComposeRequest, IndexSummary};
use crate::source::Places;
use crate::tar_writer::{END, padding, put_headers};
use crate::watch::Watch;
use std::fs::File;
use std::sync::mpsc::Receiver;

/// Serves a compose request. On failure nothing is left of it.
pub fn compose(request: &ComposeRequest, cancel: &Cancel) -> Result<ComposeReply, Error> {
    let watch = Watch::new(&request.secrets)?;
    let list = IndexReader::open(&request.list)?;
    let places = Places::open(&request.roots, &request.files)?;
    let pending = request.directory.as_deref().map(PendingDirectory::create);
    let pending = pending.transpose()?;
    let directory = pending
        .as_ref()
        .map(|pending| LayerDirectory::open(pending.temporary()));
    let directory = directory.transpose()?;
    let index = IndexWriter::create(request.index.as_deref())?;
    let (index, blob) = std::thread::scope(|scope| {
        let blob = request.blob.as_ref().map(|blob| {
            let file = PendingFile::create(&blob.path)?;
            Ok(BlobWriter::start(scope, file, blob))
        });
        let mut outputs = Outputs {
            directory,
            index,
            blob: blob.transpose()?,
            watch,
            header: Vec::new(),
            current: None,
        };
        let batches = load(scope, list, &places, cancel);
        let outcome = outputs.take_all(batches, cancel);
        outputs.finish(outcome)
    })?;
    pending.map_or(Ok(()), PendingDirectory::commit)?;
    let (blob_file, blob) = blob.unzip();
    blob_file.map_or(Ok(()), PendingFile::commit)?;
    let (index_file, index) = index;
    index_file.map_or(Ok(()), PendingFile::commit)?;
    Ok(ComposeReply { index, blob })
}

struct Outputs<'scope> {
    index: IndexWriter,
    blob: Option<BlobWriter<'scope>>,
    directory: Option<LayerDirectory>,
    watch: Option<Watch>,
    header: Vec<u8>,
    current: Option<(Entry, Option<File>)>,
}

type FinishedIndex = (Option<PendingFile>, IndexSummary);
type FinishedBlob = (PendingFile, BlobReply);

impl Outputs<'_> {
    fn take_all(
        &mut self,
        batches: Receiver<Result<Batch, Error>>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        for batch in batches {
            for pieces in batch? {
                cancel.check()?;
                for piece in pieces? {
                    self.take(piece)?;
                }
            }
        }
        if let Some(directory) = &mut self.directory {
            directory.finish_directories(None)?;
        }
        match &mut self.blob {
            Some(blob) => blob.write(&END),
            None => Ok(()),
        }
    }

    fn take(&mut self, piece: Piece) -> Result<(), Error> {
        match piece {
            Piece::Entry(entry) => self.entry(entry),
            Piece::Data(bytes) => {
                if let (Some(watch), Some((entry, _))) = (&mut self.watch, &self.current) {
                    watch.content(&bytes, &entry.path)?;
                }
                if let Some((entry, Some(file))) = &self.current {
                    let shown = String::from_utf8_lossy(&entry.path);
                    holes::write(file, &bytes).map_err(at(shown.as_ref(), Error::Write))?;
                }
                match &mut self.blob {
                    Some(blob) => blob.write(&bytes),
                    None => Ok(()),
                }
            }
            Piece::End(found) => {
                let Some((mut entry, file)) = self.current.take() else {
                    return Ok(());
                };
                if let Some(blob) = &mut self.blob {
                    blob.write_zeros(padding(entry.size()))?;
                }
                if let (Some(directory), Some(file)) = (&self.directory, file) {
                    let shown = String::from_utf8_lossy(&entry.path);
                    holes::end(&file, entry.size()).map_err(at(shown.as_ref(), Error::Write))?;
                    directory.finish_file(&file, &entry)?;
                }
                if let Kind::File { digest, source, .. } = &mut entry.kind {
                    (*digest, *source) = (Some(found), None);
                }
                self.index.push(&entry)
            }
        }
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Error> {
        if let Some(watch) = &mut self.watch {
            watch.entry(&entry)?;
        }
        if let Some(directory) = &mut self.directory {
            directory.finish_directories(Some(&entry.path))?;
        }
        if let Some(blob) = &mut self.blob {
            self.header.clear();
            put_headers(&entry, &mut self.header);
            blob.write(&self.header)?;
        }
        let is_file = matches!(entry.kind, Kind::File { .. });
        let mut file = None;
        if let Some(directory) = &mut self.directory {
            if is_file {
                file = Some(directory.create_file(&entry.path)?);
            } else {
                directory.create(&entry)?;
            }
        }
        if is_file {
            self.current = Some((entry, file));
            return Ok(());
        }
        self.index.push(&entry)?;
        if let (Some(directory), true) = (&mut self.directory, entry.is_directory()) {
            directory.finish_later(entry);
        }
        Ok(())
    }

    /// What is to be renamed. Why a thread of the blob failed is a better reason than that it did.
    fn finish(
        self,
        outcome: Result<(), Error>,
    ) -> Result<(FinishedIndex, Option<FinishedBlob>), Error> {
        let blob = self
            .blob
            .map(|blob| blob.finish(outcome.is_ok()))
            .transpose();
        match (outcome, blob) {
            (Ok(()), Ok(blob)) => Ok((self.index.finish()?, blob)),
            (Err(Error::Cancelled) | Ok(()), Err(error)) => Err(error),
            (Err(error), _) => Err(error),
        }
    }
}
