//! Seccomp: the sandbox half's.
