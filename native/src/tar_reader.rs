//! Reads a tar: ustar, PAX with global headers, GNU long names, sparse files. No privileges.

use crate::chunk::Slice;
use crate::error::Error;
use crate::pax::{Records, decimal, merge, parse_time, pax_records, size_of_records};
use crate::sparse::PaxSparse;
use crate::tar_header::{BLOCK, Header};
use std::path::PathBuf;

/// What PAX headers, long names and sparse maps may hold, as in Go's reader; real ones are far smaller.
pub const MAX_SPECIAL: u64 = 1 << 20;

/// What global headers may hold: every member has a copy.
const MAX_GLOBALS: usize = 64 << 10;

/// Holes come in pieces: an archive of a kilobyte may have one that takes years to hash.
const MAX_HOLE: u64 = 4 << 20;

/// Where the bytes of a tar come from.
pub trait Stream {
    /// The next piece; none at the end.
    fn next(&mut self) -> Result<Option<Slice>, Error>;
}

/// A member's header, with everything applied to it.
#[derive(Debug, Default)]
pub struct Member {
    /// As in the archive.
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub type_flag: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    pub nsec: u32,
    pub device: (u32, u32),
    pub xattrs: Records,
    /// Of a file, holes included.
    pub size: u64,
    /// Where its data starts, in the uncompressed bytes.
    pub offset: u64,
    /// Of a sparse file: the hole before each part that the archive has, and the part's length.
    pub parts: Option<Vec<(u64, u64)>>,
}

/// A piece of a file.
pub enum Data {
    Bytes(Slice),
    Hole(u64),
}

pub struct TarReader<S> {
    stream: S,
    path: PathBuf,
    current: Option<Slice>,
    offset: u64,
    globals: Records,
    /// Bytes of the current member that are still in the stream, then its padding.
    pub left: u64,
    padding: u64,
    /// Of a sparse member: what is to come, the first at the end.
    pub map: Option<Vec<(u64, u64)>>,
    pub position: u64,
    pub size: u64,
}

impl<S: Stream> TarReader<S> {
    pub fn new(stream: S, path: PathBuf) -> TarReader<S> {
        TarReader {
            stream,
            path,
            current: None,
            offset: 0,
            globals: Vec::new(),
            left: 0,
            padding: 0,
            map: None,
            position: 0,
            size: 0,
        }
    }

