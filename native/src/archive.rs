//! One pass over an archive: three threads decompress it, hash it, and read its members, which may
//! be written to a directory on the way. Privileges: those of `layer_directory`, if there is one.

use crate::cancel::Cancel;
use crate::chunk::{CHANNEL_DEPTH, Pool, Slice};
use crate::decompress::{Input, decompress};
use crate::entry::{Digest, Entry, Kind, Source};
use crate::error::{Error, at};
use crate::hasher::{HashJob, Hashes, TarUse, hash};
use crate::layer_directory::LayerDirectory;
use crate::list::{EntryList, numbered};
use crate::member::{Statement, statement};
use crate::protocol::ArchiveFormat;
use crate::tar_reader::{Data, Member, Stream, TarReader};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Jobs are as small as a file's last bytes, so that more of them wait than of chunks.
const HASH_DEPTH: usize = 64;

/// Sparse files have no range in the archive; up to this size their bytes go into the index, and up
/// to this sum: a small archive may have many.
const MAX_INLINE: u64 = 1 << 20;
const MAX_INLINE_SUM: u64 = 16 << 20;

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
            inline_left: MAX_INLINE_SUM,
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
    inline_left: u64,
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

    fn member(&mut self, member: Member) -> Result<(), Error> {
        let (offset, is_sparse) = (member.offset, member.is_sparse);
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
                Kind::File { size, .. } => self.file(entry, size, (!is_sparse).then_some(offset)),
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

    /// Writes and hashes a file's content. Without an offset it is sparse.
    fn file(&mut self, mut entry: Entry, size: u64, offset: Option<u64>) -> Result<(), Error> {
        let directory = &mut self.directory;
        let mut output = match directory {
            Some(directory) => Some(directory.create_file(&entry.path)?),
            None => None,
        };
        let failed = |error| at(String::from_utf8_lossy(&entry.path).as_ref(), Error::Write)(error);
        let is_inline = offset.is_none() && self.ranges && size <= MAX_INLINE.min(self.inline_left);
        let mut inline = is_inline.then(Vec::new);
        if is_inline {
            self.inline_left -= size;
        }
        if let (Some(output), None) = (&mut output, offset) {
            output.set_len(size).map_err(failed)?;
        }
        while let Some(data) = self.reader.data()? {
            let job = match data {
                Data::Bytes(slice) => {
                    if let Some(output) = &mut output {
                        output.write_all(&slice).map_err(failed)?;
                    }
                    inline
                        .iter_mut()
                        .for_each(|bytes| bytes.extend_from_slice(&slice));
                    HashJob::Content(slice)
                }
                Data::Hole(length) => {
                    // No byte of the archive is waited for meanwhile.
                    self.cancel.check()?;
                    if let Some(output) = &mut output {
                        let past = output.seek(SeekFrom::Current(length as i64));
                        past.map_err(failed)?;
                    }
                    let holes = std::iter::repeat_n(0, length as usize);
                    inline
                        .iter_mut()
                        .for_each(|bytes| bytes.extend(holes.clone()));
                    HashJob::Zeros(length)
                }
            };
            send(&self.jobs, job)?;
        }
        send(&self.jobs, HashJob::EndFile)?;
        let source = match offset {
            Some(offset) if self.ranges => Some(Source::Range { file: 0, offset }),
            _ => inline.map(Source::Bytes),
        };
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
}
