//! Remembers the digests of a context's files by what stat says of them. Privileges: its owner's.
//!
//!     file   := "tsbstat1"  started: i64 u32 (LE)  entry*  crc32: u32 (LE) of all before
//!     entry  := shared:v  rest: length:v bytes  device:v inode:v size:v
//!               mtime:z nsec:v ctime:z nsec:v  xattrs: count:v (length:v name length:v value)*  digest
//!
//! Entries are in the order of an index, so that two scans merge. git's racy rule: an entry counts
//! only if the file was last changed before the scan that recorded it had started, for a change in
//! the same tick of the clock would leave no trace.

use crate::codec::{Input, put_bytes, put_varint};
use crate::entry::{Digest, compare, shared_prefix};
use crate::error::{Error, at};
use crate::pax::Records;
use crate::pending::PendingFile;
use rustix::fs::Stat;
use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Take, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;

const MAGIC: &[u8; 8] = b"tsbstat1";
const HEADER: u64 = 20;
const TRAILER: u64 = 4;

/// What tells that a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    mtime: Time,
    ctime: Time,
}

type Time = (i64, u32);

impl Fingerprint {
    /// Device and inode.
    pub fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    pub fn of(stat: &Stat) -> Fingerprint {
        Fingerprint {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as u32),
        }
    }
}

/// What is remembered of a file.
pub struct Remembered {
    pub xattrs: Records,
    pub digest: Digest,
}

/// An earlier scan, from the first path to the last.
pub struct StatCache {
    input: Take<BufReader<File>>,
    /// Changed before this, a file was not changed any more while it was hashed.
    settled: Time,
    path: Vec<u8>,
    current: Option<(Fingerprint, Remembered)>,
}

impl StatCache {
    /// None when there is none, or it is torn or another program's.
    pub fn open(path: &Path, root: BorrowedFd<'_>) -> Option<StatCache> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len().checked_sub(TRAILER)?;
        if crc(&mut file, length)? != read_u32(&mut file)? {
            return None;
        }
        let mut header = [0u8; HEADER as usize];
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_exact(&mut header).ok()?;
        let seconds = header[8..16].try_into().ok().map(i64::from_le_bytes)?;
        let nanoseconds = header[16..].try_into().ok().map(u32::from_le_bytes)?;
        if header[..8] != *MAGIC {
            return None;
        }
        let mut cache = StatCache {
            input: BufReader::with_capacity(128 << 10, file).take(length.checked_sub(HEADER)?),
            settled: (seconds.saturating_sub(skew(root)), nanoseconds),
            path: Vec::new(),
            current: None,
        };
        cache.advance();
        Some(cache)
    }

    /// What is remembered of a file that has not changed. Paths are asked for in order.
    pub fn find(&mut self, path: &[u8], fingerprint: &Fingerprint) -> Option<Remembered> {
        loop {
            self.current.as_ref()?;
            match compare(&self.path, path) {
                Ordering::Less => self.advance(),
                Ordering::Greater => return None,
                Ordering::Equal => break,
            }
        }
        let (known, remembered) = self.current.take()?;
        self.advance();
        (known == *fingerprint && self.is_settled(fingerprint)).then_some(remembered)
    }

    fn is_settled(&self, fingerprint: &Fingerprint) -> bool {
        let (seconds, nanoseconds) = fingerprint.mtime.max(fingerprint.ctime);
        // Where no time has a fraction, a tick of the clock may be two seconds long, as in FAT.
        let tick = if fingerprint.ctime.1 == 0 { 2 } else { 0 };
        (seconds.saturating_add(tick), nanoseconds) < self.settled
    }

    fn advance(&mut self) {
        self.current = self.read();
    }

    fn read(&mut self) -> Option<(Fingerprint, Remembered)> {
        let input = &mut self.input;
        let shared = usize::try_from(input.varint()?).ok()?;
        let rest = input.string()?;
        self.path.truncate(shared);
        self.path.extend_from_slice(&rest);
        let fingerprint = Fingerprint {
            device: input.varint()?,
            inode: input.varint()?,
            size: input.varint()?,
            mtime: time(input)?,
            ctime: time(input)?,
        };
        let mut xattrs = Vec::new();
        for _ in 0..input.varint()? {
            xattrs.push((input.string()?, input.string()?));
        }
        let digest = Input::bytes(input, 32)?.try_into().ok()?;
        Some((fingerprint, Remembered { xattrs, digest }))
    }
}

