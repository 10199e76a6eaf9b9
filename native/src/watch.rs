//! Looks for secrets in what becomes a layer, as it passes by: exact bytes, in contents, names, link
//! targets and attributes. No privileges.

use crate::base64;
use crate::entry::{Entry, Kind};
use crate::error::Error;
use memchr::memmem::Finder;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The secrets that must not pass, and the end of what has passed of the present stream.
pub struct Watch {
    finders: Vec<Finder<'static>>,
    /// How many bytes of a secret may have passed without it being found.
    overlap: usize,
    tail: Vec<u8>,
}

impl Watch {
    /// Of base64 texts. None: there is nothing to look for.
    pub fn new(secrets: &[String]) -> Result<Option<Watch>, Error> {
        // What is not base64 is not told: it may be the secret.
        let bad = || Error::Request("a secret is not base64, or empty".to_owned());
        let mut finders = Vec::new();
        let mut longest = 0;
        for secret in secrets {
            let bytes = base64::decode(secret).filter(|bytes| !bytes.is_empty());
            let bytes = bytes.ok_or_else(bad)?;
            longest = longest.max(bytes.len());
            finders.push(Finder::new(&bytes).into_owned());
        }
        let watch = Watch {
            finders,
            overlap: longest.saturating_sub(1),
            tail: Vec::new(),
        };
        Ok((longest > 0).then_some(watch))
    }

    /// Begins with an entry: all of it but its content.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let link = match &entry.kind {
            Kind::Symlink(target) => Some(target),
            _ => None,
        };
        let attributes = entry.xattrs.iter().flat_map(|(name, value)| [name, value]);
        let texts = [&entry.path].into_iter().chain(link).chain(attributes);
        for text in texts {
            self.tail.clear();
            self.content(text, &entry.path)?;
        }
        self.tail.clear();
        Ok(())
    }

    /// Goes on with the content of the entry at a path.
    pub fn content(&mut self, bytes: &[u8], path: &[u8]) -> Result<(), Error> {
        // A secret may begin in what has passed before.
        let (front, is_all) = match bytes.get(..self.overlap) {
            Some(front) => (front, false),
            None => (bytes, true),
        };
        let has_tail = !self.tail.is_empty();
        self.tail.extend_from_slice(front);
        if has_tail || is_all {
            self.check(&self.tail, path)?;
        }
        if !is_all {
            self.check(bytes, path)?;
            self.tail.clear();
            self.tail
                .extend_from_slice(&bytes[bytes.len() - self.overlap..]);
        } else if let Some(excess) = self.tail.len().checked_sub(self.overlap) {
            self.tail.drain(..excess);
        }
        Ok(())
    }

    fn check(&self, bytes: &[u8], path: &[u8]) -> Result<(), Error> {
        let found = self
            .finders
            .iter()
            .position(|finder| finder.find(bytes).is_some());
        match found {
            None => Ok(()),
            Some(secret) => Err(Error::SecretFound {
                path: PathBuf::from(OsStr::from_bytes(path)),
                secret,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(secrets: &[&str], chunks: &[&[u8]]) -> Option<usize> {
        let encoded: Vec<String> = secrets.iter().map(|&text| text.to_owned()).collect();
        let mut watch = Watch::new(&encoded).ok().flatten()?;
        chunks
            .iter()
            .find_map(|chunk| match watch.content(chunk, b"p") {
                Err(Error::SecretFound { secret, .. }) => Some(secret),
                _ => None,
            })
    }

    /// "secret12" and "topmost-secret".
    const SECRETS: [&str; 2] = ["c2VjcmV0MTI=", "dG9wbW9zdC1zZWNyZXQ="];

    #[test]
    fn a_secret_is_found_however_it_is_cut() {
        let text = b"....secret12....";
        for cut in 0..text.len() {
            let (front, rest) = text.split_at(cut);
            assert_eq!(finds(&SECRETS, &[front, rest]), Some(0));
        }
        let bytes: Vec<&[u8]> = b"..topmost-secret..".chunks(1).collect();
        assert_eq!(finds(&SECRETS, &bytes), Some(1));
        let bytes: Vec<&[u8]> = b"some text topmost-secret and some more of it"
            .chunks(5)
            .collect();
        assert_eq!(finds(&SECRETS, &bytes), Some(1));
    }

    #[test]
    fn what_is_like_a_secret_passes() {
        let long = [b'x'; 1000];
        assert_eq!(
            finds(&SECRETS, &[b"secret1", b"3", b"topmost-secre", &long, b"t"]),
            None
        );
        assert_eq!(finds(&SECRETS, &[b"", b"topmost", b"", b"-secre"]), None);
    }
}
