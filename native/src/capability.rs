//! Capability: the sandbox half's.
