//! Memory for constants, and for the arguments of calls on host values.

use rjax_ir::{Aval, DType};
use rjax_runtime::Buffer;

/// A block of memory at the alignment that KIR asks for, from the runtime's pool.
pub(crate) struct Block(Buffer);

impl Block {
    pub(crate) fn of(bytes: &[u8]) -> Block {
        let mut buffer = Buffer::new(Aval::new(DType::U8, [bytes.len()]));
        buffer.as_bytes_mut().copy_from_slice(bytes);
        Block(buffer)
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.0.as_bytes().as_ptr()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }
}
