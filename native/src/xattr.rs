//! Reads the extended attributes that belong into a layer. Privileges: those of who may read the file.

use crate::owner::{ATTRIBUTE, Owner};
use crate::pax::Records;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// The attributes of an open file or directory.
#[derive(Default)]
pub struct Attributes {
    /// File capabilities and the user's own, sorted.
    pub kept: Records,
    /// The emulation's mark of who owns it.
    pub owner: Option<Owner>,
    /// Overlayfs's mark that a directory hides what lower layers have in it.
    pub opaque: bool,
}

pub fn read(fd: BorrowedFd<'_>) -> rustix::io::Result<Attributes> {
    let mut names = [0u8; 4096];
    let length = match rustix::fs::flistxattr(fd, &mut names[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Attributes::default()),
        Ok(length) => length,
        Err(Errno::RANGE) => return read_names(fd, &long_list(fd)?),
        Err(errno) => return Err(errno),
    };
    read_names(fd, &names[..length])
}

fn long_list(fd: BorrowedFd<'_>) -> rustix::io::Result<Vec<u8>> {
    // The most that the kernel ever lists.
    let mut names = vec![0u8; 64 << 10];
    let length = rustix::fs::flistxattr(fd, &mut names[..])?;
    names.truncate(length);
    Ok(names)
}

fn read_names(fd: BorrowedFd<'_>, names: &[u8]) -> rustix::io::Result<Attributes> {
    let mut attributes = Attributes::default();
    for name in names.split(|&byte| byte == 0) {
        let is_overlay =
            name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.overlay.");
        if is_overlay {
            // Not the end of the name alone: what a command sets is kept as user.overlay.overlay.opaque.
            let is_mark = name == b"user.overlay.opaque";
            attributes.opaque |= is_mark && value(fd, name)?.as_deref() == Some(b"y");
            continue;
        }
        if name == ATTRIBUTE.as_bytes() {
            attributes.owner = value(fd, name)?.and_then(|text| Owner::decode(&text));
            continue;
        }
        // In a PAX record, the name ends at the first equals sign.
        let has_place = !name.contains(&b'=');
        if has_place && (name.starts_with(b"user.") || name == b"security.capability") {
            let value = value(fd, name)?;
            attributes
                .kept
                .extend(value.map(|value| (name.to_vec(), value)));
        }
    }
    attributes.kept.sort();
    Ok(attributes)
}

/// None when it is gone by now.
fn value(fd: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<Vec<u8>>> {
    let mut value = vec![0u8; 64 << 10];
    match rustix::fs::fgetxattr(fd, name, &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}
