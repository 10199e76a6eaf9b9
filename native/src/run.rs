//! Serves a run request. Privileges: those of the mode.

use crate::cancel::Cancel;
use crate::error::Error;
use crate::protocol::{RunReply, RunRequest, Stream};

pub fn run(
    _request: RunRequest,
    _sink: &dyn Fn(Stream, &[u8]),
    _cancel: &Cancel,
) -> Result<RunReply, Error> {
    Err(Error::Request("run is not there yet".to_owned()))
}
