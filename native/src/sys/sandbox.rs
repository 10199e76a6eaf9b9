//! Raw system calls of the sandbox half.
