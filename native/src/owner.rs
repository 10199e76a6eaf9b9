//! Who owns a file where only one id exists: what the kernel cannot hold is kept beside the file.
//!
//! Files and directories have an extended attribute, which goes with them through rename, link and
//! overlayfs's copies. The kernel allows none on symlinks and special files: a layer directory `…/fs`
//! has those in a list beside it, `…/owners`. Who belongs to root has neither.
//! Privileges: those of who may write the file.

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub const ATTRIBUTE: &str = "user.tsbuild.owner";

/// Set once, when the helper enters a namespace with one id.
static ONE_ID: AtomicBool = AtomicBool::new(false);

pub fn only_one_id() -> bool {
    ONE_ID.load(Ordering::Relaxed)
}

pub fn there_is_only_one_id() {
    ONE_ID.store(true, Ordering::Relaxed);
}

/// What a device is, of which there is only an empty file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Character(u32, u32),
    Block(u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
    pub device: Option<Device>,
}

impl Owner {
    pub fn new(uid: u32, gid: u32) -> Owner {
        Owner {
            uid,
            gid,
            device: None,
        }
    }

    /// Whether there is nothing to keep.
    pub fn is_default(self) -> bool {
        self == Owner::default()
    }

    /// `UID:GID`, and for a device `:c:MAJOR:MINOR` or `:b:MAJOR:MINOR`.
    pub fn encode(self) -> String {
        let mut text = format!("{}:{}", self.uid, self.gid);
        let _ = match self.device {
            None => Ok(()),
            Some(Device::Character(major, minor)) => write!(text, ":c:{major}:{minor}"),
            Some(Device::Block(major, minor)) => write!(text, ":b:{major}:{minor}"),
        };
        text
    }

    pub fn decode(text: &[u8]) -> Option<Owner> {
        let words: Vec<&str> = std::str::from_utf8(text).ok()?.split(':').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let device = match (words.get(2).copied(), words.len()) {
            (None, _) => None,
            (Some("c"), 5) => Some(Device::Character(number(3)?, number(4)?)),
            (Some("b"), 5) => Some(Device::Block(number(3)?, number(4)?)),
            _ => return None,
        };
        Some(Owner {
            uid: number(0)?,
            gid: number(1)?,
            device,
        })
    }
}

/// Of an open file or directory; None when it has no attribute.
pub fn read(fd: BorrowedFd<'_>) -> Option<Owner> {
    let mut value = [0; 64];
    let length = rustix::fs::fgetxattr(fd, ATTRIBUTE, &mut value[..]).ok()?;
    Owner::decode(&value[..length])
}

/// Of an open file or directory. Where there are no attributes, root owns it.
pub fn write(fd: BorrowedFd<'_>, owner: Owner) -> rustix::io::Result<()> {
    let value = owner.encode();
    match rustix::fs::fsetxattr(fd, ATTRIBUTE, value.as_bytes(), XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        outcome => outcome,
    }
}

/// The owners of a layer directory's symlinks and special files, by path.
pub type Listed = HashMap<Vec<u8>, Owner>;

/// Where the list of a layer directory is.
fn list_path(directory: &Path) -> Option<PathBuf> {
    Some(directory.parent()?.join("owners"))
}

/// Reads the list of a layer directory. Most have none.
pub fn read_list(directory: &Path) -> Listed {
    let text = list_path(directory).and_then(|path| std::fs::read(path).ok());
    let text = text.unwrap_or_default();
    let lines = text.split(|&byte| byte == 0);
    lines
        .filter_map(|line| {
            let space = line.iter().position(|&byte| byte == b' ')?;
            Some((line[space + 1..].to_vec(), Owner::decode(&line[..space])?))
        })
        .collect()
}

/// Writes the list of a layer directory, if there is something to list.
pub fn write_list(directory: &Path, listed: &Listed) -> std::io::Result<()> {
    let Some(path) = list_path(directory).filter(|_| !listed.is_empty()) else {
        return Ok(());
    };
    let mut lines: Vec<_> = listed.iter().collect();
    lines.sort_by_key(|(path, _)| path.as_slice());
    let mut text = Vec::new();
    for (path, owner) in lines {
        text.extend_from_slice(owner.encode().as_bytes());
        text.push(b' ');
        text.extend_from_slice(path);
        text.push(0);
    }
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_decoded_as_it_was_encoded() {
        for owner in [
            Owner::new(1000, 33),
            Owner {
                device: Some(Device::Block(8, 1)),
                ..Owner::new(0, 6)
            },
        ] {
            assert_eq!(Owner::decode(owner.encode().as_bytes()), Some(owner));
        }
        for text in ["", "1", "1:x", "1:2:c", "1:2:d:1:2", "1:2:c:1:2:3"] {
            assert_eq!(Owner::decode(text.as_bytes()), None, "{text}");
        }
    }
}
