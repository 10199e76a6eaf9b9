//! The records of PAX headers. No privileges.

use std::collections::HashMap;

pub type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// `LENGTH KEY=VALUE\n`, again and again; values are bytes.
pub fn pax_records(mut bytes: &[u8]) -> Option<Records> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        // Some writers pad with NULs.
        if bytes.iter().all(|&byte| byte == 0) {
            break;
        }
        let space = bytes.iter().position(|&byte| byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|&byte| byte == b'=')?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = &bytes[length..];
    }
    Some(records)
}

/// Appends one PAX record; its length counts itself.
pub fn put_pax_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// `SECONDS[.FRACTION]`, rounded down to nanoseconds: what -1.5 means is -2 s and 500,000,000 ns.
pub fn parse_time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}

/// The inverse of `parse_time`.
pub fn format_time(seconds: i64, nanoseconds: u32) -> String {
    let (sign, whole, fraction) = match (seconds < 0, nanoseconds) {
        (true, 1..) => ("-", -(seconds + 1), 1_000_000_000 - nanoseconds),
        _ => ("", seconds, nanoseconds),
    };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:09}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Different keys that a member may have, and the bytes of all its records, from however many headers:
/// each may say little that is new.
const MAX_KEYS: usize = 4096;
const MAX_BYTES: usize = 2 << 20;

/// Later records win; an empty value takes the record away; repeated sparse pairs all stay. None: they
/// are too many.
pub fn merge(records: &mut Records, found: Records) -> Option<()> {
    let repeats = |key: &[u8]| key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes";
    // All at once: a header may name one key a hundred thousand times.
    let mut last = HashMap::new();
    for (at, (key, _)) in found.iter().enumerate() {
        if !repeats(key) {
            last.insert(key.clone(), at);
        }
    }
    records.retain(|(key, _)| !last.contains_key(key));
    let keys = records.iter().filter(|(key, _)| !repeats(key)).count();
    if keys + last.len() > MAX_KEYS {
        return None;
    }
    for (at, (key, value)) in found.into_iter().enumerate() {
        let counts = last.get(&key).is_none_or(|&last| last == at);
        if counts && (!value.is_empty() || key.starts_with(b"SCHILY.xattr.")) {
            records.push((key, value));
        }
    }
    (size_of_records(records) <= MAX_BYTES).then_some(())
}

/// Bytes of keys and values.
pub fn size_of_records(records: &Records) -> usize {
    let sizes = records.iter().map(|(key, value)| key.len() + value.len());
    sizes.sum()
}

/// A number that is not negative.
pub fn decimal(text: &[u8]) -> Option<u64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive() {
        for (text, time) in [
            ("0", (0, 0)),
            ("12.5", (12, 500_000_000)),
            ("-1.5", (-2, 500_000_000)),
            ("-0.25", (-1, 750_000_000)),
            ("1.000000001", (1, 1)),
            ("-7", (-7, 0)),
        ] {
            assert_eq!(parse_time(text.as_bytes()), Some(time));
            assert_eq!(format_time(time.0, time.1), text);
        }
    }

    #[test]
    fn the_last_record_of_a_key_counts() {
        let record = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let mut records = vec![record("path", "a"), record("uid", "1")];
        let found = vec![record("path", "b"), record("path", "c"), record("uid", "")];
        assert_eq!(merge(&mut records, found), Some(()));
        assert_eq!(records, [record("path", "c")]);
    }

    #[test]
    fn record_lengths_count_themselves() {
        let mut bytes = Vec::new();
        for length in [1, 90, 93, 94, 95, 990, 995] {
            put_pax_record(&mut bytes, b"k", &vec![b'v'; length]);
        }
        let records = pax_records(&bytes).map(|records| records.len());
        assert_eq!(records, Some(7));
    }
}
