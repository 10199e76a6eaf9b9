//! Pieces of a byte stream that threads share without copying; their buffers are used again. No privileges.

use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, PoisonError};

/// What one buffer of the pipelines holds; with the channels' depths this bounds their memory.
pub const CHUNK_SIZE: usize = 256 << 10;

/// How many chunks may wait between two threads.
pub const CHANNEL_DEPTH: usize = 8;

/// Hands out buffers, and gets them back when the last user of a chunk is done.
#[derive(Clone, Default)]
pub struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    /// An empty buffer; its capacity is whatever it grew to before.
    pub fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    pub fn chunk(&self, bytes: Vec<u8>) -> Slice {
        let range = 0..bytes.len();
        let chunk = Arc::new(Chunk {
            bytes,
            pool: self.clone(),
        });
        Slice { chunk, range }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Chunk {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.pool.lock().push(bytes);
    }
}

/// Some bytes of a chunk.
#[derive(Clone)]
pub struct Slice {
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

impl Slice {
    /// Takes up to `length` bytes off the front.
    pub fn split_front(&mut self, length: u64) -> Slice {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let middle = self.range.start + length.min(self.range.len());
        let front = Slice {
            chunk: Arc::clone(&self.chunk),
            range: self.range.start..middle,
        };
        self.range.start = middle;
        front
    }

    /// The bytes from `start`, `length` of them.
    pub fn part(&self, start: usize, length: usize) -> Slice {
        let start = self.range.start + start;
        Slice {
            chunk: Arc::clone(&self.chunk),
            range: start..start + length,
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.chunk.bytes[self.range.clone()]
    }
}
