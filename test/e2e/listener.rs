//! `listener PROGRAM ARGUMENT…`: executes a program below a seccomp listener that is asked nothing. Only one may be
//! above a process. For emulation.test.ts, which builds it with rustc.

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::os::unix::process::ExitStatusExt;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn prctl(option: c_int, ...) -> c_int;
}

#[repr(C)]
struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

#[repr(C)]
struct Program {
    length: u16,
    instructions: *const c_void,
}

fn main() {
    // RET ALLOW
    let allow = Instruction {
        code: 6,
        jt: 0,
        jf: 0,
        k: 0x7fff_0000,
    };
    let program = Program {
        length: 1,
        instructions: (&raw const allow).cast(),
    };
    let (no_new_privs, one, zero): (c_int, c_ulong, c_ulong) = (38, 1, 0);
    let (seccomp, set_filter, new_listener): (c_long, c_ulong, c_ulong) = (317, 1, 8);
    // SAFETY: numbers, and a program that lives.
    let listener = unsafe {
        prctl(no_new_privs, one, zero, zero, zero);
        syscall(seccomp, set_filter, new_listener, &raw const program)
    };
    assert!(listener >= 0, "no listener");
    let mut words = std::env::args_os().skip(1);
    let program = words.next().expect("a program");
    // The listener is there for as long as we are, and closed in what we start.
    let status = std::process::Command::new(program)
        .args(words)
        .status()
        .expect("it starts");
    std::process::exit(status.code().unwrap_or(128 + status.signal().unwrap_or(0)));
}
