//! Bounded reading of the primitives: every read checks what is left, so malformed input ends in an error.

use rjax_ir::{Error, ErrorKind, Result};

/// A position in the artifact and the end of the section it is in.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub position: usize,
    pub end: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, position: 0, end: bytes.len() }
    }

    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Malformed, format!("bytecode: at byte {}: {}", self.position, what.into()))
    }

    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    pub fn is_empty(&self) -> bool {
        self.position == self.end
    }

    pub fn byte(&mut self) -> Result<u8> {
        if self.is_empty() {
            return Err(self.error("unexpected end"));
        }
        self.position += 1;
        Ok(self.bytes[self.position - 1])
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.remaining() {
            return Err(self.error(format!("{count} bytes expected, {} left", self.remaining())));
        }
        self.position += count;
        Ok(&self.bytes[self.position - count..self.position])
    }

    /// A part of this section as a section of its own.
    pub fn split(&mut self, count: usize) -> Result<Cursor<'a>> {
        let start = self.position;
        self.take(count)?;
        Ok(Cursor { bytes: self.bytes, position: start, end: start + count })
    }

    /// A prefix varint: the trailing zero bits of the first byte count the further bytes.
    pub fn varint(&mut self) -> Result<u64> {
        let first = self.byte()?;
        if first == 0 {
            let raw = self.take(8)?;
            return Ok(u64::from_le_bytes(raw.try_into().expect("take(8) gives 8 bytes")));
        }
        let extra = first.trailing_zeros() as usize;
        let mut raw = [0; 8];
        raw[0] = first;
        raw[1..=extra].copy_from_slice(self.take(extra)?);
        Ok(u64::from_le_bytes(raw) >> (extra + 1))
    }

    /// A zigzag varint.
    pub fn signed_varint(&mut self) -> Result<i64> {
        let v = self.varint()?;
        Ok((v >> 1) as i64 ^ -((v & 1) as i64))
    }

    /// A varint whose lowest bit is a flag.
    pub fn flagged_varint(&mut self) -> Result<(u64, bool)> {
        let v = self.varint()?;
        Ok((v >> 1, v & 1 == 1))
    }

    /// A number of things that follow, each of which takes at least one byte.
    pub fn count(&mut self) -> Result<usize> {
        let n = self.varint()?;
        if n > self.remaining() as u64 {
            return Err(self.error(format!("{n} entries announced, {} bytes left", self.remaining())));
        }
        Ok(n as usize)
    }

    pub fn null_terminated(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.position..self.end];
        let length = rest.iter().position(|&b| b == 0).ok_or_else(|| self.error("unterminated string"))?;
        self.position += length + 1;
        Ok(&rest[..length])
    }

    pub fn signed_list(&mut self) -> Result<Vec<i64>> {
        (0..self.count()?).map(|_| self.signed_varint()).collect()
    }

    /// A section header and its contents.
    pub fn section(&mut self) -> Result<(u8, Cursor<'a>)> {
        let id = self.byte()?;
        let length = self.varint()?;
        if id & 0x80 != 0 {
            let alignment = self.varint()? as usize;
            if !alignment.is_power_of_two() {
                return Err(self.error("a section's alignment is not a power of two"));
            }
            while !self.position.is_multiple_of(alignment) {
                self.byte()?;
            }
        }
        let length = usize::try_from(length).map_err(|_| self.error("a section is too long"))?;
        Ok((id & 0x7f, self.split(length)?))
    }
}
