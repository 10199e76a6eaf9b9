//! Members of a tar become entries: names made relative and checked, whiteouts told apart. No privileges.

use crate::entry::{Entry, Kind, excess, split};
use crate::error::Error;
use crate::pax::Records;
use crate::protocol::ArchiveFormat;
use crate::resolve::unsafe_path;
use crate::tar_reader::Member;

/// What a member says.
pub enum Statement {
    Entry(Entry),
    /// The directory, perhaps the root (empty), hides what lower layers have in it.
    Opaque(Vec<u8>),
    /// Nothing of interest: the root, or a left-over of aufs.
    Nothing,
}

/// Reads a member's header. File entries have neither digest nor source yet.
pub fn statement(member: Member, format: ArchiveFormat) -> Result<Statement, Error> {
    let path = relative(&member.name)?;
    if path.is_empty() {
        return Ok(Statement::Nothing);
    }
    if format == ArchiveFormat::Layer {
        let (parent, name) = split(&path);
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            return whiteout(parent, hidden);
        }
    }
    let kind = match member.type_flag {
        b'1' => Kind::Hardlink(relative(&member.link)?),
        b'2' => Kind::Symlink(member.link),
        // What overlayfs takes for a whiteout.
        b'3' if member.device == (0, 0) && format == ArchiveFormat::Layer => {
            return Ok(Statement::Entry(Entry::new(path, Kind::Whiteout, 0)));
        }
        b'3' => Kind::Character(member.device.0, member.device.1),
        b'4' => Kind::Block(member.device.0, member.device.1),
        b'5' | b'D' => Kind::Directory,
        b'6' => Kind::Fifo,
        // POSIX: what is unknown is a file.
        _ => Kind::File {
            size: member.size,
            digest: None,
            source: None,
        },
    };
    let mode = match kind {
        // Linux knows no other, whatever an archive says (CH-4).
        Kind::Symlink(_) => 0o777,
        _ => member.mode,
    };
    let mut entry = Entry::new(path, kind, mode);
    (entry.uid, entry.gid) = (member.uid, member.gid);
    (entry.mtime, entry.nsec) = (member.mtime, member.nsec);
    entry.xattrs = kept_xattrs(member.xattrs);
    Ok(Statement::Entry(entry))
}

fn whiteout(parent: &[u8], hidden: &[u8]) -> Result<Statement, Error> {
    let path = |name: &[u8]| match parent {
        [] => name.to_vec(),
        _ => [parent, b"/", name].concat(),
    };
    match hidden {
        b"" | b"." | b".." => Err(unsafe_path(&path(hidden), "it is no name to be whited out")),
        b".wh..opq" => Ok(Statement::Opaque(parent.to_vec())),
        _ if hidden.starts_with(b".wh.") => Ok(Statement::Nothing),
        _ => Ok(Statement::Entry(Entry::new(
            path(hidden),
            Kind::Whiteout,
            0,
        ))),
    }
}

/// A name without leading slashes, empty and `.` components.
fn relative(name: &[u8]) -> Result<Vec<u8>, Error> {
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err(unsafe_path(name, "it leads out of the root")),
            _ if component.contains(&0) => return Err(unsafe_path(name, "it has a NUL")),
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    match excess(&path) {
        Some(reason) => Err(unsafe_path(&path[..path.len().min(100)], reason)),
        None => Ok(path),
    }
}

/// Overlayfs's own attributes would change what a layer means; labels are the host's business.
pub fn kept_xattrs(mut xattrs: Records) -> Records {
    xattrs.retain(|(name, _)| {
        !name.starts_with(b"user.overlay.")
            && !name.starts_with(b"trusted.overlay.")
            && name != b"security.selinux"
    });
    xattrs.sort();
    xattrs.dedup_by(|a, b| a.0 == b.0);
    xattrs
}
