//! What the entries of an archive amount to. An archive may list a path twice, a child before its
//! parent or not its parent at all, and a hardlink whose name sorts before its target's; an index may
//! not. No privileges.

use crate::entry::{Digest, Entry, Kind, compare, is_below, split};
use crate::error::Error;
use crate::list::{EntryList, Position};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Calls `emit` with what a list amounts to, in the order of an index.
///
/// 1. Of entries with the same path the last counts. A file in place of a directory takes along
///    what the archive had put into it before.
/// 2. Of the names of a hardlinked file the lowest carries the file, the others point to it.
/// 3. Directories that are not listed are implied. A directory that is whited out as well is opaque.
pub fn resolve(
    mut list: EntryList,
    digests: &[Digest],
    archive: &Path,
    emit: &mut dyn FnMut(&Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut positions = std::mem::take(&mut list.positions);
    positions.sort_unstable_by(|&a, &b| compare(list.path(a), list.path(b)).then(a.cmp(&b)));
    let origins = origins(&list, &positions, archive)?;
    let mut resolver = Resolver {
        list: &list,
        digests,
        archive,
        linked: origins.values().map(|&origin| (origin, None)).collect(),
        origins,
        ancestors: Vec::new(),
        emit,
    };
    let mut rest = positions.as_slice();
    while let Some(&first) = rest.first() {
        let path = list.path(first);
        let same = rest.iter().take_while(|&&p| list.path(p) == path).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        let has_children = rest
            .first()
            .is_some_and(|&next| is_below(list.path(next), path));
        resolver.group(path, group, has_children)?;
    }
    Ok(())
}

/// For each hardlink the entry that it is another name of: the last one of that path before it.
fn origins(
    list: &EntryList,
    sorted: &[Position],
    archive: &Path,
) -> Result<HashMap<Position, Position>, Error> {
    let of_kind = |is_wanted: fn(u8) -> bool| -> Vec<Position> {
        let positions = sorted.iter().copied();
        positions
            .filter(|&p| is_wanted(list.kind_byte(p)))
            .collect()
    };
    let mut links = of_kind(|kind| kind == b'h');
    links.sort_unstable();
    let mut origins = HashMap::new();
    if links.is_empty() {
        return Ok(origins);
    }
    // Without the markers, so that an archive of many for one path is not searched link by link.
    let real = of_kind(|kind| kind != b'w');
    for link in links {
        let missing = || missing_target(list.path(link), archive);
        let Some(Kind::Hardlink(target)) = list.entry(link).map(|entry| entry.kind) else {
            return Err(missing());
        };
        let after =
            real.partition_point(|&p| compare(list.path(p), &target).then(p.cmp(&link)).is_lt());
        let found = real[..after]
            .last()
            .filter(|&&p| list.path(p) == target)
            .ok_or_else(missing)?;
        if list.kind_byte(*found) == b'd' {
            return Err(missing());
        }
        // A link to a link: its origin is known already, as it came earlier.
        let origin = origins.get(found).copied().unwrap_or(*found);
        origins.insert(link, origin);
    }
    Ok(origins)
}

struct Resolver<'a> {
    list: &'a EntryList,
    digests: &'a [Digest],
    archive: &'a Path,
    origins: HashMap<Position, Position>,
    /// For each origin of a hardlink the name that carries the file, once it was emitted.
    linked: HashMap<Position, Option<Vec<u8>>>,
    ancestors: Vec<Ancestor>,
    emit: &'a mut dyn FnMut(&Entry) -> Result<(), Error>,
}

/// A path that contains the one in hand.
struct Ancestor {
    path: Vec<u8>,
    is_directory: bool,
    /// Entries below it that came before this one are gone.
    replaced: Option<Position>,
}

/// What the entries of one path amount to.
#[derive(Default)]
struct Outcome {
    winner: Option<Position>,
    replaced: Option<Position>,
    hides: bool,
    opaque: bool,
}

