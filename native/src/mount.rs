//! Mount: the sandbox half's.
