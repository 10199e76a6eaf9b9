//! A directory becomes an index: one thread walks, some hash, one writes; digests that an earlier
//! scan remembers are not computed again. Privileges: those of who may read the files.

use crate::beneath::{is_gone, open_beneath};
use crate::cancel::Cancel;
use crate::chunk::CHUNK_SIZE;
use crate::content_hash::ContentHash;
use crate::entry::Kind;
use crate::error::{Error, at};
use crate::holes::HoleReader;
use crate::ignore::Ignore;
use crate::index::IndexWriter;
use crate::owner::{self, Listed};
use crate::pending::PendingFile;
use crate::protocol::{DirectoryFormat, IndexSummary, ScanDirectory};
use crate::stat_cache::{Fingerprint, StatCache, StatCacheWriter};
use crate::walk::{Found, Walker, take_owner};
use crate::xattr;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Batches that are on their way.
const BATCHES: usize = 32;
const BATCH_ENTRIES: usize = 128;
/// A batch with more to hash ends, so that the threads get about the same.
const BATCH_SIZE: u64 = 1 << 20;

struct Item {
    found: Found,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has no content, or its digest was remembered.
    Ready,
    Unhashed,
    /// It was hashed by this scan.
    Hashed,
    /// This user may not read it.
    Unreadable,
}

type Batch = Receiver<Result<Vec<Item>, Error>>;

struct Job {
    items: Vec<Item>,
    output: SyncSender<Result<Vec<Item>, Error>>,
}

/// Scans a directory; the index is complete, or not there.
pub fn scan_directory(
    request: &ScanDirectory,
    index: &Path,
    cancel: &Cancel,
) -> Result<(IndexSummary, LeftOut), Error> {
    let ignore = Ignore::new(&request.ignore)?;
    let root: OwnedFd = File::open(&request.path)
        .map_err(at(&request.path, Error::Open))?
        .into();
    let workspace = index.parent().unwrap_or(Path::new("."));
    let mut memory = Memory::open(request.stat_cache.as_deref(), workspace, root.as_fd());
    let mut writer = IndexWriter::create(Some(index))?;
    let left_out = std::thread::scope(|scope| {
        let (order, batches) = sync_channel::<Result<Batch, Error>>(BATCHES);
        let (queue, jobs) = sync_channel::<Job>(BATCHES);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .clamp(2, 8);
        for _ in 0..threads {
            let hasher = Hasher {
                root: &root,
                format: request.format,
                path: &request.path,
                cancel,
            };
            let jobs = Arc::clone(&jobs);
            scope.spawn(move || hasher.serve(&jobs));
        }
        let (old, root, ignore) = (memory.old.take(), &root, &ignore);
        let walking = scope.spawn(move || {
            let mut feeder = Feeder::new(old, order, queue);
            let outcome = feeder.feed(request, root, ignore, cancel);
            outcome.unwrap_or_else(|error| {
                // Nobody listens when the request has failed already.
                let _ = feeder.order.send(Err(error));
                LeftOut::default()
            })
        });
        let mut unreadable = HashSet::new();
        for batch in batches {
            for items in batch? {
                for item in items? {
                    if item.is_unreadable(&unreadable) {
                        unreadable.insert(item.found.entry.path);
                        continue;
                    }
                    memory.remember(&item);
                    writer.push(&item.found.entry)?;
                }
            }
        }
        cancel.check()?;
        // A thread panics only by aborting the process.
        let mut left_out = walking.join().unwrap_or_default();
        left_out.unreadable.extend(unreadable);
        left_out.unreadable.sort_unstable();
        Ok(left_out)
    })?;
    let (file, summary) = writer.finish()?;
    file.map_or(Ok(()), PendingFile::commit)?;
    memory.finish();
    Ok((summary, left_out))
}

/// The paths that are not listed.
#[derive(Default)]
pub struct LeftOut {
    pub sockets: Vec<Vec<u8>>,
    /// Neither is what is below them.
    pub unreadable: Vec<Vec<u8>>,
}

impl Item {
    /// Other names of an unreadable file have nothing to point to.
    fn is_unreadable(&self, known: &HashSet<Vec<u8>>) -> bool {
        match &self.found.entry.kind {
            Kind::Hardlink(target) => known.contains(target),
            _ => self.state == State::Unreadable,
        }
    }
}

/// The stat cache before and after. It only saves time: what fails about it is no failure of the scan.
struct Memory<'a> {
    path: Option<&'a Path>,
    old: Option<StatCache>,
    new: Option<StatCacheWriter>,
    changed: bool,
}

impl Memory<'_> {
    fn open<'a>(path: Option<&'a Path>, workspace: &Path, root: BorrowedFd<'_>) -> Memory<'a> {
        let new = path.and_then(|path| StatCacheWriter::create(path, workspace));
        let old = path.and_then(|path| StatCache::open(path, root));
        Memory {
            path,
            changed: old.is_none(),
            old,
            new,
        }
    }

    fn remember(&mut self, item: &Item) {
        let entry = &item.found.entry;
        let (Some(writer), Some(fingerprint)) = (&mut self.new, &item.found.fingerprint) else {
            return;
        };
        let Kind::File {
            digest: Some(digest),
            ..
        } = &entry.kind
        else {
            return;
        };
        self.changed |= item.state == State::Hashed;
        if writer
            .push(&entry.path, fingerprint, (&entry.xattrs, digest))
            .is_err()
        {
            self.new = None;
        }
    }

    /// When everything was remembered already, the old file stays.
    fn finish(self) {
        if let (true, Some(path), Some(writer)) = (self.changed, self.path, self.new) {
            let _ = writer.finish(path);
        }
    }
}

