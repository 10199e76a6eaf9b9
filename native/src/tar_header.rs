//! The 512 bytes before each member of a tar. No privileges.

pub const BLOCK: usize = 512;

/// A header block, as it was read.
pub struct Header<'a>(pub &'a [u8; BLOCK]);

impl Header<'_> {
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Whether the checksum is right; some old writers summed signed bytes.
    pub fn is_valid(&self) -> bool {
        let Some(expected) = number(&self.0[148..156]) else {
            return false;
        };
        let bytes = || {
            let blank =
                |(i, &byte): (usize, &u8)| if (148..156).contains(&i) { b' ' } else { byte };
            self.0.iter().enumerate().map(blank)
        };
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
        expected == unsigned || expected == signed
    }

    pub fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// The name, with the prefix of a POSIX header.
    pub fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match &self.0[257..263] {
            b"ustar\0" => text(&self.0[345..500]),
            _ => &[],
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    pub fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub fn mode(&self) -> Option<i64> {
        number(&self.0[100..108])
    }

    pub fn uid(&self) -> Option<i64> {
        number(&self.0[108..116])
    }

    pub fn gid(&self) -> Option<i64> {
        number(&self.0[116..124])
    }

    pub fn size(&self) -> Option<i64> {
        number(&self.0[124..136])
    }

    pub fn mtime(&self) -> Option<i64> {
        number(&self.0[136..148])
    }

    pub fn device(&self) -> Option<(i64, i64)> {
        Some((number(&self.0[329..337])?, number(&self.0[337..345])?))
    }

    pub fn sparse(&self) -> Option<GnuSparse> {
        let mut map = Vec::new();
        sparse_map(&self.0[386..482], &mut map)?;
        Some(GnuSparse {
            map,
            is_continued: self.0[482] != 0,
            size: number(&self.0[483..495])?.try_into().ok()?,
        })
    }
}

/// What an old GNU header says of a sparse file.
pub struct GnuSparse {
    /// Offsets and lengths.
    pub map: Vec<(u64, u64)>,
    /// Whether the map goes on in the next block.
    pub is_continued: bool,
    pub size: u64,
}

/// Appends the (offset, length) pairs of a GNU sparse header or of its continuation.
pub fn sparse_map(bytes: &[u8], map: &mut Vec<(u64, u64)>) -> Option<()> {
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        let offset = number(&pair[..12])?.try_into().ok()?;
        let length = number(&pair[12..])?.try_into().ok()?;
        map.push((offset, length));
    }
    Some(())
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits, or the base-256 of GNU.
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (i, &byte) in field.iter().enumerate() {
            let byte = if i == 0 && !negative {
                byte & 0x7f
            } else {
                byte
            };
            value = value.checked_mul(256)? | i128::from(byte);
        }
        return value.try_into().ok();
    }
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    i64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"nonsense"), None);
    }
}
