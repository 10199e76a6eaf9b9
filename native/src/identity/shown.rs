//! What stat tells of a file that somebody else owns, in the kernel's own forms. No privileges.

use super::view::Place;
use crate::owner::{Device, Owner};
use crate::sys::notify as sys;
use rustix::io::Errno;
use std::mem::offset_of;

type Sys<T> = Result<T, Errno>;

const NOFOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW as u32;

/// The mode with the type of the device that a file stands for.
fn shown_mode(mode: u32, owner: Owner) -> u32 {
    let kind = match owner.device {
        None => mode & libc::S_IFMT,
        Some(Device::Character(..)) => libc::S_IFCHR,
        Some(Device::Block(..)) => libc::S_IFBLK,
    };
    kind | (mode & !libc::S_IFMT)
}

fn numbers(owner: Owner) -> Option<(u32, u32)> {
    owner.device.map(|device| match device {
        Device::Character(major, minor) | Device::Block(major, minor) => (major, minor),
    })
}

/// What stat(2) tells of a place.
pub fn stat_bytes(place: &Place, owner: Owner) -> Sys<sys::StatBytes> {
    let mut bytes = sys::stat(&place.path, place.flags().bits() as i32)?;
    let mode_at = offset_of!(libc::stat, st_mode);
    let mode = u32::from_ne_bytes([0, 1, 2, 3].map(|byte| bytes[mode_at + byte]));
    put(&mut bytes, mode_at, &shown_mode(mode, owner).to_ne_bytes());
    put(
        &mut bytes,
        offset_of!(libc::stat, st_uid),
        &owner.uid.to_ne_bytes(),
    );
    put(
        &mut bytes,
        offset_of!(libc::stat, st_gid),
        &owner.gid.to_ne_bytes(),
    );
    if let Some((major, minor)) = numbers(owner) {
        let number = rustix::fs::makedev(major, minor);
        put(
            &mut bytes,
            offset_of!(libc::stat, st_rdev),
            &number.to_ne_bytes(),
        );
    }
    Ok(bytes)
}

/// What statx(2) tells of a place.
pub fn statx_bytes(place: &Place, owner: Owner, (flags, mask): (u32, u32)) -> Sys<sys::StatxBytes> {
    let flags = (flags & !NOFOLLOW) | place.flags().bits();
    let mut bytes = sys::statx(&place.path, flags as i32, mask)?;
    let mode = u32::from(u16::from_ne_bytes([bytes[28], bytes[29]]));
    let mode = shown_mode(mode, owner) as u16;
    put(&mut bytes, 20, &owner.uid.to_ne_bytes());
    put(&mut bytes, 24, &owner.gid.to_ne_bytes());
    put(&mut bytes, 28, &mode.to_ne_bytes());
    if let Some((major, minor)) = numbers(owner) {
        put(&mut bytes, 128, &major.to_ne_bytes());
        put(&mut bytes, 132, &minor.to_ne_bytes());
    }
    Ok(bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
