//! Puts together the root filesystem of a RUN. Needs CAP_SYS_ADMIN in the sandbox's mount namespace.
//!
//! Everything that leads into the image is resolved by the kernel inside the new root
//! (RESOLVE_IN_ROOT) to a descriptor, and mounted on by that descriptor, so that no symlink of an
//! image, absolute or with `..`, reaches the host.
//!
//! Device nodes work where the `device` operation put them and in a devpts: all other mounts are `nodev`,
//! whether asked or not. In mode `root` the command may make nodes of the host's disks; the root
//! filesystem is without `nodev` only where a control group keeps those from being opened (`device_group`),
//! or the RUN has every privilege.

use crate::base64;
use crate::error::{Error, at};
use crate::mount::{self, attach, clone_tree, filesystem, inert, overlay, resolve_in, restrict};
use crate::protocol::{DeviceNode, MountFlag, MountOperation, RunRequest};
use crate::stage::Stage;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags};
use std::os::fd::OwnedFd;
use std::path::Path;

type Sys<T> = Result<T, Errno>;

/// The root filesystem, while it is put together.
pub struct Root {
    /// The overlay's root directory.
    root: OwnedFd,
    stage: Stage,
}

impl Root {
    /// Mounts the overlay of the request's layers.
    pub fn mount(request: &RunRequest) -> Result<Root, Error> {
        let failed = || at(&request.root, Error::RootFilesystem);
        let stage = Stage::mount(&request.root).map_err(failed())?;
        let target = stage.root().map_err(failed())?;
        // Its mode is that of the root directory, whatever the umask was where it was made.
        let mode = Mode::from_raw_mode(0o755);
        rustix::fs::chmodat(CWD, &request.upper, mode, AtFlags::empty())
            .map_err(at(&request.upper, Error::RootFilesystem))?;
        let writable = Some((request.upper.as_path(), request.work.as_path()));
        overlay(&stage.or_empty(&request.layers), writable, &target)?;
        // Opened again, the name leads to what was mounted on it.
        let root = stage.root().map_err(failed())?;
        if request.device_nodes.is_none() {
            restrict(&root, MountAttrFlags::MOUNT_ATTR_NODEV, false).map_err(failed())?;
        }
        Ok(Root { root, stage })
    }

    /// Performs the operations in order.
    pub fn perform(&mut self, operations: &[MountOperation]) -> Result<(), Error> {
        operations
            .iter()
            .try_for_each(|operation| self.perform_one(operation))
    }

    /// Makes it the root of the mount namespace, and leaves nothing else in it.
    pub fn pivot(self) -> Result<(), Error> {
        rustix::process::fchdir(&self.root)
            // The old root comes to lie on top of the new one, from where it is taken away.
            .and_then(|()| rustix::process::pivot_root(".", "."))
            .and_then(|()| rustix::mount::unmount(".", UnmountFlags::DETACH))
            .and_then(|()| rustix::process::chdir("/"))
            .map_err(at("", Error::PivotRoot))
    }

