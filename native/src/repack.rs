//! A blob becomes another one of the same tar: other compression, the same bytes inside. No privileges.

use crate::blob::BlobWriter;
use crate::cancel::Cancel;
use crate::chunk::{CHANNEL_DEPTH, Pool, Slice};
use crate::decompress::{Input, decompress};
use crate::error::Error;
use crate::pending::PendingFile;
use crate::protocol::{RepackReply, RepackRequest};
use std::sync::mpsc::{Receiver, sync_channel};

/// Serves a repack request. On failure nothing is left of it.
pub fn repack(request: &RepackRequest, cancel: &Cancel) -> Result<RepackReply, Error> {
    let source = &request.source;
    let input = Input::open(source, false)?;
    let pool = Pool::default();
    let (sender, chunks) = sync_channel(CHANNEL_DEPTH);
    let (file, blob) = std::thread::scope(|scope| {
        let file = PendingFile::create(&request.blob.path)?;
        let mut blob = BlobWriter::start(scope, file, &request.blob);
        scope.spawn(|| decompress(input, source, &pool, &{ sender }, cancel));
        let outcome = write_all(chunks, &mut blob, cancel);
        let finished = blob.finish(outcome.is_ok());
        match (outcome, finished) {
            (Ok(()), finished) => finished,
            (Err(Error::Cancelled), Err(error)) | (Err(error), _) => Err(error),
        }
    })?;
    if blob.diff_id != request.diff_id {
        return Err(Error::DigestMismatch {
            path: source.clone(),
            expected: request.diff_id.clone(),
            found: blob.diff_id,
        });
    }
    file.commit()?;
    Ok(RepackReply { blob })
}

/// Takes the receiver: when writing fails, nobody waits to send.
fn write_all(
    chunks: Receiver<Result<Slice, Error>>,
    blob: &mut BlobWriter<'_>,
    cancel: &Cancel,
) -> Result<(), Error> {
    for chunk in chunks {
        cancel.check()?;
        blob.write(&chunk?)?;
    }
    Ok(())
}
