//! Entries as they are written in an index and in its identity; src/tree/README.md has the format. No privileges.

use crate::entry::{Entry, Kind, Source};

const HAS_DIGEST: u8 = 1;
const HAS_XATTRS: u8 = 2;
const IS_OPAQUE: u8 = 4;
const HAS_SOURCE: u8 = 8;
const IS_IMPLIED: u8 = 16;

/// Appends everything of an entry that follows its path.
pub fn encode(entry: &Entry, out: &mut Vec<u8>) {
    out.push(type_byte(&entry.kind));
    let mut flags = 0;
    if let Kind::File { digest, source, .. } = &entry.kind {
        flags |= if digest.is_some() { HAS_DIGEST } else { 0 };
        flags |= if source.is_some() { HAS_SOURCE } else { 0 };
    }
    flags |= if entry.xattrs.is_empty() {
        0
    } else {
        HAS_XATTRS
    };
    flags |= if entry.opaque { IS_OPAQUE } else { 0 };
    flags |= if entry.implied { IS_IMPLIED } else { 0 };
    out.push(flags);
    put_varint(out, entry.mode.into());
    put_varint(out, entry.uid.into());
    put_varint(out, entry.gid.into());
    put_varint(out, ((entry.mtime << 1) ^ (entry.mtime >> 63)) as u64);
    put_varint(out, entry.nsec.into());
    put_specifics(out, &entry.kind);
    if let Kind::File {
        digest: Some(digest),
        ..
    } = &entry.kind
    {
        out.extend_from_slice(digest);
    }
    if !entry.xattrs.is_empty() {
        put_xattrs(out, &entry.xattrs);
    }
    if let Kind::File {
        source: Some(source),
        ..
    } = &entry.kind
    {
        put_source(out, source);
    }
}

/// Appends what an entry adds to the identity of its index.
pub fn encode_identity(entry: &Entry, out: &mut Vec<u8>) {
    put_bytes(out, &entry.path);
    out.push(type_byte(&entry.kind));
    put_varint(out, entry.mode.into());
    put_varint(out, entry.uid.into());
    put_varint(out, entry.gid.into());
    put_specifics(out, &entry.kind);
    if let Kind::File { digest, .. } = &entry.kind {
        out.push(digest.is_some().into());
        out.extend_from_slice(digest.as_ref().map_or(&[][..], |digest| &digest[..]));
    }
    put_xattrs(out, &entry.xattrs);
    out.push(entry.opaque.into());
}

fn type_byte(kind: &Kind) -> u8 {
    match kind {
        Kind::File { .. } => b'f',
        Kind::Directory => b'd',
        Kind::Symlink(_) => b'l',
        Kind::Hardlink(_) => b'h',
        Kind::Character(..) => b'c',
        Kind::Block(..) => b'b',
        Kind::Fifo => b'p',
        Kind::Whiteout => b'w',
    }
}

fn put_specifics(out: &mut Vec<u8>, kind: &Kind) {
    match kind {
        Kind::File { size, .. } => put_varint(out, *size),
        Kind::Symlink(target) | Kind::Hardlink(target) => put_bytes(out, target),
        Kind::Character(major, minor) | Kind::Block(major, minor) => {
            put_varint(out, (*major).into());
            put_varint(out, (*minor).into());
        }
        Kind::Directory | Kind::Fifo | Kind::Whiteout => {}
    }
}

fn put_xattrs(out: &mut Vec<u8>, xattrs: &[(Vec<u8>, Vec<u8>)]) {
    put_varint(out, xattrs.len() as u64);
    for (name, value) in xattrs {
        put_bytes(out, name);
        put_bytes(out, value);
    }
}

