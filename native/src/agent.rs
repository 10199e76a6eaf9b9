//! An ssh agent for one RUN: a socket of its own, behind which its agent lists keys and signs with them,
//! and does nothing else (RUN-22). Privileges: those of who may connect to the agent; to give the socket
//! to somebody, those of root of the namespace.

use crate::error::{Error, at};
use crate::protocol::{AgentMount, MountOperation};
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What OpenSSH takes for a message at most.
const MAX_MESSAGE: usize = 256 << 10;
/// Connections of one RUN at once; more are closed.
const MAX_CONNECTIONS: usize = 64;

const REQUEST_IDENTITIES: u8 = 11;
const SIGN_REQUEST: u8 = 13;
/// The message SSH_AGENT_FAILURE.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];

/// Ends when it is dropped, and its connections and socket with it.
pub struct Agent {
    shared: Arc<Shared>,
    listen: PathBuf,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    listener: UnixListener,
    upstream: PathBuf,
    /// None: it has ended.
    open: Mutex<Option<BTreeMap<i32, UnixStream>>>,
}

/// Starts those of a RUN, before its root filesystem is put together.
pub fn start_all(mounts: &[MountOperation]) -> Result<Vec<Agent>, Error> {
    let agents = mounts.iter().filter_map(|mount| match mount {
        MountOperation::Agent(agent) => Some(Agent::start(agent)),
        _ => None,
    });
    agents.collect()
}

impl Agent {
    fn start(mount: &AgentMount) -> Result<Agent, Error> {
        let path = mount.listen.as_path();
        let listener =
            reach(path, |path| UnixListener::bind(path)).map_err(at(path, Error::Agent))?;
        let mut agent = Agent {
            shared: Arc::new(Shared {
                listener,
                upstream: mount.socket.clone(),
                open: Mutex::new(Some(BTreeMap::new())),
            }),
            listen: path.to_owned(),
            thread: None,
        };
        let owner = (Uid::from_raw(mount.uid), Gid::from_raw(mount.gid));
        match rustix::fs::chownat(CWD, path, Some(owner.0), Some(owner.1), AtFlags::empty()) {
            // Where one id is all there is, everybody is it.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(at(path, Error::Agent)(errno)),
        }
        rustix::fs::chmodat(CWD, path, Mode::from_raw_mode(mount.mode), AtFlags::empty())
            .map_err(at(path, Error::Agent))?;
        let shared = Arc::clone(&agent.shared);
        let thread = std::thread::Builder::new().spawn(move || shared.serve());
        agent.thread = Some(thread.map_err(at("", Error::Thread))?);
        Ok(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let open = self.shared.connections().take();
        for connection in open.unwrap_or_default().values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.listen);
    }
}

impl Shared {
    fn serve(&self) {
        std::thread::scope(|scope| {
            while self.connections().is_some() {
                match self.listener.accept() {
                    Ok((client, _)) => {
                        // What cannot be served is closed.
                        let _ = std::thread::Builder::new()
                            .spawn_scoped(scope, move || self.talk_and_close(client));
                    }
                    // Descriptors are short, or it has ended.
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
    }

    fn talk_and_close(&self, client: UnixStream) {
        if let Some(client) = self.register(client) {
            // Either side may go at any time.
            let _ = self.talk(&client.stream);
        }
    }

    fn talk(&self, mut client: &UnixStream) -> std::io::Result<()> {
        let mut agent: Option<Registered<'_>> = None;
        while let Ok(request) = read_message(client) {
            if !matches!(request.get(4), Some(&(REQUEST_IDENTITIES | SIGN_REQUEST))) {
                client.write_all(&FAILURE)?;
                continue;
            }
            if agent.is_none() {
                let connected = reach(&self.upstream, |path| UnixStream::connect(path)).ok();
                agent = connected.and_then(|stream| self.register(stream));
            }
            let reply = agent.as_ref().and_then(|agent| {
                (&agent.stream).write_all(&request).ok()?;
                read_message(&agent.stream).ok()
            });
            client.write_all(reply.as_deref().unwrap_or(&FAILURE))?;
        }
        Ok(())
    }

    /// Lets it be shut down from outside. None: it is not to be used.
    fn register(&self, stream: UnixStream) -> Option<Registered<'_>> {
        let copy = stream.try_clone().ok()?;
        match self.connections().as_mut() {
            Some(open) if open.len() < 2 * MAX_CONNECTIONS => {
                open.insert(stream.as_raw_fd(), copy);
            }
            _ => return None,
        }
        Some(Registered {
            shared: self,
            stream,
        })
    }

    fn connections(&self) -> MutexGuard<'_, Option<BTreeMap<i32, UnixStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection among those that are open, until it is dropped.
struct Registered<'a> {
    shared: &'a Shared,
    stream: UnixStream,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.shared.connections().as_mut() {
            open.remove(&self.stream.as_raw_fd());
        }
    }
}

/// A message with its length in front.
fn read_message(mut from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length) as usize;
    if size == 0 || size > MAX_MESSAGE {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut message = length.to_vec();
    message.resize(4 + size, 0);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}

/// A socket's path has 108 bytes at most: so it is named by its directory's descriptor.
fn reach<T>(path: &Path, act: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    let invalid = || std::io::Error::from(Errno::INVAL);
    let parent = path.parent().ok_or_else(invalid)?;
    let name = path.file_name().ok_or_else(invalid)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory: OwnedFd = rustix::fs::open(parent, flags, Mode::empty())?;
    let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
    act(&Path::new(&short).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [u8; 5] = [0, 0, 0, 1, REQUEST_IDENTITIES];
    const REMOVE_ALL: [u8; 5] = [0, 0, 0, 1, 19];

    #[test]
    fn a_client_that_goes_leaves_no_connection() -> std::io::Result<()> {
        let directory = std::env::temp_dir().join(format!("tsbuild-agent-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let shared = Shared {
            listener: UnixListener::bind(directory.join("listen"))?,
            upstream: directory.join("upstream"),
            open: Mutex::new(Some(BTreeMap::new())),
        };
        let upstream = UnixListener::bind(&shared.upstream)?;
        let (mut client, server) = UnixStream::pair()?;
        std::thread::scope(|scope| {
            scope.spawn(|| shared.talk_and_close(server));
            client.write_all(&LIST)?;
            let (mut agent, _) = upstream.accept()?;
            agent.write_all(&read_message(&agent)?)?;
            assert_eq!(read_message(&client)?, LIST);
            // It asks for what is refused, and does not hear it.
            client.shutdown(Shutdown::Read)?;
            client.write_all(&REMOVE_ALL)
        })?;
        assert_eq!(shared.connections().as_ref().map(BTreeMap::len), Some(0));
        std::fs::remove_dir_all(&directory)
    }
}
