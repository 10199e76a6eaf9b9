//! One pass over an archive: three threads decompress it, hash it, and read its members, which may
//! be written to a directory on the way. Privileges: those of `layer_directory`, if there is one.

use crate::cancel::Cancel;
use crate::chunk::{CHANNEL_DEPTH, Pool, Slice};
use crate::decompress::{Input, decompress};
use crate::entry::{Digest, Entry, Kind, Source};
use crate::error::{Error, at};
use crate::hasher::{HashJob, Hashes, TarUse, hash};
use crate::holes;
use crate::layer_directory::LayerDirectory;
use crate::list::{EntryList, numbered};
use crate::member::{Statement, statement};
use crate::pax::size_of_records;
use crate::protocol::ArchiveFormat;
use crate::tar_reader::{Data, Member, Stream, TarReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Jobs are as small as a file's last bytes, so that more of them wait than of chunks.
const HASH_DEPTH: usize = 64;

/// Parts of sparse files that an index may list: a small archive may have many, and they are in memory.
const MAX_PARTS: usize = 2 << 20;

/// Bytes of all attributes, which are in memory, too; and 64 KiB of them pack into a hundred bytes.
const MAX_ATTRIBUTES: usize = 64 << 20;

pub struct Options<'a> {
    pub path: &'a Path,
    pub format: ArchiveFormat,
    pub tar: TarUse<'a>,
    pub directory: Option<&'a mut LayerDirectory>,
    /// Whether file entries get a source of kind `range`.
    pub ranges: bool,
    /// Whether an archive without a first member is none at all.
    pub may_be_none: bool,
}

pub struct Archive {
    pub list: EntryList,
    pub hashes: Hashes,
    /// Of the compressed bytes.
    pub digest: Option<Digest>,
}

/// Reads an archive to its last byte. None: it is no archive, which may be so only when allowed.
pub fn read(input: Input, options: Options<'_>, cancel: &Cancel) -> Result<Option<Archive>, Error> {
    let pool = Pool::default();
    let (chunk_sender, chunks) = sync_channel(CHANNEL_DEPTH);
    let (job_sender, jobs) = sync_channel(HASH_DEPTH);
    let Options { path, tar, .. } = options;
    let wants_tar = tar.wants_digest || tar.copy.is_some();
    std::thread::scope(|scope| {
        let decompressing =
            scope.spawn(|| decompress(input, path, &pool, &{ chunk_sender }, cancel));
        let hashing = scope.spawn(move || hash(jobs, tar));
        let stream = Chunks {
            chunks,
            jobs: wants_tar.then(|| job_sender.clone()),
            cancel,
        };
        let members = Members {
            reader: TarReader::new(stream, path.to_owned()),
            jobs: job_sender,
            list: EntryList::default(),
            files: 0,
            format: options.format,
            directory: options.directory,
            ranges: options.ranges,
            parts_left: MAX_PARTS,
            attributes_left: MAX_ATTRIBUTES,
            cancel,
        };
        let list = members.read(options.may_be_none);
        // A thread panics only by aborting the process.
        let digest = decompressing.join().unwrap_or_default();
        let hashes = hashing.join().unwrap_or_else(|_| Ok(Hashes::default()))?;
        Ok(list?.map(|list| Archive {
            list,
            hashes,
            digest,
        }))
    })
}

/// The plain bytes, each chunk of which is hashed before it is read.
struct Chunks<'a> {
    chunks: Receiver<Result<Slice, Error>>,
    jobs: Option<SyncSender<HashJob>>,
    cancel: &'a Cancel,
}

impl Stream for Chunks<'_> {
    fn next(&mut self) -> Result<Option<Slice>, Error> {
        self.cancel.check()?;
        let Ok(chunk) = self.chunks.recv() else {
            return Ok(None);
        };
        let chunk = chunk?;
        if let Some(jobs) = &self.jobs {
            send(jobs, HashJob::Tar(chunk.clone()))?;
        }
        Ok(Some(chunk))
    }
}

/// Fails only when the hashing thread has failed, whose reason is then the one that is told.
fn send(jobs: &SyncSender<HashJob>, job: HashJob) -> Result<(), Error> {
    jobs.send(job).map_err(|_| Error::Cancelled)
}

