//! Compressed bytes become plain ones, on a thread of their own; the format is told by content. No privileges.

use crate::cancel::Cancel;
use crate::chunk::{CHUNK_SIZE, Pool, Slice};
use crate::entry::Digest;
use crate::error::{Error, at};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::mpsc::SyncSender;

/// KiB. `xz -9` needs 65 MiB to decompress; a header may ask for 4 GiB.
const MAX_XZ_MEMORY: u32 = 100 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

impl Format {
    fn of(front: &[u8]) -> Format {
        match front {
            [0x1f, 0x8b, 0x08, ..] => Format::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Format::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
            // A skippable frame, as zstd:chunked layers may start with.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
            _ => Format::Plain,
        }
    }
}

/// A file that is hashed while it is read.
pub struct HashedFile {
    file: File,
    digest: Option<Sha256>,
}

impl HashedFile {
    pub fn new(file: File, wants_digest: bool) -> HashedFile {
        HashedFile {
            file,
            digest: wants_digest.then(Sha256::new),
        }
    }

    /// Reads what is left, for the digest alone; stops early when cancelled.
    pub fn read_to_end(&mut self, cancel: &Cancel) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_SIZE];
        while !cancel.is_cancelled() && self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    pub fn digest(self) -> Option<Digest> {
        self.digest.map(|digest| digest.finalize().into())
    }
}

impl Read for HashedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&buffer[..length]);
        }
        Ok(length)
    }
}

/// Of a file as it is now.
pub fn file_digest(path: &Path, cancel: &Cancel) -> Result<Digest, Error> {
    let file = File::open(path).map_err(at(path, Error::Open))?;
    let mut hashed = HashedFile::new(file, true);
    hashed.read_to_end(cancel).map_err(at(path, Error::Read))?;
    cancel.check()?;
    Ok(hashed.digest().unwrap_or_default())
}

/// A file that may be compressed.
pub struct Input {
    source: Cursor<Vec<u8>>,
    rest: HashedFile,
    pub format: Format,
}

impl Input {
    pub fn open(path: &Path, wants_digest: bool) -> Result<Input, Error> {
        let file = File::open(path).map_err(at(path, Error::Open))?;
        let mut rest = HashedFile::new(file, wants_digest);
        let mut front = Vec::new();
        (&mut rest)
            .take(6)
            .read_to_end(&mut front)
            .map_err(at(path, Error::Read))?;
        Ok(Input {
            format: Format::of(&front),
            source: Cursor::new(front),
            rest,
        })
    }
}

/// Sends the plain bytes, and returns the digest of the compressed ones. When nobody receives any
/// more it just ends: the receiver has failed, and says why.
pub fn decompress(
    input: Input,
    path: &Path,
    pool: &Pool,
    output: &SyncSender<Result<Slice, Error>>,
    cancel: &Cancel,
) -> Option<Digest> {
    let format = input.format;
    let mut source = BufReader::with_capacity(CHUNK_SIZE, input.source.chain(input.rest));
    let sent = match format {
        Format::Plain => send(&mut source, pool, output, cancel),
        Format::Gzip => send(&mut Gzip::new(&mut source), pool, output, cancel),
        Format::Bzip2 => {
            let mut reader = bzip2::bufread::MultiBzDecoder::new(&mut source);
            send(&mut reader, pool, output, cancel)
        }
        Format::Xz => {
            let mut reader = lzma_rust2::XzReader::new_mem_limit(&mut source, true, MAX_XZ_MEMORY);
            send(&mut reader, pool, output, cancel)
        }
        Format::Zstd => zstd::stream::read::Decoder::with_buffer(&mut source)
            .and_then(|mut reader| send(&mut reader, pool, output, cancel)),
    };
    // The digest covers what follows the compressed data, too.
    let sent = sent.and_then(|()| io::copy(&mut source, &mut io::sink()));
    if let Err(error) = sent {
        let _ = output.send(Err(failure(error, path, format)));
        return None;
    }
    source.into_inner().into_inner().1.digest()
}

fn failure(error: io::Error, path: &Path, format: Format) -> Error {
    match error.kind() {
        io::ErrorKind::Interrupted => Error::Cancelled,
        _ if error.raw_os_error().is_some() || format == Format::Plain => {
            at(path, Error::Read)(error)
        }
        _ => Error::ArchiveInvalid {
            path: path.to_owned(),
            reason: format!("its {format:?} data is corrupt or cut off ({error})"),
        },
    }
}

fn send(
    reader: &mut impl Read,
    pool: &Pool,
    output: &SyncSender<Result<Slice, Error>>,
    cancel: &Cancel,
) -> io::Result<()> {
    loop {
        if cancel.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut bytes = pool.take();
        bytes.resize(CHUNK_SIZE, 0);
        let mut filled = 0;
        let ended = loop {
            if filled == CHUNK_SIZE {
                break Ok(false);
            }
            match reader.read(&mut bytes[filled..]) {
                Ok(0) => break Ok(true),
                Ok(length) => filled += length,
                // What came before tells whether this is a damaged archive, or none.
                Err(error) => break Err(error),
            }
        };
        bytes.truncate(filled);
        if filled > 0 && output.send(Ok(pool.chunk(bytes))).is_err() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if ended? {
            return Ok(());
        }
    }
}

/// Gzip members one after the other. Zeros after the last one are padding; anything else is an error.
struct Gzip<'a, R: BufRead> {
    member: Option<flate2::bufread::GzDecoder<&'a mut R>>,
}

impl<'a, R: BufRead> Gzip<'a, R> {
    fn new(source: &'a mut R) -> Gzip<'a, R> {
        Gzip {
            member: Some(flate2::bufread::GzDecoder::new(source)),
        }
    }
}

impl<R: BufRead> Read for Gzip<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            let Some(source) = self.member.take().map(|member| member.into_inner()) else {
                break;
            };
            let rest = source.fill_buf()?;
            if rest.first().is_some_and(|&byte| byte != 0) {
                self.member = Some(flate2::bufread::GzDecoder::new(source));
            }
        }
        Ok(0)
    }
}
