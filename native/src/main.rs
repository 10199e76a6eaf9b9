//! The helper's entry: argv says which of its two lives it lives.
//!
//! `serve MODE [UIDMAP GIDMAP] [SCRATCH]` answers requests on stdin and stdout until stdin ends.
//! `sandbox` is a re-exec of the helper by itself, and becomes the process of a RUN.
//! Privileges: whatever the caller has; `namespace` and `sandbox` change them, nothing else does.

mod agent;
mod archive;
mod base64;
mod beneath;
mod blob;
mod cancel;
mod capability;
mod cgroup;
mod cgroup_files;
mod cgroup_tree;
mod chunk;
mod codec;
mod command;
mod compose;
mod content_hash;
mod decompress;
mod device_group;
mod entry;
mod errno;
mod error;
mod extract;
mod hasher;
mod holes;
mod identity;
mod ignore;
mod index;
mod layer_directory;
mod list;
mod load;
mod lock;
mod member;
mod metadata;
mod mount;
mod namespace;
mod network;
mod owner;
mod pax;
mod pending;
mod protocol;
mod remove;
mod repack;
mod resolve;
mod root;
mod run;
mod sandbox;
mod scan;
mod scan_directory;
mod seccomp;
mod serve;
mod source;
mod sparse;
mod stage;
mod stat_cache;
#[allow(unsafe_code)] // Here, and nowhere else.
mod sys;
mod tar_header;
mod tar_reader;
mod tar_writer;
mod walk;
mod watch;
mod xattr;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_ref().and_then(|verb| verb.to_str()) {
        Some("serve") => serve::main(args.collect()),
        Some("sandbox") => sandbox::main(),
        _ => {
            eprintln!("tsbuild-helper: it is started by tsbuild, not by hand");
            ExitCode::from(2)
        }
    }
}
