//! Turns a seccomp profile into a BPF program. No privileges; `sys::sandbox::load_filter` loads it.
//!
//! The program looks at the calling convention first, because each has its own numbers: the native
//! one, and the 32-bit one that the same kernel runs (i386 beside x86_64, arm beside aarch64), so
//! that 32-bit images run under the same rules. x32 and any other fail with ENOSYS, and so does
//! each call newer than the table. A call of the native convention then passes the rules in order:
//! the kernel remembers the calls that need no look at their arguments, so that the length of the
//! list does not matter.

mod table;

use crate::error::Error;
use crate::identity::calls::{self, CALLS, Of, When};
use crate::protocol::{SeccompCondition, SeccompOperator, SeccompProfile};
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET,
    BPF_W, sock_filter,
};
use table::{Abi, HIGHEST_KNOWN};

/// `AUDIT_ARCH_*`: the ELF machine, 64-bit and little-endian flags (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: [(u32, Abi); 2] = [(0xC000_003E, Abi::X86_64), (0x4000_0003, Abi::I386)];
#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: [(u32, Abi); 2] = [(0xC000_00B7, Abi::Aarch64), (0x4000_0028, Abi::Arm)];

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Calls of the x32 convention have this bit; its low numbers mean other calls.
const X32_BIT: u32 = 0x4000_0000;

/// The arm convention's private calls: breakpoint, cacheflush, usr26, usr32, set_tls, get_tls.
const ARM_PRIVATE: (u32, u32) = (0x000F_0001, 0x000F_0006);

/// A jump of a rule's body to the rule's end; put right when the body is complete.
const TO_END: u8 = u8::MAX;

/// What to do about calls that the profile does not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Allow,
    /// Those that have to do with ids are `identity`'s to answer.
    Emulate,
}

/// The program of a profile.
pub fn program(profile: &SeccompProfile, rest: Rest) -> Result<Vec<sock_filter>, Error> {
    let [(native, native_abi), (foreign, foreign_abi)] = ARCHITECTURES;
    let block = abi_block(profile, rest, native_abi)?;
    let mut program = vec![load(ARCHITECTURE), jump(BPF_JEQ, native, 1, 0)];
    program.push(statement(BPF_JMP | BPF_JA, block.len() as u32));
    program.extend(block);
    program.push(jump(BPF_JEQ, foreign, 1, 0));
    program.push(fail(libc::ENOSYS as u32));
    program.extend(abi_block(profile, rest, foreign_abi)?);
    Ok(program)
}

/// A program that does nothing.
pub fn allow_all() -> [sock_filter; 1] {
    [allow()]
}

/// The emulated calls of both conventions, by architecture and number.
pub fn emulated_calls() -> impl Iterator<Item = ((u32, u32), calls::Call)> {
    ARCHITECTURES.into_iter().flat_map(|(architecture, abi)| {
        of_convention(abi).filter_map(move |(name, call)| {
            let number = table::number(name, abi).flatten()?;
            Some(((architecture, number), call))
        })
    })
}

fn of_convention(abi: Abi) -> impl Iterator<Item = (&'static str, calls::Call)> {
    let own = if abi == ARCHITECTURES[0].1 {
        Of::Native
    } else {
        Of::Foreign
    };
    let is_own = move |&&(_, _, of): &&(&str, calls::Call, Of)| of == Of::All || of == own;
    CALLS
        .iter()
        .filter(is_own)
        .map(|&(name, call, _)| (name, call))
}

/// What happens to a call of one convention; ends in a return on every path.
fn abi_block(profile: &SeccompProfile, rest: Rest, abi: Abi) -> Result<Vec<sock_filter>, Error> {
    let mut block = vec![load(NUMBER)];
    match abi {
        Abi::X86_64 => {
            block.push(jump(BPF_JGE, X32_BIT, 0, 1));
            block.push(fail(libc::ENOSYS as u32));
        }
        Abi::Arm => {
            block.push(jump(BPF_JGE, ARM_PRIVATE.0, 0, 2));
            block.push(jump(BPF_JGT, ARM_PRIVATE.1, 1, 0));
            block.push(allow());
        }
        Abi::I386 | Abi::Aarch64 => {}
    }
    block.push(jump(BPF_JGT, HIGHEST_KNOWN, 0, 1));
    block.push(fail(libc::ENOSYS as u32));
    for rule in &profile.rules {
        for name in &rule.names {
            let number = table::number(name, abi)
                .ok_or_else(|| Error::Request(format!("unknown system call {name:?}")))?;
            if let Some(number) = number {
                let conditions = rule.when.as_deref().unwrap_or_default();
                block.extend(rule_body(number, conditions, fail(rule.errno.into()))?);
            }
        }
    }
    if rest == Rest::Emulate {
        block.extend(emulation(abi)?);
    }
    block.push(allow());
    Ok(block)
}