    fn perform_one(&mut self, operation: &MountOperation) -> Result<(), Error> {
        match operation {
            MountOperation::Bind {
                source,
                target,
                readonly,
                recursive,
                flags,
            } => {
                let tree =
                    clone_tree(CWD, source, *recursive).map_err(at(source, Error::MountSource))?;
                self.place(&tree, target, attributes(flags, *readonly), *recursive)
            }
            MountOperation::Tmpfs {
                target,
                mode,
                size,
                readonly,
                flags,
            } => {
                let mode = format!("{mode:o}");
                let size = size.map(|size| size.to_string());
                let mut options = vec![("mode", mode.as_str())];
                options.extend(size.as_deref().map(|size| ("size", size)));
                let attributes = attributes(flags, *readonly);
                self.mount_filesystem("tmpfs", &options, attributes, target)
            }
            MountOperation::Overlay {
                layers,
                upper,
                work,
                subpath,
                target,
                readonly,
            } => {
                let writable = upper.as_deref().zip(work.as_deref());
                let tree = self.stage.overlay_part(layers, writable, subpath)?;
                self.place(&tree, target, attributes(&[], *readonly), false)
            }
            MountOperation::Proc { target } => self.mount_filesystem("proc", &[], inert(), target),
            MountOperation::Mqueue { target } => {
                self.mount_filesystem("mqueue", &[], inert(), target)
            }
            MountOperation::Sysfs { target } => {
                let tree = mount::sysfs().map_err(at(target, Error::Mount))?;
                self.place(&tree, target, MountAttrFlags::empty(), false)
            }
            MountOperation::Cgroup { target } => self.mount_cgroup(target),
            MountOperation::Devpts { target } => self.mount_devpts(target),
            MountOperation::Device(device) => self.place_device(device),
            MountOperation::Symlink { target, to } => self
                .in_parent(target, |parent, name| {
                    rustix::fs::symlinkat(to, parent, name)
                })
                .map_err(at(target, Error::MountTarget)),
            MountOperation::Directory { target, mode } => self
                .in_parent(target, |parent, name| make_directory(parent, name, *mode))
                .map_err(at(target, Error::MountTarget)),
            MountOperation::Stub { target } => self.make_stub(target),
            MountOperation::File {
                target,
                content,
                mode,
                uid,
                gid,
                readonly,
                flags,
            } => {
                let owner = (Uid::from_raw(*uid), Gid::from_raw(*gid));
                let bytes = base64::decode(content)
                    .ok_or_else(|| Error::Request(format!("bad base64 for {target:?}")))?;
                let tree = self
                    .stage
                    .file(&bytes, *mode, owner)
                    .map_err(at(target, Error::Mount))?;
                self.place(&tree, target, attributes(flags, *readonly), false)
            }
            MountOperation::Agent(agent) => {
                let tree = clone_tree(CWD, &agent.listen, false)
                    .map_err(at(&agent.listen, Error::MountSource))?;
                let attributes = inert() | MountAttrFlags::MOUNT_ATTR_RDONLY;
                self.place(&tree, &agent.target, attributes, false)
            }
            MountOperation::Mask { target } => self.mask(target),
            MountOperation::Readonly { target } => self.make_readonly(target),
        }
    }

    /// What the target is at this moment, the topmost mount on it included.
    fn resolve(&self, target: &Path) -> Sys<OwnedFd> {
        resolve_in(&self.root, target)
    }

    fn in_parent<T>(&self, target: &Path, act: impl FnOnce(&OwnedFd, &Path) -> Sys<T>) -> Sys<T> {
        let parent = target.parent().ok_or(Errno::INVAL)?;
        let name = target.file_name().ok_or(Errno::INVAL)?;
        act(&self.resolve(parent)?, Path::new(name))
    }

    fn place(
        &self,
        tree: &OwnedFd,
        target: &Path,
        attributes: MountAttrFlags,
        recursive: bool,
    ) -> Result<(), Error> {
        let onto = match self.resolve(target) {
            Err(Errno::NOENT) => self.make_mount_point(tree, target),
            outcome => outcome,
        };
        let onto = onto.map_err(at(target, Error::MountTarget))?;
        restrict(tree, attributes, recursive)
            .and_then(|()| attach(tree, &onto))
            .map_err(at(target, Error::Mount))
    }

