//! Every `unsafe` and every raw system call. Privileges: those of the caller.

pub mod network;
pub mod notify;
pub mod sandbox;