/// Hands calls to the emulation. The limit that it keeps its own notes in (`identity`) stays what it
/// is: to set it does nothing.
fn emulation(abi: Abi) -> Result<Vec<sock_filter>, Error> {
    let mut block = Vec::new();
    for (name, call) in of_convention(abi) {
        let Some(number) = table::number(name, abi).flatten() else {
            continue;
        };
        let conditions = match calls::when(call) {
            When::Always => None,
            When::HasBit(argument, bits) => {
                Some(condition(argument, bits, SeccompOperator::NotEqual, 0))
            }
            When::Is(argument, value) => {
                Some(condition(argument, INT, SeccompOperator::Equal, value))
            }
        };
        let notify = statement(BPF_RET | BPF_K, libc::SECCOMP_RET_USER_NOTIF);
        block.extend(rule_body(number, conditions.as_slice(), notify)?);
    }
    let equal = |argument, value| condition(argument, INT, SeccompOperator::Equal, value);
    let locks = libc::RLIMIT_LOCKS as u64;
    let is_set = condition(2, u64::MAX, SeccompOperator::NotEqual, 0);
    for (name, conditions) in [
        ("setrlimit", vec![equal(0, locks)]),
        ("prlimit64", vec![equal(1, locks), is_set]),
    ] {
        if let Some(number) = table::number(name, abi).flatten() {
            block.extend(rule_body(number, &conditions, fail(0))?);
        }
    }
    Ok(block)
}

/// For arguments that are an `int`.
const INT: u64 = 0xffff_ffff;

fn condition(argument: u8, mask: u64, operator: SeccompOperator, value: u64) -> SeccompCondition {
    SeccompCondition {
        argument,
        mask,
        operator,
        value,
    }
}

/// Expects the call's number in the accumulator, and leaves it there when the rule does not hold.
fn rule_body(
    number: u32,
    conditions: &[SeccompCondition],
    action: sock_filter,
) -> Result<Vec<sock_filter>, Error> {
    if conditions.len() > 16 || conditions.iter().any(|condition| condition.argument > 5) {
        return Err(Error::Request("bad seccomp condition".to_owned()));
    }
    let mut body: Vec<sock_filter> = conditions.iter().flat_map(condition_body).collect();
    body.push(action);
    let end = body.len();
    for (at, instruction) in body.iter_mut().enumerate() {
        for offset in [&mut instruction.jt, &mut instruction.jf] {
            if *offset == TO_END {
                *offset = (end - at - 1) as u8;
            }
        }
    }
    if !conditions.is_empty() {
        body.push(load(NUMBER));
    }
    body.insert(0, jump(BPF_JEQ, number, 0, body.len() as u8));
    Ok(body)
}

/// Falls through when the condition holds. An argument has 64 bits, the accumulator 32.
fn condition_body(condition: &SeccompCondition) -> [sock_filter; 6] {
    let low = ARGUMENTS + 8 * u32::from(condition.argument);
    let half = |offset: u32, shift: u32, equal: u8, different: u8| {
        [
            load(low + offset),
            statement(BPF_ALU | BPF_AND | BPF_K, (condition.mask >> shift) as u32),
            jump(BPF_JEQ, (condition.value >> shift) as u32, equal, different),
        ]
    };
    let (first, second) = match condition.operator {
        SeccompOperator::Equal => (half(0, 0, 0, TO_END), half(4, 32, 0, TO_END)),
        // The low halves differ: the condition holds, whatever the high halves are.
        SeccompOperator::NotEqual => (half(0, 0, 0, 3), half(4, 32, TO_END, 0)),
    };
    let ([a, b, c], [d, e, f]) = (first, second);
    [a, b, c, d, e, f]
}

fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn allow() -> sock_filter {
    statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW)
}

