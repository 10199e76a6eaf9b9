//! What a program in a RUN tries to get out of it: `escape-probe TRY [ARGUMENT]`. Prints one line.
//! For escape.test.ts, which builds it with rustc.

use std::ffi::{CString, c_char, c_int, c_long, c_void};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn chroot(path: *const c_char) -> c_int;
    fn chdir(path: *const c_char) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn ioctl(fd: c_int, request: u64, ...) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn bind(fd: c_int, address: *const c_void, length: u32) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn connect(fd: c_int, address: *const c_void, length: u32) -> c_int;
}

/// linux/errno.h, as far as it comes up.
const ERRNOS: [(i32, &str); 16] = [
    (1, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (6, "ENXIO"),
    (9, "EBADF"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (22, "EINVAL"),
    (25, "ENOTTY"),
    (26, "ETXTBSY"),
    (30, "EROFS"),
    (38, "ENOSYS"),
    (95, "EOPNOTSUPP"),
    (111, "ECONNREFUSED"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = |index: usize| arguments.get(index).map_or("", String::as_str);
    let outcome = match at(0) {
        "call" => call(&arguments[1..]),
        "chroot" => break_chroot(),
        "descriptors" => descriptors(),
        "read" => named(opened(at(1), 0)),
        "write" => named(opened(at(1), 1)),
        "terminal" => terminal(),
        "abstract" => abstract_socket(at(1), false),
        "own-abstract" => abstract_socket(at(1), true),
        "create" => named(opened(at(1), 0o101)),
        "leave-socket" => leave_socket(at(1)),
        other => format!("unknown: {other}"),
    };
    println!("{} {outcome}", arguments.join(" "));
}

fn named(result: c_int) -> String {
    if result >= 0 {
        return "done".to_owned();
    }
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let known = ERRNOS.iter().find(|(number, _)| *number == errno);
    known.map_or_else(|| errno.to_string(), |(_, name)| (*name).to_owned())
}

/// A system call by number, with numbers as arguments. None of them makes a process.
fn call(words: &[String]) -> String {
    let values: Vec<c_long> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let at = |index: usize| values.get(index).copied().unwrap_or(0);
    // SAFETY: the tests name calls that are refused, or do no harm.
    named(unsafe { syscall(at(0), at(1), at(2), at(3), at(4), at(5)) } as c_int)
}

fn opened(path: &str, flags: c_int) -> c_int {
    let path = CString::new(path).unwrap();
    unsafe { open(path.as_ptr(), flags, 0o644) }
}

/// The known way out of a chroot: into another one, with the working directory left outside of it.
fn break_chroot() -> String {
    let own = identity("/");
    std::fs::create_dir_all("/tmp/jail").unwrap();
    unsafe {
        if chroot(c"/tmp/jail".as_ptr()) != 0 {
            return named(-1);
        }
        for _ in 0..64 {
            chdir(c"..".as_ptr());
        }
        chroot(c".".as_ptr());
    }
    let reached = identity("/");
    if reached == own { "own root".to_owned() } else { format!("{own:?} {reached:?}") }
}

fn identity(path: &str) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or((0, 0), |stat| (stat.dev(), stat.ino()))
}

fn descriptors() -> String {
    // F_GETFD
    let open = (0..4096).filter(|fd| unsafe { fcntl(*fd, 1) } >= 0);
    open.map(|fd| fd.to_string()).collect::<Vec<_>>().join(",")
}

/// Opens the controlling terminal, and types into it by every stream (TIOCSTI).
fn terminal() -> String {
    let mut outcomes = vec![named(opened("/dev/tty", 2))];
    for fd in 0..3 {
        outcomes.push(named(unsafe { ioctl(fd, 0x5412, c"x".as_ptr()) }));
    }
    outcomes.join(",")
}

/// `struct sockaddr_un`, and the length of what is used of it.
fn address(name: &[u8]) -> ([u8; 110], u32) {
    let mut bytes = [0; 110];
    bytes[0] = 1;
    bytes[2..2 + name.len()].copy_from_slice(name);
    (bytes, 2 + name.len() as u32)
}

fn abstract_socket(name: &str, own: bool) -> String {
    let name = [b"\0", name.as_bytes()].concat();
    let (address, length) = address(&name);
    unsafe {
        if own {
            let server = socket(1, 1, 0);
            bind(server, address.as_ptr().cast(), length);
            listen(server, 1);
        }
        named(connect(socket(1, 1, 0), address.as_ptr().cast(), length))
    }
}

fn leave_socket(path: &str) -> String {
    let (address, length) = address(path.as_bytes());
    named(unsafe { bind(socket(1, 1, 0), address.as_ptr().cast(), length) })
}
