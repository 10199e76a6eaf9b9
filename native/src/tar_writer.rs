//! Entries become tar headers: ustar, with a PAX header only where ustar has no room. The same entry
//! is always the same bytes. No privileges.

use crate::entry::{Entry, Kind, split};
use crate::pax::{format_time, put_pax_record};
use crate::tar_header::BLOCK;

/// The end of an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Appends an entry's header blocks. The content of a file follows, then `padding`.
pub fn put_headers(entry: &Entry, out: &mut Vec<u8>) {
    if entry.implied {
        // The archive it comes from did not list it either; only what it hides is said.
        if entry.opaque {
            let slash: &[u8] = if entry.path.is_empty() { b"" } else { b"/" };
            put_marker([&entry.path[..], slash, b".wh..wh..opq"].concat(), out);
        }
        return;
    }
    if entry.kind == Kind::Whiteout {
        let (parent, name) = split(&entry.path);
        let slash: &[u8] = if parent.is_empty() { b"" } else { b"/" };
        return put_marker([parent, slash, b".wh.", name].concat(), out);
    }
    let mut name = entry.path.clone();
    if entry.is_directory() {
        name.push(b'/');
    }
    put_header(entry, &name, out);
    if entry.opaque {
        put_marker([&name[..], b".wh..wh..opq"].concat(), out);
    }
}

/// How many zeros fill the last block of a file.
pub fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// An empty file that stands for a whiteout.
fn put_marker(name: Vec<u8>, out: &mut Vec<u8>) {
    let kind = Kind::File {
        size: 0,
        digest: None,
        source: None,
    };
    put_header(&Entry::new(Vec::new(), kind, 0), &name, out);
}

fn put_header(entry: &Entry, name: &[u8], out: &mut Vec<u8>) {
    let mut pax = Vec::new();
    let mut block = [0u8; BLOCK];
    put_name(&mut block, name, &mut pax);
    let (type_flag, link, device) = match &entry.kind {
        Kind::File { .. } | Kind::Whiteout => (b'0', &[][..], None),
        Kind::Hardlink(target) => (b'1', target.as_slice(), None),
        Kind::Symlink(target) => (b'2', target.as_slice(), None),
        Kind::Character(major, minor) => (b'3', &[][..], Some((*major, *minor))),
        Kind::Block(major, minor) => (b'4', &[][..], Some((*major, *minor))),
        Kind::Directory => (b'5', &[][..], None),
        Kind::Fifo => (b'6', &[][..], None),
    };
    block[156] = type_flag;
    if link.len() > 100 {
        put_pax_record(&mut pax, b"linkpath", link);
    }
    put_text(&mut block[157..257], link);
    put_octal(&mut block[100..108], entry.mode.into());
    put_number(&mut block[108..116], entry.uid.into(), b"uid", &mut pax);
    put_number(&mut block[116..124], entry.gid.into(), b"gid", &mut pax);
    put_number(&mut block[124..136], entry.size(), b"size", &mut pax);
    put_time(&mut block[136..148], entry, &mut pax);
    block[257..265].copy_from_slice(b"ustar\x0000");
    let (major, minor) = device.unwrap_or_default();
    put_octal(&mut block[329..337], major.into());
    put_octal(&mut block[337..345], minor.into());
    for (attribute, value) in &entry.xattrs {
        let key = [b"SCHILY.xattr.", attribute.as_slice()].concat();
        put_pax_record(&mut pax, &key, value);
    }
    if !pax.is_empty() {
        put_pax_header(name, &pax, out);
    }
    put_checksum(&mut block);
    out.extend_from_slice(&block);
}

fn put_pax_header(name: &[u8], records: &[u8], out: &mut Vec<u8>) {
    let mut block = [0u8; BLOCK];
    let name = name.strip_suffix(b"/").unwrap_or(name);
    put_text(&mut block[..100], &[b"PaxHeaders/", split(name).1].concat());
    block[156] = b'x';
    put_octal(&mut block[100..108], 0o644);
    for field in [108..116, 116..124, 136..148, 329..337, 337..345] {
        put_octal(&mut block[field], 0);
    }
    put_octal(&mut block[124..136], records.len() as u64);
    block[257..265].copy_from_slice(b"ustar\x0000");
    put_checksum(&mut block);
    out.extend_from_slice(&block);
    out.extend_from_slice(records);
    out.resize(out.len() + padding(records.len() as u64), 0);
}

/// In the name field, else split over name and prefix, else in a PAX record.
fn put_name(block: &mut [u8; BLOCK], name: &[u8], pax: &mut Vec<u8>) {
    if name.len() <= 100 {
        return put_text(&mut block[..100], name);
    }
    // The trailing slash of a directory does not divide it.
    let slashes = name[..name.len() - 1].iter().enumerate();
    let split = slashes
        .filter(|(at, byte)| **byte == b'/' && *at <= 155 && name.len() - at - 1 <= 100)
        .map(|(at, _)| at)
        .find(|at| *at > 0);
    match split {
        Some(at) => {
            put_text(&mut block[345..500], &name[..at]);
            put_text(&mut block[..100], &name[at + 1..]);
        }
        None => {
            put_pax_record(pax, b"path", name);
            put_text(&mut block[..100], name);
        }
    }
}

fn put_time(field: &mut [u8], entry: &Entry, pax: &mut Vec<u8>) {
    let fits = (0..1i64 << 33).contains(&entry.mtime);
    if entry.nsec != 0 || !fits {
        let text = format_time(entry.mtime, entry.nsec);
        put_pax_record(pax, b"mtime", text.as_bytes());
    }
    put_octal(field, if fits { entry.mtime as u64 } else { 0 });
}

/// In the field, or 0 there and a PAX record.
fn put_number(field: &mut [u8], value: u64, key: &[u8], pax: &mut Vec<u8>) {
    let fits = value < 1 << (3 * (field.len() - 1));
    if !fits {
        put_pax_record(pax, key, value.to_string().as_bytes());
    }
    put_octal(field, if fits { value } else { 0 });
}

/// Octal digits to the last byte but one, which is NUL.
fn put_octal(field: &mut [u8], mut value: u64) {
    let digits = field.len() - 1;
    for byte in field[..digits].iter_mut().rev() {
        *byte = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

/// As much as there is room for.
fn put_text(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

fn put_checksum(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    put_octal(&mut block[148..155], sum);
    block[155] = b' ';
}
