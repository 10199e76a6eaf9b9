//! Sparse members: which parts of a file a tar has, in the formats of GNU and PAX. No privileges.

use crate::error::Error;
use crate::pax::decimal;
use crate::tar_header::{BLOCK, Header, sparse_map};
use crate::tar_reader::{MAX_SPECIAL, Member, Stream, TarReader};

impl<S: Stream> TarReader<S> {
    /// Reads the map of an old GNU header and of the blocks that continue it.
    pub fn read_gnu_map(&mut self, member: &mut Member, header: &Header<'_>) -> Result<(), Error> {
        let first = header.sparse();
        let mut sparse = first.ok_or_else(|| self.invalid("a sparse map is malformed"))?;
        while sparse.is_continued {
            let block = self.block()?.ok_or_else(|| self.cut_off())?;
            let read = sparse_map(&block[..504], &mut sparse.map);
            read.ok_or_else(|| self.invalid("a sparse map is malformed"))?;
            sparse.is_continued = block[504] != 0;
            if sparse.map.len() as u64 > MAX_SPECIAL {
                return Err(self.invalid("a sparse map is too long"));
            }
        }
        self.use_map(member, sparse.map, sparse.size)
    }

    /// Uses what PAX records say of a sparse file.
    pub fn read_pax_map(&mut self, member: &mut Member, sparse: PaxSparse) -> Result<(), Error> {
        if let Some(name) = sparse.name {
            member.name = name;
        }
        if sparse.in_data {
            let map = self.data_map()?;
            return self.use_map(member, map, sparse.size);
        }
        if !sparse.map.is_empty() {
            if !sparse.map.len().is_multiple_of(2) {
                return Err(self.invalid("a sparse map is malformed"));
            }
            let map = sparse.map.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            return self.use_map(member, map.collect(), sparse.size);
        }
        Ok(())
    }

    /// The map of PAX sparse format 1.0: decimal lines at the front of the data, padded to a block.
    fn data_map(&mut self) -> Result<Vec<(u64, u64)>, Error> {
        let mut numbers: Vec<u64> = Vec::new();
        let mut line = Vec::new();
        loop {
            if self.left < BLOCK as u64 {
                return Err(self.cut_off());
            }
            let block = self.block()?.ok_or_else(|| self.cut_off())?;
            self.left -= BLOCK as u64;
            for byte in block {
                let wanted = numbers
                    .first()
                    .map(|count| count.saturating_mul(2).saturating_add(1));
                if wanted == Some(numbers.len() as u64) {
                    break;
                }
                if byte == b'\n' {
                    let number = decimal(&line);
                    numbers.push(number.ok_or_else(|| self.invalid("a sparse map is malformed"))?);
                    line.clear();
                } else {
                    line.push(byte);
                }
            }
            let count = numbers.first().copied().unwrap_or(0);
            if !numbers.is_empty()
                && count.saturating_mul(2).saturating_add(1) == numbers.len() as u64
            {
                return Ok(numbers[1..]
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect());
            }
            if numbers.len() as u64 > MAX_SPECIAL || line.len() > 20 {
                return Err(self.invalid("a sparse map is malformed"));
            }
        }
    }

    fn use_map(
        &mut self,
        member: &mut Member,
        mut map: Vec<(u64, u64)>,
        size: u64,
    ) -> Result<(), Error> {
        let mut end = 0u64;
        let mut stored = 0u64;
        let mut parts = Vec::with_capacity(map.len());
        for &(offset, length) in &map {
            let next = offset.checked_add(length);
            if offset < end || next.is_none_or(|next| next > size) {
                return Err(self.invalid("a sparse map is malformed"));
            }
            parts.push((offset - end, length));
            end = next.unwrap_or(end);
            stored += length;
        }
        if stored > self.left {
            return Err(self.invalid("a sparse map is malformed"));
        }
        map.reverse();
        self.map = Some(map);
        (self.position, self.size) = (0, size);
        (member.size, member.parts) = (size, Some(parts));
        Ok(())
    }
}

/// What PAX says of a sparse file, in its three formats.
#[derive(Default)]
pub struct PaxSparse {
    name: Option<Vec<u8>>,
    size: u64,
    map: Vec<u64>,
    in_data: bool,
}

impl PaxSparse {
    /// Takes a record, if it is about sparse files. None: it is malformed.
    pub fn record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"GNU.sparse.name" => self.name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.size = decimal(value)?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.map.push(decimal(value)?),
            b"GNU.sparse.major" => self.in_data = value == b"1",
            b"GNU.sparse.map" => {
                for number in value.split(|&byte| byte == b',') {
                    self.map.push(decimal(number)?);
                }
            }
            _ => {}
        }
        Some(())
    }
}
