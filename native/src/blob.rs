//! A tar becomes a blob: fixed blocks, each compressed on whatever core is free, hashed before and
//! after, written in order. The same bytes for any number of threads. No privileges.

use crate::chunk::{Pool, Slice};
use crate::entry::Digest;
use crate::error::{Error, at};
use crate::hasher::{HashJob, Hashes, TarUse, hash};
use crate::holes::is_zero;
use crate::index::digest_text;
use crate::pending::PendingFile;
use crate::protocol::{BlobReply, BlobRequest, Compression};
use sha2::{Digest as _, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

/// What a gzip member holds: enough for the ratio of one big member, within half a percent.
const GZIP_BLOCK: usize = 1 << 20;
/// Zstandard looks further back, and is fast enough for larger blocks.
const ZSTD_BLOCK: usize = 4 << 20;
/// No more bytes than gzip -6 of nearly all that was tried (DECISIONS.md, 7): level 5 has more of libraries.
const GZIP_LEVEL: i32 = 6;
/// For blocks that the usual level makes no smaller, in twice the time: pictures, archives, base64.
const QUICK_LEVEL: i32 = 1;
/// The bytes of a block on which both are tried, from so many places of it.
const SAMPLE: usize = 32 << 10;
const SAMPLE_PLACES: usize = 4;
const ZSTD_LEVEL: i32 = 3;

/// Takes the bytes of a tar.
pub struct BlobWriter<'scope> {
    pool: Pool,
    block: Vec<u8>,
    block_size: usize,
    compression: Compression,
    jobs: SyncSender<HashJob>,
    blocks: SyncSender<Block>,
    order: SyncSender<Receiver<Packed>>,
    hashing: ScopedJoinHandle<'scope, Result<Hashes, Error>>,
    writing: ScopedJoinHandle<'scope, Result<Written, Error>>,
}

struct Block {
    bytes: Slice,
    output: SyncSender<Packed>,
}

/// A block as it is written.
type Packed = Result<Slice, Error>;

struct Written {
    file: PendingFile,
    /// None: its bytes are the tar's.
    digest: Option<Digest>,
    size: u64,
}

impl<'scope> BlobWriter<'scope> {
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        file: PendingFile,
        request: &BlobRequest,
    ) -> BlobWriter<'scope> {
        let BlobRequest {
            path,
            compression,
            level,
        } = request;
        let (path, compression, level) = (path.clone(), *compression, *level);
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8);
        let (jobs, hash_jobs) = sync_channel(2);
        let (order, ordered) = sync_channel(threads + 1);
        let (blocks, queue) = sync_channel::<Block>(threads);
        let queue = Arc::new(Mutex::new(queue));
        let pool = Pool::default();
        for _ in 0..threads {
            let (queue, pool, path) = (Arc::clone(&queue), pool.clone(), path.clone());
            scope.spawn(move || pack_blocks(&queue, &pool, Packer::new(compression, level), path));
        }
        let tar_use = TarUse {
            wants_digest: true,
            copy: None,
        };
        BlobWriter {
            block: pool.take(),
            pool,
            block_size: match compression {
                Compression::Zstd => ZSTD_BLOCK,
                Compression::None | Compression::Gzip => GZIP_BLOCK,
            },
            compression,
            jobs,
            blocks,
            order,
            hashing: scope.spawn(move || hash(hash_jobs, tar_use)),
            writing: scope
                .spawn(move || write(ordered, file, &path, compression != Compression::None)),
        }
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = self.block_size - self.block.len();
            let (front, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(front);
            bytes = rest;
            if self.block.len() == self.block_size {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub fn write_zeros(&mut self, count: usize) -> Result<(), Error> {
        const ZEROS: [u8; 1024] = [0; 1024];
        self.write(&ZEROS[..count])
    }

    fn flush(&mut self) -> Result<(), Error> {
        let block = std::mem::replace(&mut self.block, self.pool.take());
        let bytes = self.pool.chunk(block);
        let (output, packed) = sync_channel(1);
        // They fail only when a thread has failed, whose reason comes out of `finish`.
        let stopped = || Error::Cancelled;
        self.jobs
            .send(HashJob::Tar(bytes.clone()))
            .map_err(|_| stopped())?;
        self.order.send(packed).map_err(|_| stopped())?;
        if self.compression == Compression::None {
            return output.send(Ok(bytes)).map_err(|_| stopped());
        }
        self.blocks
            .send(Block { bytes, output })
            .map_err(|_| stopped())
    }

    /// Ends the blob, whose file still has its temporary name. An incomplete one is ended only to
    /// learn why its threads failed.
    pub fn finish(mut self, is_complete: bool) -> Result<(PendingFile, BlobReply), Error> {
        let flushed = match is_complete && !self.block.is_empty() {
            true => self.flush(),
            false => Ok(()),
        };
        drop((self.jobs, self.blocks, self.order));
        let stopped = || Err(Error::Cancelled);
        let hashes = self.hashing.join().unwrap_or_else(|_| stopped_hashes())?;
        let written = self.writing.join().unwrap_or_else(|_| stopped())?;
        flushed?;
        let tar = hashes.tar.unwrap_or_default();
        let reply = BlobReply {
            digest: digest_text(&written.digest.unwrap_or(tar)),
            diff_id: digest_text(&tar),
            size: written.size,
        };
        Ok((written.file, reply))
    }
}

fn stopped_hashes() -> Result<Hashes, Error> {
    Err(Error::Cancelled)
}

fn pack_blocks(queue: &Mutex<Receiver<Block>>, pool: &Pool, mut packer: Packer, path: PathBuf) {
    // A hole of gigabytes is the same block again and again.
    let mut zeros: Option<(usize, Slice)> = None;
    loop {
        let block = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = block else {
            return;
        };
        let length = block.bytes.len();
        let is_zero = is_zero(&block.bytes);
        if let Some((_, known)) = zeros.as_ref().filter(|(of, _)| is_zero && *of == length) {
            let _ = block.output.send(Ok(known.clone()));
            continue;
        }
        let mut out = pool.take();
        let packed = match packer.pack(&block.bytes, &mut out) {
            true => Ok(pool.chunk(out)),
            false => Err(at(&path, Error::Write)(rustix::io::Errno::NOMEM)),
        };
        if let (true, Ok(packed)) = (is_zero, &packed) {
            zeros = Some((length, packed.clone()));
        }
        // Nobody waits for it when the request has failed.
        let _ = block.output.send(packed);
    }
}

enum Packer {
    None,
    Gzip {
        usual: libdeflater::Compressor,
        /// None: the level was asked for.
        quick: Option<libdeflater::Compressor>,
    },
    Zstd(Option<zstd::bulk::Compressor<'static>>),
}

impl Packer {
    /// Without a level with the usual one; a level that the compressor does not have is its best.
    fn new(compression: Compression, level: Option<u8>) -> Packer {
        match compression {
            Compression::None => Packer::None,
            Compression::Gzip => Packer::Gzip {
                usual: gzip_at(level.map_or(GZIP_LEVEL, i32::from)),
                quick: level.is_none().then(|| gzip_at(QUICK_LEVEL)),
            },
            Compression::Zstd => {
                let mut compressor =
                    zstd::bulk::Compressor::new(level.map_or(ZSTD_LEVEL, i32::from)).ok();
                if let Some(compressor) = &mut compressor {
                    // Go's and Docker's frames have one.
                    let _ = compressor.include_checksum(true);
                }
                Packer::Zstd(compressor)
            }
        }
    }

    /// Makes one gzip member (time 0, no name, system "unknown") or one zstd frame. False: out of memory.
    fn pack(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Packer::None => {
                out.extend_from_slice(bytes);
                true
            }
            Packer::Gzip { usual, quick } => {
                let is_enough = quick
                    .as_mut()
                    .is_some_and(|quick| is_quick_enough(quick, usual, &sample_of(bytes), out));
                match quick {
                    Some(quick) if is_enough => gzip(quick, bytes, out),
                    _ => gzip(usual, bytes, out),
                }
            }
            Packer::Zstd(Some(compressor)) => {
                out.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
                compressor.compress_to_buffer(bytes, out).is_ok()
            }
            Packer::Zstd(None) => false,
        }
    }
}

fn gzip_at(level: i32) -> libdeflater::Compressor {
    let best = libdeflater::CompressionLvl::best();
    libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap_or(best))
}

