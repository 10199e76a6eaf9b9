//! Raw system calls that decide which devices the processes of a control group may open.
//! Privileges: CAP_BPF with CAP_NET_ADMIN, or CAP_SYS_ADMIN, on the machine.

use rustix::io::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Devices that may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub is_block: bool,
    pub major: u32,
    /// `None`: any.
    pub minor: Option<u32>,
}

impl Rule {
    pub const fn character(major: u32, minor: Option<u32>) -> Rule {
        Rule {
            is_block: false,
            major,
            minor,
        }
    }
}

/// linux/bpf.h.
mod bpf {
    pub const PROG_LOAD: libc::c_int = 5;
    pub const PROG_ATTACH: libc::c_int = 8;
    pub const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    pub const CGROUP_DEVICE: u32 = 6;
    pub const ALLOW_MULTI: u32 = 2;
    /// `access_type` of what is asked: what is done above, to which kind of device below.
    pub const MKNOD: i32 = 1;
    pub const BLOCK: i32 = 1;
    pub const CHARACTER: i32 = 2;
}

/// The kernel's `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// The target below, the source above.
    registers: u8,
    offset: i16,
    value: i32,
}

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that attaches one.
#[repr(C)]
struct AttachAttributes {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// From now on, processes of the group may open what the rules name and nothing else, and make any node,
/// as far as the groups above let them. Ends with the group.
pub fn restrict(group: &OwnedFd, rules: &[Rule]) -> Result<(), Errno> {
    let program = program(rules);
    let mut load = LoadAttributes {
        program_type: bpf::PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads the attributes, and what they point to: it lives until the end.
    let loaded = unsafe { call(bpf::PROG_LOAD, &raw mut load, size_of::<LoadAttributes>()) }?;
    // SAFETY: the kernel has just made it for us.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded as i32) };
    let mut attach = AttachAttributes {
        target: group.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        kind: bpf::CGROUP_DEVICE,
        flags: bpf::ALLOW_MULTI,
    };
    // SAFETY: the kernel reads the attributes.
    unsafe {
        call(
            bpf::PROG_ATTACH,
            &raw mut attach,
            size_of::<AttachAttributes>(),
        )
    }
    .map(drop)
}

/// What the kernel runs for each node: `struct bpf_cgroup_dev_ctx` (access and kind, major, minor) comes in
/// register 1, what register 0 holds at the end is the answer.
fn program(rules: &[Rule]) -> Vec<Instruction> {
    let (kind, access, major, minor) = (2, 3, 4, 5);
    let mut program = vec![
        field(kind, 0),
        field(major, 4),
        field(minor, 8),
        // MOV access = kind
        instruction(0xbc, access, kind, 0, 0),
        // RSH access, 16
        instruction(0x74, access, 0, 0, 16),
        // AND kind, 0xffff
        instruction(0x54, kind, 0, 0, 0xffff),
        unless_equal(access, bpf::MKNOD, 2),
        answer(1),
        exit(),
    ];
    for rule in rules {
        let of_kind = if rule.is_block {
            bpf::BLOCK
        } else {
            bpf::CHARACTER
        };
        let minors = rule
            .minor
            .map(|number| unless_equal(minor, number as i32, 2));
        let rest = 2 + minors.iter().len() as i16;
        program.push(unless_equal(kind, of_kind, rest + 1));
        program.push(unless_equal(major, rule.major as i32, rest));
        program.extend(minors);
        program.push(answer(1));
        program.push(exit());
    }
    program.extend([answer(0), exit()]);
    program
}

/// Loads 32 bits of the context.
fn field(register: u8, offset: i16) -> Instruction {
    instruction(0x61, register, 1, offset, 0)
}

/// Skips so many instructions.
fn unless_equal(register: u8, value: i32, skip: i16) -> Instruction {
    instruction(0x55, register, 0, skip, value)
}

fn answer(value: i32) -> Instruction {
    instruction(0xb7, 0, 0, 0, value)
}

fn exit() -> Instruction {
    instruction(0x95, 0, 0, 0, 0)
}

fn instruction(code: u8, target: u8, source: u8, offset: i16, value: i32) -> Instruction {
    let registers = target | source << 4;
    Instruction {
        code,
        registers,
        offset,
        value,
    }
}

/// # Safety
/// `attributes` are what the command takes, of that size.
unsafe fn call<T>(
    command: libc::c_int,
    attributes: *mut T,
    size: usize,
) -> Result<libc::c_long, Errno> {
    // SAFETY: as the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size) };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel does.
    fn run(program: &[Instruction], access_type: u32, major: u32, minor: u32) -> u64 {
        let context = [access_type, major, minor];
        let mut registers = [0u64; 8];
        let mut at = 0usize;
        loop {
            let Instruction {
                code,
                registers: both,
                offset,
                value,
            } = program[at];
            let (target, source) = (usize::from(both & 15), usize::from(both >> 4));
            at += 1;
            match code {
                0x61 => registers[target] = context[offset as usize / 4].into(),
                0xbc => registers[target] = registers[source],
                0x74 => registers[target] >>= value,
                0x54 => registers[target] &= value as u64,
                0x55 if registers[target] != value as u64 => at += offset as usize,
                0x55 => {}
                0xb7 => registers[target] = value as u64,
                _ => return registers[0],
            }
        }
    }

    #[test]
    fn lets_listed_devices_be_opened_and_any_be_made() {
        let disk = Rule {
            is_block: true,
            major: 8,
            minor: Some(1),
        };
        let program = program(&[
            Rule::character(1, Some(3)),
            disk,
            Rule::character(136, None),
        ]);
        let (made, read, written) = (1 << 16, 2 << 16, 4 << 16);
        let (block, character) = (1, 2);
        let asked = |access: u32, major, minor| run(&program, access, major, minor) == 1;
        assert!(asked(read | character, 1, 3));
        assert!(asked(read | written | character, 1, 3));
        assert!(asked(written | character, 136, 77));
        assert!(asked(read | block, 8, 1));
        assert!(asked(made | block, 8, 0) && asked(made | character, 1, 1));
        assert!(!asked(read | character, 1, 1));
        assert!(!asked(read | block, 1, 3));
        assert!(!asked(read | block, 8, 0));
        assert!(!asked(read | character, 8, 1));
        assert!(!asked(made | read | character, 1, 1));
    }
}
