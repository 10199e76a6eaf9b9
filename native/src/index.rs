//! Index files: the sorted entries of a layer, as in src/tree/README.md. Privileges: a file's owner's.

use crate::codec::{Input, decode, encode, encode_identity, put_bytes, put_varint};
use crate::entry::{Digest, Entry, compare, is_inside, shared_prefix};
use crate::error::{Error, at};
use crate::pending::PendingFile;
use crate::protocol::IndexSummary;
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"tsbidx1\n";
const TRAILER: u64 = 28;
const BLOCK: u64 = 128;

/// Writes an index to a temporary name beside its own, or just sums it up.
pub struct IndexWriter {
    file: Option<BufWriter<PendingFile>>,
    path: PathBuf,
    offset: u64,
    previous: Vec<u8>,
    buffer: Vec<u8>,
    table: Vec<u8>,
    blocks: u32,
    entries: u64,
    size: u64,
    identity: Sha256,
}

impl IndexWriter {
    /// Without a path nothing is written.
    pub fn create(path: Option<&Path>) -> Result<IndexWriter, Error> {
        let file = path.map(PendingFile::create).transpose()?;
        let mut writer = IndexWriter {
            file: file.map(|file| BufWriter::with_capacity(128 << 10, file)),
            path: path.map(Path::to_owned).unwrap_or_default(),
            offset: 0,
            previous: Vec::new(),
            buffer: MAGIC.to_vec(),
            table: Vec::new(),
            blocks: 0,
            entries: 0,
            size: 0,
            identity: Sha256::new(),
        };
        writer.flush()?;
        Ok(writer)
    }

    /// Appends an entry; it must follow the one before it in the order.
    pub fn push(&mut self, entry: &Entry) -> Result<(), Error> {
        let is_root = self.entries == 0 && entry.is_opaque_root();
        if !is_root && compare(&self.previous, &entry.path) != Ordering::Less {
            return Err(invalid(&self.path, "its entries are not in order"));
        }
        let mut shared = 0;
        if self.entries.is_multiple_of(BLOCK) {
            self.table.extend_from_slice(&self.offset.to_le_bytes());
            put_bytes(&mut self.table, &entry.path);
            self.blocks += 1;
        } else {
            shared = shared_prefix(&self.previous, &entry.path);
        }
        let rest = &entry.path[shared..];
        put_varint(&mut self.buffer, shared as u64);
        put_bytes(&mut self.buffer, rest);
        encode(entry, &mut self.buffer);
        self.flush()?;
        self.previous.truncate(shared);
        self.previous.extend_from_slice(rest);
        self.entries += 1;
        self.size += entry.size();
        if !entry.implied {
            encode_identity(entry, &mut self.buffer);
            self.identity.update(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes the table and the trailer. The file still has its temporary name.
    pub fn finish(mut self) -> Result<(Option<PendingFile>, IndexSummary), Error> {
        let table_offset = self.offset;
        self.buffer.append(&mut self.table);
        self.buffer.extend_from_slice(&table_offset.to_le_bytes());
        self.buffer.extend_from_slice(&self.entries.to_le_bytes());
        self.buffer.extend_from_slice(&self.blocks.to_le_bytes());
        self.buffer.extend_from_slice(MAGIC);
        self.flush()?;
        let summary = IndexSummary {
            entries: self.entries,
            size: self.size,
            identity: digest_text(&self.identity.finalize().into()),
        };
        let file = match self.file.map(BufWriter::into_inner) {
            None => None,
            Some(Ok(file)) => Some(file),
            Some(Err(error)) => return Err(at(self.path, Error::Write)(error.into_error())),
        };
        Ok((file, summary))
    }

    fn flush(&mut self) -> Result<(), Error> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.buffer)
                .map_err(at(&self.path, Error::Write))?;
        }
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// What there is to say of an index without entries.
pub fn empty_summary() -> IndexSummary {
    IndexSummary {
        entries: 0,
        size: 0,
        identity: digest_text(&Sha256::new().finalize().into()),
    }
}

/// Reads an index from the first entry to the last.
pub struct IndexReader {
    input: Take<BufReader<File>>,
    path: PathBuf,
    previous: Vec<u8>,
    is_first: bool,
    left: u64,
}

impl IndexReader {
    pub fn open(path: &Path) -> Result<IndexReader, Error> {
        let mut file = File::open(path).map_err(at(path, Error::Open))?;
        let length = file.seek(SeekFrom::End(0)).map_err(at(path, Error::Read))?;
        if length < TRAILER + MAGIC.len() as u64 {
            return Err(invalid(path, "it is too short"));
        }
        let mut trailer = [0u8; TRAILER as usize];
        let mut magic = [0u8; 8];
        file.seek(SeekFrom::End(-(TRAILER as i64)))
            .and_then(|_| file.read_exact(&mut trailer))
            .and_then(|()| file.rewind())
            .and_then(|()| file.read_exact(&mut magic))
            .map_err(at(path, Error::Read))?;
        let table = word(&trailer, 0);
        if magic != *MAGIC || trailer[20..] != *MAGIC || table < 8 || table > length - TRAILER {
            return Err(invalid(path, "it is of another version, or cut off"));
        }
        Ok(IndexReader {
            input: BufReader::with_capacity(128 << 10, file).take(table - 8),
            path: path.to_owned(),
            previous: Vec::new(),
            is_first: true,
            left: word(&trailer, 8),
        })
    }

    fn read(&mut self) -> Option<Entry> {
        let shared = usize::try_from(self.input.varint()?).ok()?;
        let rest = self.input.string()?;
        let mut path = self.previous.get(..shared)?.to_vec();
        path.extend_from_slice(&rest);
        let is_next = compare(&self.previous, &path) == Ordering::Less && is_inside(&path);
        let is_first = std::mem::take(&mut self.is_first);
        self.previous.clone_from(&path);
        let entry = decode(&mut self.input, path)?;
        (is_next || (is_first && entry.is_opaque_root())).then_some(entry)
    }
}

impl Iterator for IndexReader {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let entry = self.read();
        if entry.is_none() {
            self.left = 0;
        }
        Some(entry.ok_or_else(|| invalid(&self.path, "an entry is malformed")))
    }
}

impl Input for Take<BufReader<File>> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.fill_buf().ok()?.first()?;
        self.consume(1);
        Some(byte)
    }

    fn bytes(&mut self, length: u64) -> Option<Vec<u8>> {
        if length > self.limit() {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// `sha256:` and hex.
pub fn digest_text(digest: &Digest) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in digest {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
        }
    }
    text
}

fn word(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

fn invalid(path: &Path, reason: &'static str) -> Error {
    Error::IndexInvalid {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_index_is_read_and_written_again() {
        let hex = include_str!("../../test/tree/golden-index.hex").replace('\n', "");
        let digits = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16));
        let golden: Vec<u8> = digits.map_while(Result::ok).collect();
        let folder = std::env::temp_dir().join(format!("tsbuild-index-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        let outcome = std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(&from, &golden))
            .map_err(at(&folder, Error::Create))
            .and_then(|()| copy(&from, &to));
        let written = std::fs::read(&to).ok();
        assert!(std::fs::remove_dir_all(&folder).is_ok());
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(written, Some(golden));
    }

    fn copy(from: &Path, to: &Path) -> Result<(), Error> {
        let mut writer = IndexWriter::create(Some(to))?;
        for entry in IndexReader::open(from)? {
            writer.push(&entry?)?;
        }
        let (file, _) = writer.finish()?;
        file.map_or(Ok(()), PendingFile::commit)
    }
}
