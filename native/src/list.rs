//! The entries of an archive, in the order in which they came. They are kept encoded: a million of them
//! must fit into the memory that a build may use. No privileges.

use crate::codec::{Input, decode, encode, put_bytes};
use crate::entry::{Digest, Entry, Kind};

const ARENA: usize = 1 << 20;

/// Where an entry is in the arena; later entries have larger numbers.
pub type Position = u64;

#[derive(Default)]
pub struct EntryList {
    arena: Vec<Vec<u8>>,
    pub positions: Vec<Position>,
    buffer: Vec<u8>,
}

impl EntryList {
    /// Appends an entry. The digest of a file may be a number from `numbered` instead.
    pub fn push(&mut self, entry: &Entry) {
        self.buffer.clear();
        put_bytes(&mut self.buffer, &entry.path);
        encode(entry, &mut self.buffer);
        let room = self.arena.last().map_or(0, |c| c.capacity() - c.len());
        if room < self.buffer.len() {
            self.arena
                .push(Vec::with_capacity(ARENA.max(self.buffer.len())));
        }
        let chunk = self.arena.len() - 1;
        let bytes = &mut self.arena[chunk];
        self.positions
            .push((chunk as u64) << 32 | bytes.len() as u64);
        bytes.extend_from_slice(&self.buffer);
    }

    /// Says that a directory hides what is below it in lower layers.
    pub fn push_opaque(&mut self, directory: Vec<u8>) {
        let mut marker = Entry::new(directory, Kind::Whiteout, 0);
        marker.opaque = true;
        self.push(&marker);
    }

    pub fn path(&self, position: Position) -> &[u8] {
        let mut bytes = self.bytes(position);
        let length = bytes.varint().unwrap_or(0) as usize;
        &bytes[..length]
    }

    pub fn entry(&self, position: Position) -> Option<Entry> {
        let mut bytes = self.bytes(position);
        let path = bytes.string()?;
        decode(&mut bytes, path)
    }

    pub fn kind_byte(&self, position: Position) -> u8 {
        let mut bytes = self.bytes(position);
        let length = bytes.varint().unwrap_or(0) as usize;
        bytes[length]
    }

    fn bytes(&self, position: Position) -> &[u8] {
        &self.arena[(position >> 32) as usize][(position & 0xffff_ffff) as usize..]
    }
}

/// A digest that is not known yet: the number of the file in the order of the archive.
pub fn numbered(number: u64) -> Digest {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_le_bytes());
    digest
}