    /// What is missing lies in an earlier mount (the caller sees to the root filesystem), and is made
    /// there: in a cache it stays (RUN-24).
    fn make_mount_point(&self, tree: &OwnedFd, target: &Path) -> Sys<OwnedFd> {
        let make = |path: &Path| match self.in_parent(path, |parent, name| {
            rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))
        }) {
            Err(Errno::EXIST) => Ok(()),
            outcome => outcome,
        };
        let mut above: Vec<_> = target.ancestors().skip(1).collect();
        above.pop();
        above.into_iter().rev().try_for_each(make)?;
        let stat = rustix::fs::statat(tree, "", AtFlags::EMPTY_PATH)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            make(target)?;
        } else {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            self.in_parent(target, |parent, name| {
                rustix::fs::openat(parent, name, flags, mode).map(drop)
            })?;
        }
        self.resolve(target)
    }

    fn mount_filesystem(
        &self,
        name: &str,
        options: &[(&str, &str)],
        attributes: MountAttrFlags,
        target: &Path,
    ) -> Result<(), Error> {
        let tree = filesystem(name, options, attributes).map_err(at(target, Error::Mount))?;
        self.place(&tree, target, MountAttrFlags::empty(), false)
    }

    /// A machine without control groups has no mount point for them.
    fn mount_cgroup(&self, target: &Path) -> Result<(), Error> {
        let Some(onto) = self.resolve_existing(target)? else {
            return Ok(());
        };
        match mount::control_groups(&onto).map_err(at(target, Error::Mount))? {
            Some(tree) => self.place(&tree, target, MountAttrFlags::empty(), false),
            None => Ok(()),
        }
    }

    /// Terminals belong to the group `tty`, where this user namespace has it.
    fn mount_devpts(&self, target: &Path) -> Result<(), Error> {
        let mut options = vec![
            ("newinstance", ""),
            ("ptmxmode", "0666"),
            ("mode", "0620"),
            ("gid", "5"),
        ];
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let tree = match filesystem("devpts", &options, flags) {
            Err(Errno::INVAL) => {
                options.pop();
                filesystem("devpts", &options, flags)
            }
            outcome => outcome,
        };
        let tree = tree.map_err(at(target, Error::Mount))?;
        self.place(&tree, target, MountAttrFlags::empty(), false)
    }

    /// A node of our own, so that a chmod in a RUN is not one of the host's node. A user namespace
    /// cannot make nodes, and has the host's, read-only: that is said of the inode, not of the device.
    /// A node that the host lacks is left out: a machine without a terminal has no console.
    fn place_device(&mut self, device: &DeviceNode) -> Result<(), Error> {
        let target = &device.target;
        let source = Path::new("/dev").join(&device.name);
        let host = match clone_tree(CWD, &source, false) {
            Err(Errno::NOENT) if !device.required => return Ok(()),
            outcome => outcome.map_err(at(&source, Error::MountSource))?,
        };
        // To open one that a layer has for writing would bring it into the layer of the RUN.
        if self.resolve_existing(target)?.is_none() {
            self.make_stub(target)?;
        }
        let attributes = inert() - MountAttrFlags::MOUNT_ATTR_NODEV;
        match self.stage.device_like(&host, device) {
            Ok(node) => self.place(&node, target, attributes, false),
            Err(_) => {
                let readonly = attributes | MountAttrFlags::MOUNT_ATTR_RDONLY;
                self.place(&host, target, readonly, false)
            }
        }
    }

    /// An empty file, to mount another on.
    fn make_stub(&self, target: &Path) -> Result<(), Error> {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.in_parent(target, |parent, name| {
            rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o666)).map(drop)
        })
        .map_err(at(target, Error::MountTarget))
    }

    fn mask(&self, target: &Path) -> Result<(), Error> {
        let Some(onto) = self.resolve_existing(target)? else {
            return Ok(());
        };
        let kind = rustix::fs::statat(&onto, "", AtFlags::EMPTY_PATH)
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        let tree = match kind {
            Ok(FileType::Directory) => self.stage.empty_directory(),
            Ok(_) => clone_tree(CWD, "/dev/null", false),
            Err(errno) => Err(errno),
        };
        tree.and_then(|tree| {
            restrict(&tree, MountAttrFlags::MOUNT_ATTR_RDONLY, false)?;
            attach(&tree, &onto)
        })
        .map_err(at(target, Error::Mount))
    }

    fn make_readonly(&self, target: &Path) -> Result<(), Error> {
        let Some(onto) = self.resolve_existing(target)? else {
            return Ok(());
        };
        clone_tree(&onto, "", true)
            .and_then(|tree| {
                restrict(&tree, MountAttrFlags::MOUNT_ATTR_RDONLY, true)?;
                attach(&tree, &onto)
            })
            .map_err(at(target, Error::Mount))
    }

    fn resolve_existing(&self, target: &Path) -> Result<Option<OwnedFd>, Error> {
        match self.resolve(target) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(at(target, Error::MountTarget)(errno)),
        }
    }
}

fn make_directory(parent: &OwnedFd, name: &Path, mode: u32) -> Sys<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    // Not subject to the umask.
    rustix::fs::chmodat(parent, name, Mode::from_raw_mode(mode), AtFlags::empty())
}

fn attributes(flags: &[MountFlag], readonly: bool) -> MountAttrFlags {
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, readonly);
    for flag in flags {
        attributes |= match flag {
            MountFlag::Nosuid => MountAttrFlags::MOUNT_ATTR_NOSUID,
            MountFlag::Nodev => MountAttrFlags::MOUNT_ATTR_NODEV,
            MountFlag::Noexec => MountAttrFlags::MOUNT_ATTR_NOEXEC,
        };
    }
    attributes
}
