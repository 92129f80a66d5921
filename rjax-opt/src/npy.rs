//! The header of a numpy array file: magic bytes, version, length, and a Python dictionary in ASCII.
//!
//! The format is numpy's NEP 1. Only the three keys that numpy writes are read.

use std::io::Read;

use rjax_ir::Shape;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The header of one array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Byte order, kind and width of the elements: `<f4`, `|b1`.
    pub descr: String,
    /// Whether the first axis varies fastest.
    pub column_major: bool,
    /// The extents.
    pub shape: Shape,
}

impl Header {
    /// Reads a header; what follows in `file` are the elements.
    pub fn read(file: &mut impl Read) -> Result<Header, String> {
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(|e| e.to_string())?;
        if !start.starts_with(MAGIC) {
            return Err("not a numpy array".to_string());
        }
        let mut length = [0; 4];
        let width = if start[6] == 1 { 2 } else { 4 };
        file.read_exact(&mut length[..width]).map_err(|e| e.to_string())?;
        let mut text = String::new();
        let length = u64::from(u32::from_le_bytes(length));
        file.take(length).read_to_string(&mut text).map_err(|e| e.to_string())?;
        Header::parse(&text).ok_or_else(|| format!("cannot read the array's header {}", text.trim()))
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
    fn parse(text: &str) -> Option<Header> {
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}'"))?;
            rest.trim_start().strip_prefix(':').map(str::trim_start)
        };
        let (descr, _) = value("descr")?.strip_prefix('\'')?.split_once('\'')?;
        let column_major = match value("fortran_order")? {
            rest if rest.starts_with("True") => true,
            rest if rest.starts_with("False") => false,
            _ => return None,
        };
        let (extents, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
        let extents = extents.split(',').map(str::trim).filter(|extent| !extent.is_empty());
        let extents: Vec<usize> = extents.map(|extent| extent.parse().ok()).collect::<Option<_>>()?;
        // The widest element has 16 bytes.
        let bytes = extents.iter().try_fold(16usize, |bytes, &extent| bytes.checked_mul(extent));
        bytes.filter(|&bytes| bytes <= isize::MAX as usize)?;
        Some(Header { descr: descr.to_string(), column_major, shape: extents.into() })
    }

    /// The header as it is written, padded so that the elements begin at a multiple of 64 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let extents: Vec<String> = self.shape.iter().map(|extent| format!("{extent},")).collect();
        let order = if self.column_major { "True" } else { "False" };
        let mut text =
            format!("{{'descr': '{}', 'fortran_order': {order}, 'shape': ({}), }}", self.descr, extents.join(" "));
        let unpadded = MAGIC.len() + 4 + text.len() + 1;
        text.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
        text.push('\n');
        let length = u16::try_from(text.len()).expect("an array has fewer than a thousand axes");
        [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_align_the_elements() {
        for extents in [&[][..], &[3], &[2, 0, 5]] {
            let header = Header { descr: "<f4".to_string(), column_major: extents.len() == 1, shape: extents.into() };
            let bytes = header.bytes();
            assert_eq!(bytes.len() % 64, 0);
            assert_eq!(Header::read(&mut &bytes[..]), Ok(header));
        }
    }

    #[test]
    fn damaged_headers_are_errors() {
        let good = Header { descr: "<f4".to_string(), column_major: false, shape: [2, 3].into() }.bytes();
        assert_eq!(Header::read(&mut &b"PK\x03\x04 not an array"[..]), Err("not a numpy array".to_string()));
        assert!(Header::read(&mut &good[..9]).is_err());
        let huge = String::from_utf8_lossy(&good[10..]).replace("2, 3", "99999999999, 99999999999");
        assert_eq!(Header::parse(&huge), None);
    }
}
