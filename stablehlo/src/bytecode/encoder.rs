//! The primitives of the format, the other way round from the cursor.

/// Bytes under construction.
#[derive(Clone, Default, Debug)]
pub(super) struct Encoder {
    pub bytes: Vec<u8>,
}

impl Encoder {
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A prefix varint: the trailing zero bits of the first byte count the further bytes.
    pub fn varint(&mut self, value: u64) {
        let bits = 64 - value.leading_zeros().min(63) as usize;
        let length = bits.div_ceil(7);
        if length > 8 {
            self.byte(0);
            self.raw(&value.to_le_bytes());
            return;
        }
        let encoded = (value << 1 | 1) << (length - 1);
        // With eight bytes the top bit of the shifted value is lost nowhere: 56 bits and eight of prefix are 64.
        self.raw(&encoded.to_le_bytes()[..length]);
    }

    /// A zigzag varint.
    pub fn signed_varint(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63) as u64);
    }

    /// A varint whose lowest bit is a flag.
    pub fn flagged_varint(&mut self, value: u64, flag: bool) {
        self.varint(value << 1 | flag as u64);
    }

    pub fn signed_list(&mut self, values: &[i64]) {
        self.varint(values.len() as u64);
        values.iter().for_each(|&value| self.signed_varint(value));
    }

    /// The bits of an integer or float of a width up to 64.
    pub fn bits(&mut self, bits: u64, width: usize) {
        if width <= 8 { self.byte(bits as u8) } else { self.signed_varint(bits as i64) }
    }

    /// A section with its header; none needs alignment.
    pub fn section(&mut self, id: u8, contents: &[u8]) {
        self.byte(id);
        self.varint(contents.len() as u64);
        self.raw(contents);
    }
}

#[cfg(test)]
mod tests {
    use super::Encoder;
    use crate::bytecode::cursor::Cursor;

    #[test]
    fn numbers_read_back() {
        let near_powers = (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) - 1, (1 << bit) + 1]);
        for value in near_powers.chain([u64::MAX, 0]) {
            let mut encoder = Encoder::default();
            encoder.varint(value);
            let length = encoder.bytes.len();
            encoder.signed_varint(value as i64);
            encoder.byte(0xaa);
            let mut cursor = Cursor::new(&encoder.bytes);
            assert_eq!(cursor.varint().expect("written above"), value);
            assert_eq!(cursor.position, length);
            assert_eq!(cursor.signed_varint().expect("written above"), value as i64);
            assert_eq!(cursor.remaining(), 1);
        }
    }
}
