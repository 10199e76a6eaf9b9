//! Becomes the process of a RUN. Privileges: drops them.

use std::process::ExitCode;

pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
