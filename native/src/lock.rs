//! Locks on files, between processes: held for the caller until it lets go, or until the helper ends,
//! however it ends. Privileges: those of who may open the file.

use crate::cancel::Cancel;
use crate::error::{Error, at};
use crate::protocol::{LockReply, LockRequest, UnlockRequest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Not inherited by anything that the helper executes. Dropping one lets go of it.
static HELD: Mutex<BTreeMap<u64, OwnedFd>> = Mutex::new(BTreeMap::new());
static LAST: AtomicU64 = AtomicU64::new(0);

/// The kernel wakes nobody who could also be cancelled: so a waiting request asks this often.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// Takes the lock; with `wait` it comes back only when it has it, or is cancelled.
pub fn lock(request: &LockRequest, cancel: &Cancel) -> Result<LockReply, Error> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&request.path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(at(&request.path, Error::Lock))?;
    let operation = match request.shared {
        true => FlockOperation::NonBlockingLockShared,
        false => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        cancel.check()?;
        match rustix::fs::flock(&file, operation) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) if request.wait => pause(cancel),
            Err(Errno::WOULDBLOCK) => return Ok(LockReply { lock: None }),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(at(&request.path, Error::Lock)(errno)),
        }
    }
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    held().insert(id, file);
    Ok(LockReply { lock: Some(id) })
}

/// Lets go of a lock. One that is not held is let go of already.
pub fn unlock(request: &UnlockRequest) {
    if let Some(file) = held().remove(&request.lock) {
        // Not by closing it alone: a process that is just being started has it open, too.
        let _ = rustix::fs::flock(&file, FlockOperation::Unlock);
    }
}

fn pause(cancel: &Cancel) {
    let cancelled = cancel.fd();
    // However it ends, the loop looks again.
    let _ = poll(&mut [PollFd::new(&cancelled, PollFlags::IN)], Some(&PAUSE));
}

fn held() -> MutexGuard<'static, BTreeMap<u64, OwnedFd>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