struct Members<'a> {
    reader: TarReader<Chunks<'a>>,
    jobs: SyncSender<HashJob>,
    list: EntryList,
    files: u64,
    format: ArchiveFormat,
    directory: Option<&'a mut LayerDirectory>,
    ranges: bool,
    parts_left: usize,
    attributes_left: usize,
    cancel: &'a Cancel,
}

impl Members<'_> {
    fn read(mut self, may_be_none: bool) -> Result<Option<EntryList>, Error> {
        let mut member = match self.reader.next() {
            Err(Error::ArchiveInvalid { .. }) | Ok(None) if may_be_none => return Ok(None),
            first => first?,
        };
        while let Some(found) = member {
            self.member(found)?;
            member = self.reader.next()?;
        }
        self.reader.drain()?;
        Ok(Some(self.list))
    }

    fn member(&mut self, mut member: Member) -> Result<(), Error> {
        let attributes = size_of_records(&member.xattrs);
        let left = self.attributes_left.checked_sub(attributes);
        let too_many = || self.reader.invalid("its attributes are too many");
        self.attributes_left = left.ok_or_else(too_many)?;
        let place = (member.offset, member.parts.take());
        match statement(member, self.format)? {
            Statement::Nothing => Ok(()),
            Statement::Opaque(path) => {
                if let Some(directory) = &mut self.directory {
                    directory.create(&Entry::implied(path.clone()))?;
                }
                self.list.push_opaque(path);
                Ok(())
            }
            Statement::Entry(entry) => match entry.kind {
                Kind::File { size, .. } => self.file(entry, size, place),
                _ => {
                    if let Some(directory) = &mut self.directory {
                        directory.create(&entry)?;
                    }
                    self.list.push(&entry);
                    Ok(())
                }
            },
        }
    }

    /// Writes and hashes a file's content. A place is where its bytes start, and a sparse file's parts.
    fn file(&mut self, mut entry: Entry, size: u64, place: Place) -> Result<(), Error> {
        let source = self.source(place)?;
        let directory = &mut self.directory;
        let output = match directory {
            Some(directory) => Some(directory.create_file(&entry.path)?),
            None => None,
        };
        let failed = |error| at(String::from_utf8_lossy(&entry.path).as_ref(), Error::Write)(error);
        while let Some(data) = self.reader.data()? {
            let job = match data {
                Data::Bytes(slice) => {
                    if let Some(output) = &output {
                        holes::write(output, &slice).map_err(failed)?;
                    }
                    HashJob::Content(slice)
                }
                Data::Hole(length) => {
                    // No byte of the archive is waited for meanwhile.
                    self.cancel.check()?;
                    if let Some(output) = &output {
                        holes::skip(output, length).map_err(failed)?;
                    }
                    HashJob::Zeros(length)
                }
            };
            send(&self.jobs, job)?;
        }
        send(&self.jobs, HashJob::EndFile)?;
        if let Some(output) = &output {
            holes::end(output, size).map_err(failed)?;
        }
        entry.kind = Kind::File {
            size,
            digest: Some(numbered(self.files)),
            source,
        };
        self.files += 1;
        if let (Some(directory), Some(output)) = (directory, output) {
            directory.finish_file(&output, &entry)?;
        }
        self.list.push(&entry);
        Ok(())
    }

    /// Where compose will find the bytes, if it is to.
    fn source(&mut self, (offset, parts): Place) -> Result<Option<Source>, Error> {
        if !self.ranges {
            return Ok(None);
        }
        let Some(parts) = parts else {
            return Ok(Some(Source::Range { file: 0, offset }));
        };
        let left = self.parts_left.checked_sub(parts.len());
        let too_many = || self.reader.invalid("its sparse files have too many parts");
        self.parts_left = left.ok_or_else(too_many)?;
        Ok(Some(Source::Sparse {
            file: 0,
            offset,
            parts,
        }))
    }
}

/// Where a file's bytes start in the archive, and a sparse file's parts.
type Place = (u64, Option<Vec<(u64, u64)>>);
