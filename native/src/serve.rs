//! The serve loop: frames in, requests on threads, frames out. Privileges: those of its mode.

use crate::cancel::Cancel;
use crate::error::{Error, at};
use crate::protocol::{
    Hello, Mode, PROTOCOL_VERSION, RemoveReply, Request, Stream, UnlockReply, frame,
};
use crate::{
    cgroup, compose, errno, extract, identity, lock, namespace, owner, remove, repack, run, scan,
};
use serde::Serialize;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// A request is a few kilobytes of paths; a RUN's may hold small files.
const MAX_REQUEST: usize = 64 << 20;

pub fn main(args: Vec<OsString>) -> ExitCode {
    match start(&args) {
        Ok(output) => serve(Arc::new(output)),
        Err(code) => code,
    }
}

/// Enters the namespaces and says hello. No thread is started before.
fn start(args: &[OsString]) -> Result<Output, ExitCode> {
    let output = Output::new().map_err(|_| ExitCode::FAILURE)?;
    match die_with_parent().and_then(|()| enter(args)) {
        Ok(()) => {
            let refused = owner::only_one_id().then(identity::why_not).flatten();
            let hello = Hello {
                protocol: PROTOCOL_VERSION,
                version: env!("CARGO_PKG_VERSION"),
                no_emulation: refused.map(|errno| errno::name(errno).unwrap_or("EIO").to_owned()),
            };
            output.json(frame::HELLO, 0, &hello);
            Ok(output)
        }
        Err(error) => {
            output.json(frame::ERROR, 0, &error.to_wire());
            Err(ExitCode::FAILURE)
        }
    }
}

fn die_with_parent() -> Result<(), Error> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(at("", Error::Thread))
}

fn enter(args: &[OsString]) -> Result<(), Error> {
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let mode = words.first().and_then(|word| Mode::parse(word));
    let (maps, scratch) = match words.get(1..).unwrap_or_default() {
        [] => (None, None),
        [scratch] => (None, Some(*scratch)),
        [uids, gids] => (Some((*uids, *gids)), None),
        [uids, gids, scratch, ..] => (Some((*uids, *gids)), Some(*scratch)),
    };
    match mode {
        None => Err(Error::Request(format!("unknown mode in {args:?}"))),
        Some(Mode::Plain) => Ok(()),
        Some(mode) => namespace::enter(
            mode,
            maps.map(|(uids, _)| uids),
            maps.map(|(_, gids)| gids),
            scratch.map(Path::new),
        ),
    }
}

/// Reads frames until stdin ends, which ends the process whatever is still running.
fn serve(output: Arc<Output>) -> ExitCode {
    let running: Running = Arc::new(Mutex::new(HashMap::new()));
    let mut input = io::stdin().lock();
    while let Ok((kind, id, payload)) = read_frame(&mut input) {
        match kind {
            frame::REQUEST => start_request(&output, &running, id, payload),
            frame::CANCEL => {
                if let Some(cancel) = lock(&running).get(&id) {
                    cancel.cancel();
                }
            }
            _ => break,
        }
    }
    std::process::exit(0)
}

type Running = Arc<Mutex<HashMap<u32, Arc<Cancel>>>>;

fn start_request(output: &Arc<Output>, running: &Running, id: u32, payload: Vec<u8>) {
    let cancel = match Cancel::new() {
        Ok(cancel) => Arc::new(cancel),
        Err(errno) => {
            return output.json(frame::ERROR, id, &at("", Error::Thread)(errno).to_wire());
        }
    };
    lock(running).insert(id, Arc::clone(&cancel));
    let (answers, registry) = (Arc::clone(output), Arc::clone(running));
    let thread = std::thread::Builder::new().spawn(move || {
        let outcome = answer(&answers, id, &payload, &cancel);
        lock(&registry).remove(&id);
        if let Err(error) = outcome {
            answers.json(frame::ERROR, id, &error.to_wire());
        }
    });
    if let Err(error) = thread {
        lock(running).remove(&id);
        output.json(frame::ERROR, id, &at("", Error::Thread)(error).to_wire());
    }
}

/// Performs one request and sends its reply.
fn answer(output: &Output, id: u32, payload: &[u8], cancel: &Cancel) -> Result<(), Error> {
    let request: Request =
        serde_json::from_slice(payload).map_err(|error| Error::Request(error.to_string()))?;
    let sink = |stream: Stream, bytes: &[u8]| match stream {
        Stream::Stdout => output.frame(frame::STDOUT, id, bytes),
        Stream::Stderr => output.frame(frame::STDERR, id, bytes),
    };
    match request {
        Request::Run(request) => output.reply(id, &run::run(*request, &sink, cancel)?),
        Request::Limits(request) => output.reply(id, &cgroup::limits(&request)?),
        Request::Extract(request) => output.reply(id, &extract::extract(&request, cancel)?),
        Request::Remove(request) => {
            remove::remove(&request, cancel)?;
            output.reply(id, &RemoveReply {});
        }
        Request::Scan(request) => output.reply(id, &scan::scan(&request, cancel)?),
        Request::Compose(request) => output.reply(id, &compose::compose(&request, cancel)?),
        Request::Repack(request) => output.reply(id, &repack::repack(&request, cancel)?),
        Request::Lock(request) => output.reply(id, &lock::lock(&request, cancel)?),
        Request::Unlock(request) => {
            lock::unlock(&request);
            output.reply(id, &UnlockReply {});
        }
    }
    Ok(())
}

fn read_frame(input: &mut impl Read) -> io::Result<(u8, u32, Vec<u8>)> {
    let mut header = [0u8; 9];
    input.read_exact(&mut header)?;
    let [a, b, c, d, kind, e, f, g, h] = header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_REQUEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut payload = vec![0u8; length];
    input.read_exact(&mut payload)?;
    Ok((kind, u32::from_le_bytes([e, f, g, h]), payload))
}

/// Stdout, shared by the threads. A frame is written whole, or the helper is at its end.
struct Output {
    file: Mutex<File>,
}

impl Output {
    fn new() -> io::Result<Output> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Output {
            file: Mutex::new(file),
        })
    }

    fn reply(&self, id: u32, reply: &impl Serialize) {
        self.json(frame::REPLY, id, reply);
    }

    fn json(&self, kind: u8, id: u32, value: &impl Serialize) {
        match serde_json::to_vec(value) {
            Ok(payload) => self.frame(kind, id, &payload),
            Err(error) => panic!("a reply is always JSON: {error}"),
        }
    }

    fn frame(&self, kind: u8, id: u32, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(9 + payload.len());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.push(kind);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(payload);
        if lock(&self.file).write_all(&bytes).is_err() {
            // Nobody listens any more.
            std::process::exit(1);
        }
    }
}

/// Panics abort, so that no lock is ever poisoned.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