fn gzip(compressor: &mut libdeflater::Compressor, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.resize(compressor.gzip_compress_bound(bytes.len()), 0);
    let length = compressor.gzip_compress(bytes, out);
    out.truncate(*length.as_ref().unwrap_or(&0));
    length.is_ok()
}

/// Whether the quick level packs a sample to no more bytes than the usual one.
fn is_quick_enough(
    quick: &mut libdeflater::Compressor,
    usual: &mut libdeflater::Compressor,
    sample: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    if sample.len() < SAMPLE || !gzip(quick, sample, out) {
        return false;
    }
    let length = out.len();
    gzip(usual, sample, out) && length <= out.len()
}

/// What a block is like, which may have files of several kinds.
fn sample_of(bytes: &[u8]) -> Vec<u8> {
    let part = (bytes.len() / SAMPLE_PLACES).max(1);
    let length = SAMPLE / SAMPLE_PLACES;
    bytes
        .chunks_exact(part)
        .flat_map(|part| &part[part.len().saturating_sub(length) / 2..][..length.min(part.len())])
        .copied()
        .collect()
}

fn write(
    ordered: Receiver<Receiver<Packed>>,
    mut file: PendingFile,
    path: &Path,
    wants_digest: bool,
) -> Result<Written, Error> {
    let mut digest = wants_digest.then(Sha256::new);
    let mut size = 0;
    for packed in ordered {
        let Ok(packed) = packed.recv() else {
            return Err(Error::Cancelled);
        };
        let bytes = packed?;
        if let Some(digest) = &mut digest {
            digest.update(&*bytes);
        }
        file.write_all(&bytes).map_err(at(path, Error::Write))?;
        size += bytes.len() as u64;
    }
    Ok(Written {
        file,
        digest: digest.map(|digest| digest.finalize().into()),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::{Compression, GZIP_LEVEL, Packer, QUICK_LEVEL, gzip, gzip_at};

    const MIB: usize = 1 << 20;

    fn at_level(level: i32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(gzip(&mut gzip_at(level), bytes, &mut out));
        out
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(Packer::new(Compression::Gzip, None).pack(bytes, &mut out));
        out
    }

    #[test]
    fn what_hardly_shrinks_is_packed_quickly_and_the_rest_well() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(MIB)
        .collect();
        let words = [
            "layer",
            "of ",
            "an image ",
            "the files, ",
            "which ",
            "build\n",
            "step ",
        ];
        let text: Vec<u8> = noise
            .iter()
            .flat_map(|byte| words[usize::from(*byte) % words.len()].bytes())
            .take(MIB)
            .collect();
        assert_eq!(packed(&noise), at_level(QUICK_LEVEL, &noise));
        assert_eq!(packed(&text), at_level(GZIP_LEVEL, &text));
        assert_eq!(packed(&[]), at_level(GZIP_LEVEL, &[]));
        let mut out = Vec::new();
        assert!(Packer::new(Compression::Gzip, Some(9)).pack(&noise, &mut out));
        assert_eq!(out, at_level(9, &noise));
    }
}
