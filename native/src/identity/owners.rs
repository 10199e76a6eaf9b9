//! Who owns what in a RUN. Attributes hold it where the kernel lets them be; a table of inodes holds the
//! rest while the RUN lasts, and what of that is in the layer goes to the list beside it (`owner`).

use super::view::{Facts, Inode, Place, View, os};
use crate::owner::{Listed, Owner, read_list, write_list};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

type Sys<T> = Result<T, Errno>;

pub struct Owners {
    table: HashMap<Inode, Owner>,
    /// Of the layers below, by path.
    below: Listed,
}

impl Owners {
    /// Of layers, the lowest first. A path that a higher layer has, too, is not a lower one's.
    pub fn of(layers: &[PathBuf]) -> Owners {
        let mut below = Listed::new();
        for (number, layer) in layers.iter().enumerate() {
            let above = &layers[number + 1..];
            let visible = read_list(layer).into_iter().filter(|(path, _)| {
                let is_there = |layer: &PathBuf| layer.join(os(path)).symlink_metadata().is_ok();
                !above.iter().any(is_there)
            });
            below.extend(visible);
        }
        Owners {
            table: HashMap::new(),
            below,
        }
    }

    /// None: whoever the kernel says.
    pub fn get(&self, view: &View, place: &Place) -> Sys<Option<Owner>> {
        if let Some(owner) = place.attribute()? {
            return Ok(Some(owner));
        }
        if self.table.is_empty() && self.below.is_empty() {
            return Ok(None);
        }
        let facts = place.facts()?;
        if facts.has_attributes() {
            return Ok(self.table.get(&facts.inode).copied());
        }
        let path = view.path_of(place)?;
        let kept = self.table.get(&inode(view, &path, &facts));
        Ok(kept.or_else(|| self.below.get(&path)).copied())
    }

    /// Of what is there, whoever it belongs to.
    pub fn known(&self, view: &View, place: &Place, facts: &Facts) -> Sys<Owner> {
        let kept = self.get(view, place)?;
        Ok(kept.unwrap_or_else(|| Owner::new(facts.uid, facts.gid)))
    }

    pub fn set(&mut self, view: &View, place: &Place, facts: &Facts, owner: Owner) -> Sys<()> {
        if facts.has_attributes() {
            match place.set_attribute(owner) {
                Err(Errno::OPNOTSUPP) => {}
                outcome => return outcome,
            }
        }
        let key = match facts.has_attributes() {
            true => facts.inode,
            false => inode(view, &view.path_of(place)?, facts),
        };
        self.table.insert(key, owner);
        Ok(())
    }

    /// Whether none is known by a path alone.
    pub fn are_all_kept(&self) -> bool {
        self.below.is_empty()
    }

    /// Before it gets another path: of a layer below, it is known by the one that it has.
    pub fn keep(&mut self, view: &View, place: &Place) -> Sys<()> {
        let facts = place.facts()?;
        if facts.has_attributes() {
            return Ok(());
        }
        let path = view.path_of(place)?;
        if self.table.contains_key(&inode(view, &path, &facts)) {
            return Ok(());
        }
        if let Some(owner) = self.below.get(&path).copied() {
            // This copies it up.
            place.chown()?;
            self.set(view, place, &facts, owner)?;
        }
        Ok(())
    }

    /// Something new is to be where one of the layers below had a symlink of somebody's.
    pub fn forget(&mut self, view: &View, parent: &Place, name: &[u8]) {
        if self.below.is_empty() {
            return;
        }
        if let Ok(mut path) = view.path_of(parent) {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.below.remove(&path);
        }
    }

    /// Lists what is in the upper directory and has no attribute.
    pub fn save(&self, upper: &Path) -> std::io::Result<()> {
        if self.table.is_empty() && self.below.is_empty() {
            return Ok(());
        }
        let numbers = |(inode, owner): (&Inode, &Owner)| ((inode.number, inode.born), *owner);
        let by_number: HashMap<_, _> = self.table.iter().map(numbers).collect();
        let mut listed = Listed::new();
        let mut directories = vec![upper.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    directories.push(entry.path());
                }
                if !(kind.is_symlink() || kind.is_fifo()) {
                    continue;
                }
                let path = entry.path();
                let metadata = entry.metadata()?;
                let born = metadata.created().ok();
                let born = born.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let born = born.map(|time| (time.as_secs() as i64, time.subsec_nanos()));
                let relative = path.strip_prefix(upper).unwrap_or(&path);
                let relative = relative.as_os_str().as_bytes();
                let inode = (metadata.ino(), born.unwrap_or_default());
                let owner = by_number.get(&inode).or_else(|| self.below.get(relative));
                if let Some(owner) = owner.filter(|owner| !owner.is_default()) {
                    listed.insert(relative.to_vec(), *owner);
                }
            }
        }
        write_list(upper, &listed)
    }
}

/// The key of what has no attributes.
fn inode(view: &View, path: &[u8], facts: &Facts) -> Inode {
    view.upper_inode(path).unwrap_or(facts.inode)
}
