//! Reduces the process to a set of capabilities. Needs CAP_SETPCAP to narrow the bounding set.

use crate::error::{At, Error, at};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

/// By number (linux/capability.h), without the `CAP_` prefix.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The set that the names stand for, e.g. `CAP_CHOWN`.
pub fn parse(names: &[String]) -> Result<CapabilitySet, Error> {
    names.iter().try_fold(CapabilitySet::empty(), |set, name| {
        let short = name.strip_prefix("CAP_").unwrap_or(name);
        let number = NAMES
            .iter()
            .position(|known| *known == short)
            .ok_or_else(|| Error::Request(format!("unknown capability {name:?}")))?;
        Ok(set | CapabilitySet::from_bits_retain(1 << number))
    })
}

/// Takes all others out of the bounding set, for this process and what it executes.
pub fn bound(wanted: CapabilitySet) -> Result<(), Error> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            // The kernel's last capability was the one before.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(failed(errno)),
            Ok(true) if !wanted.contains(one) => {
                remove_capability_from_bounding_set(one).map_err(failed)?;
            }
            Ok(_) => {}
        }
    }
    clear_ambient_capability_set().map_err(failed)
}

/// Makes every permitted capability effective, as they are not after a change of the user.
pub fn raise() -> Result<(), Error> {
    let permitted = capabilities(None).map_err(failed)?.permitted;
    set(permitted, permitted)
}

/// Keeps these, as far as the helper has them at all.
pub fn keep(wanted: CapabilitySet) -> Result<(), Error> {
    let kept = wanted & capabilities(None).map_err(failed)?.permitted;
    set(kept, kept)
}

fn set(effective: CapabilitySet, permitted: CapabilitySet) -> Result<(), Error> {
    let sets = CapabilitySets {
        effective,
        permitted,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(at("", Error::Capabilities))
}

fn failed(errno: Errno) -> Error {
    Error::Capabilities(At {
        path: "".into(),
        errno,
    })
}