/// Walks, and hands out batches in order.
struct Feeder {
    old: Option<StatCache>,
    order: SyncSender<Result<Batch, Error>>,
    queue: SyncSender<Job>,
    items: Vec<Item>,
    to_hash: u64,
    has_unhashed: bool,
}

impl Feeder {
    fn new(
        old: Option<StatCache>,
        order: SyncSender<Result<Batch, Error>>,
        queue: SyncSender<Job>,
    ) -> Feeder {
        Feeder {
            old,
            order,
            queue,
            items: Vec::new(),
            to_hash: 0,
            has_unhashed: false,
        }
    }

    fn feed(
        &mut self,
        request: &ScanDirectory,
        root: &OwnedFd,
        ignore: &Ignore,
        cancel: &Cancel,
    ) -> Result<LeftOut, Error> {
        let mut walker = Walker {
            root: &request.path,
            format: request.format,
            ignore,
            cancel,
            found: &mut |found| self.take(found),
            links: HashMap::new(),
            owners: match request.format {
                DirectoryFormat::Layer => owner::read_list(&request.path),
                DirectoryFormat::Context => Listed::new(),
            },
            withheld: Vec::new(),
            sockets: Vec::new(),
            unreadable: Vec::new(),
        };
        walker.walk(root.as_fd())?;
        let left_out = LeftOut {
            sockets: walker.sockets,
            unreadable: walker.unreadable,
        };
        self.flush()?;
        Ok(left_out)
    }

    fn take(&mut self, mut found: Found) -> Result<(), Error> {
        let mut state = State::Ready;
        if let Kind::File { size, digest, .. } = &mut found.entry.kind {
            let remembered = match (&mut self.old, &found.fingerprint) {
                (Some(old), Some(fingerprint)) => old.find(&found.entry.path, fingerprint),
                _ => None,
            };
            if let Some(remembered) = remembered {
                *digest = Some(remembered.digest);
                found.entry.xattrs = remembered.xattrs;
            } else {
                state = State::Unhashed;
                self.has_unhashed = true;
                self.to_hash += *size;
            }
        }
        self.items.push(Item { found, state });
        match self.items.len() >= BATCH_ENTRIES || self.to_hash >= BATCH_SIZE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let (output, batch) = sync_channel(1);
        // Fails only when the request has failed already.
        self.order.send(Ok(batch)).map_err(|_| Error::Cancelled)?;
        let items = std::mem::take(&mut self.items);
        self.to_hash = 0;
        if std::mem::take(&mut self.has_unhashed) {
            let job = Job { items, output };
            return self.queue.send(job).map_err(|_| Error::Cancelled);
        }
        output.send(Ok(items)).map_err(|_| Error::Cancelled)
    }
}

struct Hasher<'a> {
    root: &'a OwnedFd,
    format: DirectoryFormat,
    path: &'a Path,
    cancel: &'a Cancel,
}

impl Hasher<'_> {
    fn serve(&self, jobs: &Mutex<Receiver<Job>>) {
        let mut buffer = Vec::new();
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(mut job) = job else {
                return;
            };
            let mut unhashed = job
                .items
                .iter_mut()
                .filter(|item| item.state == State::Unhashed);
            buffer.resize(CHUNK_SIZE, 0);
            let outcome = unhashed.try_for_each(|item| self.hash(item, &mut buffer));
            // Nobody listens when the request has failed already.
            let _ = job.output.send(outcome.map(|()| job.items));
        }
    }

    fn hash(&self, item: &mut Item, buffer: &mut [u8]) -> Result<(), Error> {
        let entry = &mut item.found.entry;
        let shown = self.path.join(OsStr::from_bytes(&entry.path));
        let file = match open_beneath(self.root.as_fd(), &entry.path) {
            Err(errno) if is_gone(errno) => return Err(Error::ContentChanged { path: shown }),
            // Files of a context that nobody copies need not be readable (CTX-8).
            Err(Errno::ACCESS) if self.format == DirectoryFormat::Context => {
                item.state = State::Unreadable;
                return Ok(());
            }
            file => file.map_err(at(&shown, Error::Open))?,
        };
        let stat = rustix::fs::fstat(&file).map_err(at(&shown, Error::Stat))?;
        let mut file = HoleReader::new(file, &stat);
        let attributes = xattr::read(file.file().as_fd()).map_err(at(&shown, Error::Stat))?;
        entry.xattrs = attributes.kept;
        let mut content = ContentHash::new();
        loop {
            self.cancel.check()?;
            match file.read(buffer).map_err(at(&shown, Error::Read))? {
                0 => break,
                length => content.update(&buffer[..length], self.cancel)?,
            }
        }
        let found = content.finish(self.cancel)?;
        let stat = rustix::fs::fstat(file.file()).map_err(at(&shown, Error::Stat))?;
        if item.found.fingerprint != Some(Fingerprint::of(&stat)) {
            return Err(Error::ContentChanged { path: shown });
        }
        if let Kind::File { digest, .. } = &mut entry.kind {
            *digest = Some(found);
        }
        if self.format == DirectoryFormat::Layer {
            take_owner(entry, attributes.owner);
        }
        item.state = State::Hashed;
        Ok(())
    }
}
