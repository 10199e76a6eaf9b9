//! Finds and executes the command of a RUN, in its sandbox. No privileges but the command's.

use crate::sys::sandbox as sys;
use rustix::io::Errno;
use std::ffi::CString;

/// What shells exit with when they cannot execute something.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Comes back only when it cannot be executed: with the exit code, after a line on stderr.
pub fn execute(argv: &[String], env: &[String]) -> i32 {
    let (code, message) = try_execute(argv, env);
    eprintln!("{message}");
    code
}

fn try_execute(argv: &[String], env: &[String]) -> (i32, String) {
    let (Some(name), Some(argv), Some(env)) = (argv.first(), c_strings(argv), c_strings(env))
    else {
        return (
            NOT_EXECUTABLE,
            "exec: the command is empty or has a NUL byte".to_owned(),
        );
    };
    // Rust ignores SIGPIPE, and the helper's caller may ignore others.
    sys::default_signals();
    let attempt = |path: &str| {
        let path = CString::new(path).unwrap_or_default();
        sys::execute(&path, &argv, &env)
    };
    if name.contains('/') {
        return refusal(name, attempt(name));
    }
    let mut denied = false;
    for directory in search_path(env_value(&env, "PATH").as_deref()) {
        let path = format!("{directory}/{name}");
        match attempt(&path) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => denied = true,
            errno => return refusal(&path, errno),
        }
    }
    if denied {
        return (NOT_EXECUTABLE, format!("exec: {name:?}: permission denied"));
    }
    (
        NOT_FOUND,
        format!("exec: {name:?}: executable file not found in $PATH"),
    )
}

fn refusal(path: &str, errno: Errno) -> (i32, String) {
    match errno {
        // Also a script whose interpreter is missing.
        Errno::NOENT | Errno::NOTDIR => {
            (NOT_FOUND, format!("exec {path}: no such file or directory"))
        }
        Errno::ACCESS => (NOT_EXECUTABLE, format!("exec {path}: permission denied")),
        Errno::NOEXEC => (NOT_EXECUTABLE, format!("exec {path}: exec format error")),
        Errno::TOOBIG => (
            NOT_EXECUTABLE,
            format!("exec {path}: argument list too long"),
        ),
        errno => (NOT_EXECUTABLE, format!("exec {path}: {errno}")),
    }
}

/// An empty entry is the working directory.
fn search_path(path: Option<&str>) -> Vec<String> {
    let entries = path.into_iter().flat_map(|path| path.split(':'));
    entries
        .map(|entry| if entry.is_empty() { "." } else { entry }.to_owned())
        .collect()
}

/// The last one counts, as it does for what Docker executes.
fn env_value(env: &[CString], name: &str) -> Option<String> {
    env.iter().rev().find_map(|entry| {
        let value = entry.to_str().ok()?.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.to_owned())
    })
}

fn c_strings(strings: &[String]) -> Option<Vec<CString>> {
    strings
        .iter()
        .map(|string| CString::new(string.as_bytes()).ok())
        .collect()
}
