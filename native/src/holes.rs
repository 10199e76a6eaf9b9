//! Files with holes: long runs of zeros are neither read from a disk nor kept on one. What is
//! written here is seldom sparse at its source: a tar of ours has zeros where a file had holes,
//! because readers cannot be relied on to take sparse members (DECISIONS.md).
//! Privileges: those of who opened the file.

use rustix::fs::{SeekFrom, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};

/// What is looked at together.
const PIECE: usize = 64 << 10;
/// Shorter runs are no holes in any filesystem.
const SHORTEST: usize = 4 << 10;

/// Writes at the file's position, where nothing was written yet; `end` must follow at last.
pub fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let mut unwritten = 0;
    let mut at = 0;
    for piece in bytes.chunks(PIECE) {
        let next = at + piece.len();
        if piece.len() >= SHORTEST && is_zero(piece) {
            file.write_all(&bytes[unwritten..at])?;
            skip(file, piece.len() as u64)?;
            unwritten = next;
        }
        at = next;
    }
    file.write_all(&bytes[unwritten..])
}

/// Leaves a hole at the file's position.
pub fn skip(file: &File, length: u64) -> io::Result<()> {
    let length = i64::try_from(length).map_err(|_| Errno::FBIG)?;
    rustix::fs::seek(file, SeekFrom::Current(length))?;
    Ok(())
}

/// Gives a file its size, when it ends in a hole.
pub fn end(file: &File, size: u64) -> io::Result<()> {
    match size >= SHORTEST as u64 && file.metadata()?.len() < size {
        true => file.set_len(size),
        false => Ok(()),
    }
}

/// Whether there is nothing but zeros.
pub fn is_zero(bytes: &[u8]) -> bool {
    // In steps that the compiler turns into wide instructions.
    bytes
        .chunks(1024)
        .all(|step| step.iter().fold(0, |found, byte| found | byte) == 0)
}

/// Reads a file from its front; its holes cost no reads.
pub struct HoleReader {
    file: File,
    is_sparse: bool,
    size: u64,
    position: u64,
    /// Where the hole or the data at the position ends.
    end: u64,
    in_hole: bool,
}

impl HoleReader {
    pub fn new(file: File, stat: &Stat) -> HoleReader {
        let size = stat.st_size as u64;
        HoleReader {
            file,
            is_sparse: (stat.st_blocks as u64).saturating_mul(512) < size,
            size,
            position: 0,
            end: 0,
            in_hole: false,
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Finds out what is at the position.
    fn look(&mut self) -> io::Result<()> {
        let position = self.position;
        let data = match rustix::fs::seek(&self.file, SeekFrom::Data(position)) {
            // Nothing but a hole to the end.
            Err(Errno::NXIO) => self.size,
            Ok(found) => found,
            // Not every filesystem can tell.
            Err(_) => {
                rustix::fs::seek(&self.file, SeekFrom::Start(position))?;
                self.is_sparse = false;
                return Ok(());
            }
        };
        self.in_hole = data > position;
        self.end = match self.in_hole {
            true => data.min(self.size),
            false => rustix::fs::seek(&self.file, SeekFrom::Hole(position))?,
        };
        if !self.in_hole {
            rustix::fs::seek(&self.file, SeekFrom::Start(position))?;
        }
        Ok(())
    }
}

impl Read for HoleReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_sparse {
            return self.file.read(buffer);
        }
        if self.position >= self.size {
            // What was written behind the end since.
            rustix::fs::seek(&self.file, SeekFrom::Start(self.position))?;
            return self.file.read(buffer);
        }
        if self.position >= self.end {
            self.look()?;
            if !self.is_sparse {
                return self.file.read(buffer);
            }
        }
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = match self.in_hole {
            true => {
                buffer[..length].fill(0);
                length
            }
            false => self.file.read(&mut buffer[..length])?,
        };
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_become_holes_that_read_as_zeros() -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("tsbuild-holes-{}", std::process::id()));
        let mut bytes = vec![0u8; 3 << 20];
        bytes[1 << 20..(1 << 20) + 5].copy_from_slice(b"bytes");
        let file = File::create_new(&path)?;
        for piece in bytes.chunks(100_000) {
            write(&file, piece)?;
        }
        end(&file, bytes.len() as u64)?;
        let metadata = file.metadata()?;
        let file = File::open(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(metadata.len(), bytes.len() as u64);
        assert!(metadata.blocks() * 512 < 512 << 10);
        let stat = rustix::fs::fstat(&file)?;
        let mut found = Vec::new();
        HoleReader::new(file, &stat).read_to_end(&mut found)?;
        assert!(found == bytes);
        Ok(())
    }
}
