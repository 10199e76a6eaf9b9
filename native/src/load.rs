//! Reads and hashes the files of an entry list ahead of their use, on a few threads, in bounded memory.
//! Privileges: those of who may read the sources.

use crate::beneath::open_beneath;
use crate::cancel::Cancel;
use crate::chunk::{CHUNK_SIZE, Pool, Slice};
use crate::entry::{Digest, Entry, Kind, Source};
use crate::error::{Error, at};
use crate::index::IndexReader;
use rustix::fs::FileType;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
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
}

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
                let mut source = self.open(entry)?;
                source.fill(&mut bytes[start..])?;
                source.expect_end()?;
                digests.push(verified(entry, Sha256::digest(&bytes[start..]).into())?);
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
        let mut source = self.open(entry)?;
        let mut digest = Sha256::new();
        send(Piece::Entry(entry.clone()))?;
        let mut left = entry.size();
        while left > 0 {
            self.cancel.check()?;
            let mut bytes = self.pool.take();
            bytes.resize(left.min(CHUNK_SIZE as u64) as usize, 0);
            source.fill(&mut bytes)?;
            digest.update(&bytes);
            left -= bytes.len() as u64;
            send(Piece::Data(self.pool.chunk(bytes)))?;
        }
        source.expect_end()?;
        send(Piece::End(verified(entry, digest.finalize().into())?))
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Result<Opened<'a>, Error> {
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
                let place = usize::try_from(*file)
                    .ok()
                    .and_then(|n| self.places.files.get(n));
                let (file, path) = place.ok_or_else(|| missing("a source has no file"))?;
                (OpenedKind::Range(file, *offset), path.clone())
            }
            Some(Source::Path { root, path }) => {
                let place = usize::try_from(*root)
                    .ok()
                    .and_then(|n| self.places.roots.get(n));
                let (root, root_path) = place.ok_or_else(|| missing("a source has no root"))?;
                let shown = root_path.join(OsStr::from_bytes(path));
                let file = open_source(root, path, &shown, *size)?;
                (OpenedKind::File(file), shown)
            }
        };
        Ok(Opened { kind, path })
    }
}

/// A source that is gone, is no file any more or has another size was changed since it was listed.
fn open_source(root: &File, path: &[u8], shown: &Path, size: u64) -> Result<File, Error> {
    let changed = || Error::ContentChanged {
        path: shown.to_owned(),
    };
    let file = match open_beneath(root.as_fd(), path) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Err(changed()),
        result => result.map_err(at(shown, Error::Open))?,
    };
    let stat = rustix::fs::fstat(&file).map_err(at(shown, Error::Stat))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    // A socket is listed as an empty file, but can not be opened.
    if !is_file || stat.st_size as u64 != size {
        return Err(changed());
    }
    Ok(file)
}

struct Opened<'a> {
    kind: OpenedKind<'a>,
    path: PathBuf,
}

enum OpenedKind<'a> {
    Bytes(&'a [u8]),
    Range(&'a File, u64),
    File(File),
}

impl Opened<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
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

    fn expect_end(&mut self) -> Result<(), Error> {
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

/// The digest, when it is the one that the list expects, if it expects one.
fn verified(entry: &Entry, found: Digest) -> Result<Digest, Error> {
    match &entry.kind {
        Kind::File {
            digest: Some(expected),
            ..
        } if *expected != found => Err(Error::ContentChanged {
            path: PathBuf::from(OsStr::from_bytes(&entry.path)),
        }),
        _ => Ok(found),
    }
}
