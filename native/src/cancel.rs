//! Asks a request to end early. No privileges.

use crate::error::Error;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// One for each request; set once, from the thread that reads stdin.
pub struct Cancel {
    flag: AtomicBool,
    event: OwnedFd,
}

impl Cancel {
    pub fn new() -> rustix::io::Result<Cancel> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Cancel {
            flag: AtomicBool::new(false),
            event,
        })
    }

    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
        // Fails only when the counter overflows, and then it is readable already.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Fails with `Cancelled` once the request is cancelled.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Readable once the request is cancelled, for `poll`; never read it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
