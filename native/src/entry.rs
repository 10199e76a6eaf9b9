//! An entry of a layer, and its place in the order. No privileges.

use std::cmp::Ordering;

pub type Digest = [u8; 32];

/// Deeper trees would use up the descriptors, and the stack of who walks them.
pub const MAX_DEPTH: usize = 256;

/// Bytes in a path, as in the kernel: a name in an archive may be as long as its special headers.
const MAX_PATH: usize = 4096;

/// Why a path can not be one, if it is too long or too deep.
pub fn excess(path: &[u8]) -> Option<&'static str> {
    if path.len() > MAX_PATH {
        return Some("it is too long");
    }
    let is_deep = path.split(|&byte| byte == b'/').count() > MAX_DEPTH;
    is_deep.then_some("it is nested too deeply")
}

/// What is at one path of a layer. `path` is relative to the root, which itself has an entry (implied,
/// its path empty) only where it is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    pub nsec: u32,
    /// Sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub opaque: bool,
    /// A directory that the archive did not list.
    pub implied: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File {
        size: u64,
        digest: Option<Digest>,
        source: Option<Source>,
    },
    Directory,
    Symlink(Vec<u8>),
    Hardlink(Vec<u8>),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
    Whiteout,
}

/// Where a file's bytes are; the numbers count the request's `roots` and `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Path {
        root: u64,
        path: Vec<u8>,
    },
    Bytes(Vec<u8>),
    Range {
        file: u64,
        offset: u64,
    },
    /// The bytes of `parts` one after the other: how long the hole before each is, and its length.
    Sparse {
        file: u64,
        offset: u64,
        parts: Vec<(u64, u64)>,
    },
}

impl Entry {
    /// 0755 0:0 without a time: what whiteouts (with mode 0) and implied directories start from.
    pub fn new(path: Vec<u8>, kind: Kind, mode: u32) -> Entry {
        Entry {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime: 0,
            nsec: 0,
            xattrs: Vec::new(),
            opaque: false,
            implied: false,
        }
    }

    pub fn implied(path: Vec<u8>) -> Entry {
        let mut entry = Entry::new(path, Kind::Directory, 0o755);
        entry.implied = true;
        entry
    }

    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// What says that nothing of lower layers is seen.
    pub fn is_opaque_root(&self) -> bool {
        self.path.is_empty() && self.opaque && self.implied && self.is_directory()
    }

    /// Of a file: its size.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            _ => 0,
        }
    }
}

/// The order of an index: bytewise, `/` lower than any other byte.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let shared = shared_prefix(a, b);
    match (a.get(shared), b.get(shared)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(b'/'), Some(_)) => Ordering::Less,
        (Some(_), Some(b'/')) => Ordering::Greater,
        (Some(x), Some(y)) => x.cmp(y),
    }
}

pub fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Whether `path` lies below the directory `parent`.
pub fn is_below(path: &[u8], parent: &[u8]) -> bool {
    parent.is_empty() || (path.starts_with(parent) && path.get(parent.len()) == Some(&b'/'))
}

/// Whether a path leads from a root to something in it: who walks it trusts that.
pub fn is_inside(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .all(|name| !matches!(name, b"" | b"." | b".."))
}

/// The directory that a path is in (empty: the root), and its last component.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_sorts_before_any_other_byte() {
        let mut paths: Vec<&[u8]> = vec![b"a.b", b"a/x", b"a", b"a\x01", b"b", b"a/x/y", b"a-"];
        paths.sort_by(|a, b| compare(a, b));
        let sorted: Vec<&[u8]> = vec![b"a", b"a/x", b"a/x/y", b"a\x01", b"a-", b"a.b", b"b"];
        assert_eq!(paths, sorted);
    }
}