fn fail(errno: u32) -> sock_filter {
    statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | errno)
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(comparison: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        jt,
        jf,
        ..statement(BPF_JMP | comparison | BPF_K, k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SeccompRule;

    /// Runs a program as the kernel does, on a call and its arguments.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0u64.to_ne_bytes());
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut accumulator) = (0usize, 0u32);
        loop {
            let instruction = program[at];
            at += 1;
            let (code, k) = (u32::from(instruction.code), instruction.k);
            match code & 7 {
                BPF_LD => {
                    let bytes = &data[k as usize..k as usize + 4];
                    accumulator = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
                BPF_ALU => accumulator &= k,
                BPF_RET => return k,
                _ => {
                    let taken = match code & 0xf0 {
                        BPF_JA => {
                            at += k as usize;
                            continue;
                        }
                        BPF_JEQ => accumulator == k,
                        BPF_JGT => accumulator > k,
                        _ => accumulator >= k,
                    };
                    at += usize::from(if taken {
                        instruction.jt
                    } else {
                        instruction.jf
                    });
                }
            }
        }
    }

    fn rule(names: &[&str], errno: u16, when: &[(u8, u64, SeccompOperator, u64)]) -> SeccompRule {
        let conditions = when
            .iter()
            .map(|&(argument, mask, operator, value)| SeccompCondition {
                argument,
                mask,
                operator,
                value,
            });
        SeccompRule {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            errno,
            when: Some(conditions.collect()),
        }
    }

    #[test]
    fn refuses_what_the_rules_name_in_both_conventions() -> Result<(), Error> {
        let all = u64::MAX;
        let profile = SeccompProfile {
            rules: vec![
                rule(&["mount", "umount"], 1, &[]),
                rule(
                    &["personality"],
                    2,
                    &[
                        (0, all, SeccompOperator::NotEqual, 0),
                        (0, all, SeccompOperator::NotEqual, 8),
                    ],
                ),
                rule(
                    &["socket"],
                    3,
                    &[(0, 0xffff_ffff, SeccompOperator::Equal, 40)],
                ),
                rule(&["keyctl"], 4, &[(1, all, SeccompOperator::Equal, 1 << 40)]),
            ],
        };
        let program = program(&profile, Rest::Allow)?;
        let error = |errno: u32| libc::SECCOMP_RET_ERRNO | errno;
        for (arch, abi) in ARCHITECTURES {
            let call = |name: &str, first: u64, second: u64| {
                let number = table::number(name, abi).flatten().unwrap_or(0);
                run(&program, arch, number, [first, second, 0, 0, 0, 0])
            };
            assert_eq!(call("mount", 0, 0), error(1));
            assert_eq!(call("umount2", 0, 0), libc::SECCOMP_RET_ALLOW);
            assert_eq!(call("personality", 8, 0), libc::SECCOMP_RET_ALLOW);
            assert_eq!(call("personality", 1 << 32, 0), error(2));
            assert_eq!(call("personality", 9, 0), error(2));
            assert_eq!(call("socket", 40 | 1 << 32, 0), error(3));
            assert_eq!(call("socket", 1, 0), libc::SECCOMP_RET_ALLOW);
            assert_eq!(call("keyctl", 0, 1 << 40), error(4));
            assert_eq!(call("keyctl", 0, 1), libc::SECCOMP_RET_ALLOW);
            assert_eq!(run(&program, arch, 467, [0; 6]), error(38));
        }
        assert_eq!(run(&program, 8, 1, [0; 6]), error(38));
        let (native, abi) = ARCHITECTURES[0];
        let x32 = run(&program, native, X32_BIT | 1, [0; 6]);
        assert!(abi != Abi::X86_64 || x32 == error(38));
        Ok(())
    }

    #[test]
    fn hands_calls_about_ids_to_the_emulation() -> Result<(), Error> {
        let profile = SeccompProfile {
            rules: vec![rule(&["mount"], 1, &[])],
        };
        let program = program(&profile, Rest::Emulate)?;
        let (notify, allow) = (libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW);
        for (arch, abi) in ARCHITECTURES {
            let call = |name: &str, arguments: [u64; 3]| {
                let number = table::number(name, abi).flatten().unwrap_or(0);
                let [a, b, c] = arguments;
                run(&program, arch, number, [a, b, c, 0, 0, 0])
            };
            assert_eq!(call("fchownat", [0; 3]), notify);
            assert_eq!(call("openat", [0, 0, libc::O_CREAT as u64]), notify);
            assert_eq!(call("openat", [0, 0, libc::O_TMPFILE as u64]), notify);
            assert_eq!(call("openat", [0, 0, libc::O_DIRECTORY as u64]), allow);
            assert_eq!(call("prlimit64", [0, 10, 4096]), libc::SECCOMP_RET_ERRNO);
            assert_eq!(call("prlimit64", [0, 10, 0]), allow);
            assert_eq!(call("prlimit64", [0, 7, 4096]), allow);
            assert_eq!(call("mount", [0; 3]), libc::SECCOMP_RET_ERRNO | 1);
        }
        Ok(())
    }

    #[test]
    fn rejects_an_unknown_name() {
        let profile = SeccompProfile {
            rules: vec![rule(&["mounted"], 1, &[])],
        };
        assert!(matches!(
            program(&profile, Rest::Allow),
            Err(Error::Request(_))
        ));
    }
}