/// The next scan's memory.
pub struct StatCacheWriter {
    file: BufWriter<PendingFile>,
    crc: libdeflater::Crc,
    previous: Vec<u8>,
    buffer: Vec<u8>,
}

impl StatCacheWriter {
    /// To be called before the scan starts. Until it is finished it is in `workspace`, on the same filesystem.
    /// None when it can not be written: then nothing is remembered.
    pub fn create(path: &Path, workspace: &Path) -> Option<StatCacheWriter> {
        let file = PendingFile::create_in(workspace, path).ok()?;
        // The file's own time: the clock that the kernel stamps files with, and not a finer one.
        let stat = rustix::fs::fstat(file.file()).ok()?;
        let (seconds, nanoseconds) = Fingerprint::of(&stat).mtime;
        let mut writer = StatCacheWriter {
            file: BufWriter::with_capacity(128 << 10, file),
            crc: libdeflater::Crc::new(),
            previous: Vec::new(),
            buffer: MAGIC.to_vec(),
        };
        writer.buffer.extend_from_slice(&seconds.to_le_bytes());
        writer.buffer.extend_from_slice(&nanoseconds.to_le_bytes());
        writer.flush().ok()?;
        Some(writer)
    }

    pub fn push(
        &mut self,
        path: &[u8],
        fingerprint: &Fingerprint,
        remembered: (&Records, &Digest),
    ) -> std::io::Result<()> {
        let shared = shared_prefix(&self.previous, path);
        let out = &mut self.buffer;
        put_varint(out, shared as u64);
        put_bytes(out, &path[shared..]);
        put_varint(out, fingerprint.device);
        put_varint(out, fingerprint.inode);
        put_varint(out, fingerprint.size);
        for (seconds, nanoseconds) in [fingerprint.mtime, fingerprint.ctime] {
            put_varint(out, ((seconds << 1) ^ (seconds >> 63)) as u64);
            put_varint(out, nanoseconds.into());
        }
        let (xattrs, digest) = remembered;
        put_varint(out, xattrs.len() as u64);
        for (name, value) in xattrs {
            put_bytes(out, name);
            put_bytes(out, value);
        }
        out.extend_from_slice(digest);
        self.previous.truncate(shared);
        self.previous.extend_from_slice(&path[shared..]);
        self.flush()
    }

    pub fn finish(mut self, path: &Path) -> Result<(), Error> {
        let crc = self.crc.sum();
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.flush().map_err(at(path, Error::Write))?;
        match self.file.into_inner() {
            Ok(file) => file.commit(),
            Err(error) => Err(at(path, Error::Write)(error.into_error())),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.crc.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// By how many seconds the clock that stamps the files may be behind ours: other machines' are not set
/// by us.
fn skew(root: BorrowedFd<'_>) -> i64 {
    /// NFS, SMB (three), FUSE and virtiofs, 9p, Ceph, AFS, and the shared folders of VirtualBox and VMware.
    const REMOTE: [u32; 10] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x6573_5546,
        0x0102_1997,
        0x00c3_6400,
        0x5346_414f,
        0x786f_4256,
        0xbacb_acbc,
    ];
    match rustix::fs::fstatfs(root) {
        Ok(filesystem) if !REMOTE.contains(&(filesystem.f_type as u32)) => 0,
        _ => 60,
    }
}

fn time(input: &mut impl Input) -> Option<Time> {
    let zigzag = input.varint()?;
    let seconds = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    Some((seconds, input.number()?))
}

fn crc(file: &mut File, length: u64) -> Option<u32> {
    let mut crc = libdeflater::Crc::new();
    let mut buffer = vec![0u8; 128 << 10];
    let mut left = length;
    while left > 0 {
        let step = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..step]).ok()?;
        crc.update(&buffer[..step]);
        left -= step as u64;
    }
    Some(crc.sum())
}

fn read_u32(file: &mut File) -> Option<u32> {
    let mut bytes = [0u8; 4];
    file.read_exact(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}