    /// The next member; none at the end. What was left of the one before is skipped.
    pub fn next(&mut self) -> Result<Option<Member>, Error> {
        self.skip(self.left + self.padding)?;
        self.map = None;
        let mut records = self.globals.clone();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            let Some(block) = self.header_block()? else {
                return Ok(None);
            };
            let header = Header(&block);
            let size = header.size().and_then(|size| u64::try_from(size).ok());
            let size = size.ok_or_else(|| self.invalid("a size is malformed"))?;
            match header.type_flag() {
                b'g' => {
                    let found = self.special(size)?;
                    let found = self.pax(&found)?;
                    let merged = merge(&mut self.globals, found.clone());
                    let merged = merged.and_then(|()| merge(&mut records, found));
                    let merged = merged.filter(|()| size_of_records(&self.globals) <= MAX_GLOBALS);
                    merged.ok_or_else(|| self.invalid("it has too many PAX records"))?;
                }
                b'x' | b'X' => {
                    let found = self.special(size)?;
                    let merged = merge(&mut records, self.pax(&found)?);
                    merged.ok_or_else(|| self.invalid("it has too many PAX records"))?;
                }
                b'L' => long_name = Some(until_nul(self.special(size)?)),
                b'K' => long_link = Some(until_nul(self.special(size)?)),
                // Vendor types that no reader shows: volume labels and the like.
                b'A'..=b'Z' if !matches!(header.type_flag(), b'S' | b'D') => {
                    self.skip(padded(size))?;
                }
                _ => {
                    let mut member = self.member(&header, size)?;
                    member.name = long_name.unwrap_or(member.name);
                    member.link = long_link.unwrap_or(member.link);
                    self.apply(&mut member, records)?;
                    return Ok(Some(member));
                }
            }
        }
    }

    /// The next piece of the current member's content; none at its end.
    pub fn data(&mut self) -> Result<Option<Data>, Error> {
        let Some(map) = &mut self.map else {
            if self.left == 0 {
                return Ok(None);
            }
            return Ok(Some(Data::Bytes(self.piece(self.left)?)));
        };
        while let Some(&(offset, length)) = map.last() {
            if length == 0 {
                map.pop();
                continue;
            }
            if offset > self.position {
                return Ok(self.hole(offset));
            }
            let bytes = self.piece(length)?;
            let read = bytes.len() as u64;
            self.position += read;
            if let Some(last) = self.map.as_mut().and_then(|map| map.last_mut()) {
                *last = (offset + read, length - read);
            }
            return Ok(Some(Data::Bytes(bytes)));
        }
        Ok(self.hole(self.size))
    }

    /// The next piece of the hole that ends at a position, if there is one.
    fn hole(&mut self, end: u64) -> Option<Data> {
        let length = (end - self.position).min(MAX_HOLE);
        self.position += length;
        (length > 0).then_some(Data::Hole(length))
    }

    /// Reads what follows the end of the archive, so that digests cover it.
    pub fn drain(&mut self) -> Result<(), Error> {
        self.current = None;
        while self.stream.next()?.is_some() {}
        Ok(())
    }

    /// A header that is no zero block; none at the end. An archive may end without zero blocks.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        let header = Header(&block);
        if header.is_zero() {
            return match self.block()? {
                Some(second) if !Header(&second).is_zero() => {
                    Err(self.invalid("there is a zero block between members"))
                }
                _ => Ok(None),
            };
        }
        if !header.is_valid() {
            return Err(self.invalid("a header's checksum is wrong"));
        }
        Ok(Some(block))
    }

    fn member(&mut self, header: &Header<'_>, size: u64) -> Result<Member, Error> {
        let path = self.path.clone();
        let malformed = || Error::ArchiveInvalid {
            path: path.clone(),
            reason: "a header's number is malformed".to_owned(),
        };
        let mut member = Member {
            name: header.name(),
            link: header.link(),
            type_flag: header.type_flag(),
            mode: header.mode().ok_or_else(malformed)? as u32 & 0o7777,
            uid: header.uid().and_then(id).ok_or_else(malformed)?,
            gid: header.gid().and_then(id).ok_or_else(malformed)?,
            mtime: header.mtime().ok_or_else(malformed)?,
            size,
            ..Member::default()
        };
        if matches!(member.type_flag, b'3' | b'4') {
            let (major, minor) = header.device().ok_or_else(malformed)?;
            let (major, minor) = (id(major), id(minor));
            member.device = major.zip(minor).ok_or_else(malformed)?;
        }
        // V7 had no type for directories.
        if matches!(member.type_flag, 0 | b'0') && member.name.ends_with(b"/") {
            member.type_flag = b'5';
        }
        self.left = size;
        if member.type_flag == b'S' {
            self.read_gnu_map(&mut member, header)?;
        }
        Ok(member)
    }

    /// Lets PAX records override the header, and finds where the data is.
    fn apply(&mut self, member: &mut Member, records: Records) -> Result<(), Error> {
        let mut sparse = PaxSparse::default();
        for (key, value) in records {
            let applied = self.apply_record(member, &mut sparse, &key, value);
            applied.ok_or_else(|| self.invalid("a PAX record is malformed"))?;
        }
        if !matches!(member.type_flag, 0 | b'0' | b'7' | b'S') && member.type_flag.is_ascii_digit()
            || member.type_flag == b'D'
        {
            // As in Go's reader: links, nodes and directories have no data, whatever their size says.
            self.left = if member.type_flag == b'D' {
                self.left
            } else {
                0
            };
            member.size = 0;
        }
        self.padding = padded(self.left) - self.left;
        self.read_pax_map(member, sparse)?;
        member.offset = self.offset;
        Ok(())
    }

    fn apply_record(
        &mut self,
        member: &mut Member,
        sparse: &mut PaxSparse,
        key: &[u8],
        value: Vec<u8>,
    ) -> Option<()> {
        match key {
            b"path" => member.name = value,
            b"linkpath" => member.link = value,
            b"size" => {
                self.left = decimal(&value)?;
                if member.parts.is_none() {
                    member.size = self.left;
                }
            }
            b"uid" => member.uid = decimal(&value)?.try_into().ok()?,
            b"gid" => member.gid = decimal(&value)?.try_into().ok()?,
            b"mtime" => (member.mtime, member.nsec) = parse_time(&value)?,
            _ => match key.strip_prefix(b"SCHILY.xattr.") {
                Some(name) => member.xattrs.push((name.to_vec(), value)),
                None => sparse.record(key, &value)?,
            },
        }
        Some(())
    }

    /// The whole data of a member that describes the one after it.
    fn special(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > MAX_SPECIAL {
            return Err(self.invalid("a special header is too long"));
        }
        self.left = size;
        let mut bytes = Vec::with_capacity(size as usize);
        while self.left > 0 {
            bytes.extend_from_slice(&self.piece(self.left)?);
        }
        self.skip(padded(size) - size)?;
        Ok(bytes)
    }

    fn pax(&self, bytes: &[u8]) -> Result<Records, Error> {
        let records = pax_records(bytes);
        let mut records = records.ok_or_else(|| self.invalid("a PAX header is malformed"))?;
        records.retain(|(key, _)| counts(key));
        Ok(records)
    }

    /// Up to `length` bytes of the current member, and not none: a sparse map may promise more than
    /// the member's size, which a PAX record told after it.
    fn piece(&mut self, length: u64) -> Result<Slice, Error> {
        if self.left == 0 {
            return Err(self.cut_off());
        }
        let slice = self.take(length.min(self.left))?;
        let slice = slice.ok_or_else(|| self.cut_off())?;
        self.left -= slice.len() as u64;
        Ok(slice)
    }

    fn skip(&mut self, mut length: u64) -> Result<(), Error> {
        while length > 0 {
            match self.take(length)? {
                Some(slice) => length -= slice.len() as u64,
                None => return Err(self.cut_off()),
            }
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    pub fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        let mut block = [0u8; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.take((BLOCK - filled) as u64)? {
                Some(slice) => {
                    block[filled..filled + slice.len()].copy_from_slice(&slice);
                    filled += slice.len();
                }
                None if filled == 0 => return Ok(None),
                None => return Err(self.cut_off()),
            }
        }
        Ok(Some(block))
    }

    fn take(&mut self, length: u64) -> Result<Option<Slice>, Error> {
        while self.current.as_ref().is_none_or(|slice| slice.is_empty()) {
            self.current = self.stream.next()?;
            if self.current.is_none() {
                return Ok(None);
            }
        }
        let taken = self.current.as_mut().map(|slice| slice.split_front(length));
        self.offset += taken.as_ref().map_or(0, |slice| slice.len() as u64);
        Ok(taken)
    }

    pub fn cut_off(&self) -> Error {
        self.invalid("it ends too early")
    }

    pub fn invalid(&self, reason: &str) -> Error {
        Error::ArchiveInvalid {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Whether a record says something that is used here. Comments and charsets do not.
fn counts(key: &[u8]) -> bool {
    matches!(
        key,
        b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"mtime"
    ) || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"GNU.sparse.")
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0);
    bytes.truncate(end.unwrap_or(bytes.len()));
    bytes
}

fn id(number: i64) -> Option<u32> {
    number.try_into().ok()
}

fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) / BLOCK as u64 * BLOCK as u64
}