impl Resolver<'_> {
    fn group(&mut self, path: &[u8], group: &[Position], has_children: bool) -> Result<(), Error> {
        while self
            .ancestors
            .last()
            .is_some_and(|top| !is_below(path, &top.path))
        {
            self.ancestors.pop();
        }
        let replaced = self
            .ancestors
            .iter()
            .filter_map(|ancestor| ancestor.replaced)
            .max();
        let mut outcome = Outcome::default();
        for &position in group {
            if replaced.is_none_or(|replaced| position > replaced) {
                self.follow(&mut outcome, position)?;
            }
        }
        let mut entry = match outcome.winner {
            Some(winner) => self.final_entry(path, winner)?,
            None if outcome.opaque || (outcome.hides && has_children) => {
                Entry::implied(path.to_vec())
            }
            None if outcome.hides => Entry::new(path.to_vec(), Kind::Whiteout, 0),
            None => return Ok(()),
        };
        entry.opaque = entry.is_directory() && (outcome.opaque || outcome.hides);
        self.imply_parents(path)?;
        self.ancestors.push(Ancestor {
            path: path.to_vec(),
            is_directory: entry.is_directory(),
            replaced: outcome.replaced,
        });
        (self.emit)(&entry)
    }

    fn follow(&self, outcome: &mut Outcome, position: Position) -> Result<(), Error> {
        match self.list.kind_byte(position) {
            b'w' => match self.list.entry(position) {
                Some(marker) if marker.opaque => {
                    if outcome.winner.is_some() && outcome.winner == outcome.replaced {
                        return Err(unsafe_path(&marker.path, "it is opaque, but no directory"));
                    }
                    outcome.opaque = true;
                }
                _ => outcome.hides = true,
            },
            b'd' => {
                outcome.hides |= outcome.replaced.is_some();
                outcome.winner = Some(position);
            }
            _ => {
                outcome.winner = Some(position);
                outcome.replaced = Some(position);
            }
        }
        Ok(())
    }

    /// The entry itself, or what a hardlink stands for.
    fn final_entry(&mut self, path: &[u8], winner: Position) -> Result<Entry, Error> {
        let origin = self.origins.get(&winner).copied().unwrap_or(winner);
        let mut entry = self
            .list
            .entry(origin)
            .ok_or_else(|| Error::ArchiveInvalid {
                path: self.archive.to_owned(),
                reason: "an entry was lost".to_owned(),
            })?;
        entry.path = path.to_vec();
        if let Kind::File { digest, .. } = &mut entry.kind {
            *digest = digest.map(|number| self.digest(&number));
        }
        match self.linked.get_mut(&origin) {
            Some(Some(first)) => {
                entry.kind = Kind::Hardlink(first.clone());
                entry.xattrs.clear();
            }
            Some(first) => *first = Some(path.to_vec()),
            None => {}
        }
        Ok(entry)
    }

    fn digest(&self, number: &Digest) -> Digest {
        let mut word = [0u8; 8];
        word.copy_from_slice(&number[..8]);
        self.digests[u64::from_le_bytes(word) as usize]
    }

    fn imply_parents(&mut self, path: &[u8]) -> Result<(), Error> {
        let known = match self.ancestors.last() {
            Some(top) if !top.is_directory => {
                return Err(unsafe_path(path, "it lies below what is no directory"));
            }
            Some(top) if !top.path.is_empty() => top.path.len() + 1,
            _ => 0,
        };
        let (parent, _) = split(path);
        let Some(missing) = parent.get(known..).filter(|rest| !rest.is_empty()) else {
            return Ok(());
        };
        let ends = missing
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/');
        let ends: Vec<usize> = ends
            .map(|(at, _)| known + at)
            .chain([parent.len()])
            .collect();
        for end in ends {
            let implied = Entry::implied(parent[..end].to_vec());
            self.ancestors.push(Ancestor {
                path: implied.path.clone(),
                is_directory: true,
                replaced: None,
            });
            (self.emit)(&implied)?;
        }
        Ok(())
    }
}

/// A hardlink to nothing, or to a directory.
pub fn missing_target(link: &[u8], archive: &Path) -> Error {
    let link = String::from_utf8_lossy(link);
    Error::ArchiveInvalid {
        path: archive.to_owned(),
        reason: format!("the hardlink \"{link}\" has no file in it as target"),
    }
}

pub fn unsafe_path(path: &[u8], reason: &'static str) -> Error {
    Error::UnsafePath {
        path: PathBuf::from(OsStr::from_bytes(path)),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::numbered;

    fn resolved(entries: &[(&str, Kind)]) -> Vec<(String, Kind)> {
        let mut list = EntryList::default();
        for (path, kind) in entries {
            list.push(&Entry::new(path.as_bytes().to_vec(), kind.clone(), 0o644));
        }
        let mut out = Vec::new();
        let outcome = resolve(list, &[[0; 32], [1; 32]], Path::new("t"), &mut |entry| {
            out.push((
                String::from_utf8_lossy(&entry.path).into_owned(),
                entry.kind.clone(),
            ));
            Ok(())
        });
        assert!(outcome.is_ok(), "{outcome:?}");
        out
    }

    fn file(number: u64) -> Kind {
        Kind::File {
            size: 1,
            digest: Some(numbered(number)),
            source: None,
        }
    }

    fn real(byte: u8) -> Kind {
        Kind::File {
            size: 1,
            digest: Some([byte; 32]),
            source: None,
        }
    }

    #[test]
    fn the_lowest_name_carries_a_hardlinked_file() {
        let list = [("z", file(1)), ("a", Kind::Hardlink(b"z".to_vec()))];
        let expected = [
            ("a".to_owned(), real(1)),
            ("z".to_owned(), Kind::Hardlink(b"a".to_vec())),
        ];
        assert_eq!(resolved(&list), expected);
    }

    #[test]
    fn a_hardlink_keeps_a_file_whose_name_was_taken() {
        let list = [
            ("b", file(0)),
            ("a", Kind::Hardlink(b"b".to_vec())),
            ("b", file(1)),
        ];
        assert_eq!(
            resolved(&list),
            [("a".to_owned(), real(0)), ("b".to_owned(), real(1))]
        );
    }

    #[test]
    fn a_file_in_place_of_a_directory_takes_its_content_along() {
        let list = [("d", Kind::Directory), ("d/x", file(0)), ("d", file(1))];
        assert_eq!(resolved(&list), [("d".to_owned(), real(1))]);
    }

    #[test]
    fn parents_are_implied_and_whited_out_directories_opaque() {
        let list = [("a/b/c", file(0)), ("a/b", Kind::Whiteout)];
        let paths: Vec<String> = resolved(&list).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c"]);
    }
}
