//! Every `unsafe` and every raw system call. Privileges: those of the caller.

pub mod devices;
pub mod network;
pub mod notify;
pub mod sandbox;