fn put_source(out: &mut Vec<u8>, source: &Source) {
    match source {
        Source::Path { root, path } => {
            put_varint(out, 1);
            put_varint(out, *root);
            put_bytes(out, path);
        }
        Source::Bytes(bytes) => {
            put_varint(out, 2);
            put_bytes(out, bytes);
        }
        Source::Range { file, offset } => {
            put_varint(out, 3);
            put_varint(out, *file);
            put_varint(out, *offset);
        }
        Source::Sparse {
            file,
            offset,
            parts,
        } => {
            put_varint(out, 4);
            put_varint(out, *file);
            put_varint(out, *offset);
            put_varint(out, parts.len() as u64);
            for (hole, length) in parts {
                put_varint(out, *hole);
                put_varint(out, *length);
            }
        }
    }
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Where encoded entries are read from.
pub trait Input {
    fn byte(&mut self) -> Option<u8>;
    fn bytes(&mut self, length: u64) -> Option<Vec<u8>>;

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn number(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let length = self.varint()?;
        self.bytes(length)
    }
}

impl Input for &[u8] {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.split_first()?;
        *self = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: u64) -> Option<Vec<u8>> {
        let (bytes, rest) = self.split_at_checked(length.try_into().ok()?)?;
        *self = rest;
        Some(bytes.to_vec())
    }
}

/// Reads what `encode` wrote; none when it is damaged.
pub fn decode(input: &mut impl Input, path: Vec<u8>) -> Option<Entry> {
    let kind = input.byte()?;
    let flags = input.byte()?;
    let mode = input.number()?;
    let uid = input.number()?;
    let gid = input.number()?;
    let zigzag = input.varint()?;
    let mut entry = Entry {
        path,
        kind: Kind::Fifo,
        mode,
        uid,
        gid,
        mtime: (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64),
        nsec: input.number()?,
        xattrs: Vec::new(),
        opaque: flags & IS_OPAQUE != 0,
        implied: flags & IS_IMPLIED != 0,
    };
    entry.kind = match kind {
        b'f' => Kind::File {
            size: input.varint()?,
            digest: None,
            source: None,
        },
        b'd' => Kind::Directory,
        b'l' => Kind::Symlink(input.string()?),
        b'h' => Kind::Hardlink(input.string()?),
        b'c' => Kind::Character(input.number()?, input.number()?),
        b'b' => Kind::Block(input.number()?, input.number()?),
        b'p' => Kind::Fifo,
        b'w' => Kind::Whiteout,
        _ => return None,
    };
    let found = match flags & HAS_DIGEST {
        0 => None,
        _ => Some(input.bytes(32)?.try_into().ok()?),
    };
    if flags & HAS_XATTRS != 0 {
        for _ in 0..input.varint()? {
            entry.xattrs.push((input.string()?, input.string()?));
        }
    }
    let origin = match flags & HAS_SOURCE {
        0 => None,
        _ => Some(get_source(input)?),
    };
    if let Kind::File { digest, source, .. } = &mut entry.kind {
        *digest = found;
        *source = origin;
    } else if found.is_some() || origin.is_some() {
        return None;
    }
    Some(entry)
}

fn get_source(input: &mut impl Input) -> Option<Source> {
    Some(match input.varint()? {
        1 => Source::Path {
            root: input.varint()?,
            path: input.string()?,
        },
        2 => Source::Bytes(input.string()?),
        3 => Source::Range {
            file: input.varint()?,
            offset: input.varint()?,
        },
        4 => {
            let (file, offset) = (input.varint()?, input.varint()?);
            let mut parts = Vec::new();
            for _ in 0..input.varint()? {
                parts.push((input.varint()?, input.varint()?));
            }
            Source::Sparse {
                file,
                offset,
                parts,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_encoding() {
        let mut entry = Entry::new(
            b"bin/ping".to_vec(),
            Kind::File {
                size: 1 << 40,
                digest: Some([7; 32]),
                source: Some(Source::Range {
                    file: 3,
                    offset: u64::MAX,
                }),
            },
            0o4755,
        );
        entry.mtime = -5;
        entry.nsec = 999_999_999;
        entry.xattrs = vec![(b"user.a".to_vec(), vec![0, 255])];
        let mut bytes = Vec::new();
        encode(&entry, &mut bytes);
        assert_eq!(
            decode(&mut &bytes[..], entry.path.clone()),
            Some(entry.clone())
        );
        if let Kind::File { source, .. } = &mut entry.kind {
            *source = Some(Source::Sparse {
                file: 1,
                offset: 512,
                parts: vec![(1 << 42, 5), (0, 7)],
            });
        }
        bytes.clear();
        encode(&entry, &mut bytes);
        assert_eq!(decode(&mut &bytes[..], entry.path.clone()), Some(entry));
    }
}
