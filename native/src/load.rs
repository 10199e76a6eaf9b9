//! Reads and hashes the files of an entry list ahead of their use, on a few threads, in bounded memory.
//! Privileges: those of who may read the sources.

use crate::cancel::Cancel;
use crate::chunk::{CHUNK_SIZE, Pool, Slice};
use crate::content_hash::ContentHash;
use crate::entry::{Digest, Entry, Kind};
use crate::error::Error;
use crate::index::IndexReader;
use crate::source::{Opened, Places};
use sha2::{Digest as _, Sha256};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

const THREADS: usize = 2;
/// How many batches are read ahead.
const BATCHES: usize = 8;
/// Entries in a batch; one that grows over a chunk ends earlier.
const BATCH_ENTRIES: usize = 64;
/// Chunks of a large file that are read ahead.
const CHUNKS_AHEAD: usize = 4;

/// An entry, the bytes of a file, and its end.
pub enum Piece {
    Entry(Entry),
    Data(Slice),
    End(Digest),
}

pub type Batch = Receiver<Result<Vec<Piece>, Error>>;

struct Job {
    entries: Vec<Entry>,
    output: SyncSender<Result<Vec<Piece>, Error>>,
}

/// Starts loading; batches come in the list's order.
pub fn load<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    list: IndexReader,
    places: &'env Places,
    cancel: &'env Cancel,
) -> Receiver<Result<Batch, Error>> {
    let (order, batches) = sync_channel(BATCHES);
    let (queue, jobs) = sync_channel::<Job>(BATCHES);
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..THREADS {
        let jobs = Arc::clone(&jobs);
        scope.spawn(move || load_jobs(&jobs, places, cancel));
    }
    scope.spawn(move || {
        if let Err(error) = feed(list, &order, &queue) {
            // Nobody listens when the request has failed already.
            let _ = order.send(Err(error));
        }
    });
    batches
}

/// Cuts the list into batches.
fn feed(
    list: IndexReader,
    order: &SyncSender<Result<Batch, Error>>,
    queue: &SyncSender<Job>,
) -> Result<(), Error> {
    let start = |entries: Vec<Entry>| {
        let (output, batch) = sync_channel(CHUNKS_AHEAD);
        let stopped = |()| Error::Cancelled;
        order.send(Ok(batch)).map_err(|_| stopped(()))?;
        queue.send(Job { entries, output }).map_err(|_| stopped(()))
    };
    let mut entries = Vec::new();
    let mut size = 0;
    for entry in list {
        let entry = entry?;
        if !entries.is_empty()
            && (size + entry.size() > CHUNK_SIZE as u64 || entries.len() == BATCH_ENTRIES)
        {
            start(std::mem::take(&mut entries))?;
            size = 0;
        }
        size += entry.size();
        entries.push(entry);
    }
    match entries.is_empty() {
        true => Ok(()),
        false => start(entries),
    }
}

fn load_jobs(jobs: &Mutex<Receiver<Job>>, places: &Places, cancel: &Cancel) {
    let loader = Loader {
        places,
        pool: Pool::default(),
        cancel,
    };
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        let outcome = match job.entries.as_slice() {
            [entry] if entry.size() > CHUNK_SIZE as u64 => loader.large(entry, &job.output),
            _ => loader.batch(job.entries).map(|pieces| {
                // Nobody listens when the request has failed already.
                let _ = job.output.send(Ok(pieces));
            }),
        };
        if let Err(error) = outcome {
            let _ = job.output.send(Err(error));
        }
    }
}

struct Loader<'a> {
    places: &'a Places,
    pool: Pool,
    cancel: &'a Cancel,
}

impl Loader<'_> {
    /// Small files: one buffer holds them all.
    fn batch(&self, entries: Vec<Entry>) -> Result<Vec<Piece>, Error> {
        self.cancel.check()?;
        let mut bytes = self.pool.take();
        let mut digests = Vec::new();
        for entry in &entries {
            if let Kind::File { size, .. } = entry.kind {
                let start = bytes.len();
                bytes.resize(start + size as usize, 0);
                let mut source = self.places.source(entry)?;
                source.fill(&mut bytes[start..])?;
                source.expect_end()?;
                let digest = Sha256::digest(&bytes[start..]).into();
                digests.push(verified(entry, &source, digest)?);
            }
        }
        let chunk = self.pool.chunk(bytes);
        let mut pieces = Vec::with_capacity(3 * entries.len());
        let mut digests = digests.into_iter();
        let mut start = 0;
        for entry in entries {
            let size = entry.size() as usize;
            let is_file = matches!(entry.kind, Kind::File { .. });
            pieces.push(Piece::Entry(entry));
            if size > 0 {
                pieces.push(Piece::Data(chunk.part(start, size)));
                start += size;
            }
            if is_file {
                pieces.extend(digests.next().map(Piece::End));
            }
        }
        Ok(pieces)
    }

    /// A large file: chunk by chunk.
    fn large(
        &self,
        entry: &Entry,
        output: &SyncSender<Result<Vec<Piece>, Error>>,
    ) -> Result<(), Error> {
        let send = |piece| output.send(Ok(vec![piece])).map_err(|_| Error::Cancelled);
        let mut source = self.places.source(entry)?;
        let mut digest = ContentHash::new();
        send(Piece::Entry(entry.clone()))?;
        let mut left = entry.size();
        while left > 0 {
            self.cancel.check()?;
            let mut bytes = self.pool.take();
            bytes.resize(left.min(CHUNK_SIZE as u64) as usize, 0);
            source.fill(&mut bytes)?;
            digest.update(&bytes, self.cancel)?;
            left -= bytes.len() as u64;
            send(Piece::Data(self.pool.chunk(bytes)))?;
        }
        source.expect_end()?;
        let digest = digest.finish(self.cancel)?;
        send(Piece::End(verified(entry, &source, digest)?))
    }
}

/// The digest, when it is the one that the list expects, if it expects one.
fn verified(entry: &Entry, source: &Opened<'_>, found: Digest) -> Result<Digest, Error> {
    match &entry.kind {
        Kind::File {
            digest: Some(expected),
            ..
        } if *expected != found => Err(source.changed()),
        _ => Ok(found),
    }
}
