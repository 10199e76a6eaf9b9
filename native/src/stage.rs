//! What the mounts of a RUN are made from (`root`). Needs CAP_SYS_ADMIN in the sandbox's mount namespace.
//!
//! The directory that the caller gives for the root holds a tmpfs of our own, with a place for the
//! root and a few for what is mounted from; all but the root is gone when the old root is.

use crate::error::{Error, at};
use crate::mount::{
    attach, clone_tree, device_like, filesystem, open_at, open_path, overlay, resolve_in,
};
use crate::owner::{self, Owner};
use crate::protocol::DeviceNode;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags};
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

type Sys<T> = Result<T, Errno>;

/// The tmpfs: `root`, `empty`, `overlay`, `file-…`.
pub struct Stage {
    tree: OwnedFd,
    files: usize,
}

impl Stage {
    /// Mounts it on a directory.
    pub fn mount(place: &Path) -> Sys<Stage> {
        let place = open_path(place)?;
        let tree = filesystem("tmpfs", &[("mode", "0700")], MountAttrFlags::empty())?;
        attach(&tree, &place)?;
        for name in ["root", "empty", "overlay"] {
            rustix::fs::mkdirat(&tree, name, Mode::from_raw_mode(0o755))?;
        }
        Ok(Stage { tree, files: 0 })
    }

    /// The place of the root, with what is mounted on it at this moment.
    pub fn root(&self) -> Sys<OwnedFd> {
        open_at(&self.tree, "root")
    }

    /// The layers, or a directory that is empty: FROM scratch.
    pub fn or_empty(&self, layers: &[PathBuf]) -> Vec<PathBuf> {
        if layers.is_empty() {
            return vec![self.empty_path()];
        }
        layers.to_vec()
    }

    /// Detached.
    pub fn empty_directory(&self) -> Sys<OwnedFd> {
        clone_tree(&self.tree, "empty", false)
    }

    /// A node of our own like another, but for what is asked of it; detached.
    pub fn device_like(&mut self, other: &OwnedFd, asked: &DeviceNode) -> Sys<OwnedFd> {
        let name = self.new_name();
        device_like(other, asked, (&self.tree, &name))
    }

    /// Mounts the overlay where nobody sees it, and takes out the part that is asked for.
    pub fn overlay_part(
        &self,
        layers: &[PathBuf],
        writable: Option<(&Path, &Path)>,
        subpath: &Path,
    ) -> Result<OwnedFd, Error> {
        let hidden = open_at(&self.tree, "overlay").map_err(at(subpath, Error::Mount))?;
        let mut layers = self.or_empty(layers);
        if layers.len() == 1 && writable.is_none() {
            // An overlay without an upper directory needs two.
            layers.insert(0, self.empty_path());
        }
        overlay(&layers, writable, &hidden)?;
        let mounted = open_at(&self.tree, "overlay").map_err(at(subpath, Error::Mount))?;
        let part = resolve_in(&mounted, subpath)
            .and_then(|part| clone_tree(&part, "", false))
            .map_err(at(subpath, Error::MountSource));
        let path = format!("/proc/self/fd/{}", mounted.as_raw_fd());
        rustix::mount::unmount(path, UnmountFlags::DETACH).map_err(at(subpath, Error::Mount))?;
        part
    }

    /// A file with this content; detached.
    pub fn file(&mut self, bytes: &[u8], mode: u32, owner: (Uid, Gid)) -> Sys<OwnedFd> {
        let name = self.new_name();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.tree, &name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        match rustix::fs::fchown(&file, Some(owner.0), Some(owner.1)) {
            Err(Errno::INVAL) if owner::only_one_id() => {
                let (uid, gid) = (owner.0.as_raw(), owner.1.as_raw());
                owner::write(file.as_fd(), Owner::new(uid, gid))?;
            }
            // Where one id is all there is, everybody is it.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        clone_tree(&self.tree, &name, false)
    }

    fn empty_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/empty", self.tree.as_raw_fd()))
    }

    fn new_name(&mut self) -> String {
        self.files += 1;
        format!("file-{}", self.files)
    }
}
