//! Makes system calls by number, and prints the errno of each: `probe [i386] NUMBER,ARGUMENT…  …`.
//! For the tests of the seccomp filter; built by them with rustc.

use std::arch::asm;

fn main() {
    let mut foreign = false;
    for word in std::env::args().skip(1) {
        if word == "i386" {
            foreign = true;
            continue;
        }
        let values: Vec<u64> = word.split(',').filter_map(|value| value.parse().ok()).collect();
        let at = |index: usize| values.get(index).copied().unwrap_or(0);
        // SAFETY: the tests name calls that fail with these arguments, if they are made at all.
        let result = unsafe {
            if foreign { call_i386(at(0), at(1), at(2)) } else { call(at(0), at(1), at(2)) }
        };
        println!("{}", if result < 0 { -result } else { 0 });
    }
}

unsafe fn call(number: u64, first: u64, second: u64) -> i64 {
    let result: i64;
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") first, in("rsi") second,
             in("rdx") 0, in("r10") 0, in("r8") 0, in("r9") 0, out("rcx") _, out("r11") _);
    }
    result
}

unsafe fn call_i386(number: u64, first: u64, second: u64) -> i64 {
    let result: u64;
    unsafe {
        asm!("push rbx", "mov rbx, {first}", "int 0x80", "pop rbx", first = in(reg) first,
             inlateout("rax") number => result, in("rcx") second, in("rdx") 0, in("rsi") 0,
             in("rdi") 0, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    i64::from(result as u32 as i32)
}
