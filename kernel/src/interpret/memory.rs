//! The memory of the interpreter: bytes of inputs, outputs, constants and the arena.

use rjax_ir::{Aval, DType, Tensor};

use super::Span;
use crate::kir::{Buffer, Module, Space};

/// What memory holds before it is written.
const GARBAGE: u8 = 0xA5;

pub(super) struct Memory {
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    consts: Vec<Vec<u8>>,
    arena: Vec<u8>,
    local: Vec<u8>,
}

impl Memory {
    pub fn new(module: &Module, inputs: &[Tensor]) -> Memory {
        let ends = module.buffers.iter().filter_map(|buffer| match buffer.space {
            Space::Local(start) => Some(start + buffer.len * buffer.dtype.size()),
            Space::Input(_) | Space::Output(_) | Space::Const(_) | Space::Arena(_) => None,
        });
        Memory {
            local: vec![GARBAGE; ends.max().unwrap_or(0)],
            inputs: inputs.iter().map(Tensor::to_bytes).collect(),
            outputs: module.outputs.iter().map(|aval| vec![GARBAGE; aval.bytes()]).collect(),
            consts: module.consts.iter().map(Tensor::to_bytes).collect(),
            arena: vec![GARBAGE; module.arena_bytes],
        }
    }

    fn bytes(&self, space: Space) -> &[u8] {
        match space {
            Space::Input(i) => &self.inputs[i as usize],
            Space::Output(i) => &self.outputs[i as usize],
            Space::Const(i) => &self.consts[i as usize],
            Space::Arena(_) => &self.arena,
            Space::Local(_) => &self.local,
        }
    }

    /// Forgets what a block of rows left behind.
    pub fn clear_local(&mut self) {
        self.local.fill(GARBAGE);
    }

    fn at(span: Span, index: isize, size: usize) -> std::ops::Range<usize> {
        let offset = index * size as isize;
        let inside = -(span.before as isize) <= offset && offset + size as isize <= span.bytes as isize;
        assert!(inside, "element {index} of {size} bytes is outside of {} and {} bytes", span.before, span.bytes);
        let start = span.start.checked_add_signed(offset).expect("inside");
        start..start + size
    }

    /// The bits of an element.
    pub fn read(&self, span: Span, index: usize, dtype: DType) -> u64 {
        self.read_signed(span, index as isize, dtype)
    }

    /// The bits of an element that may lie before the view's begin.
    pub fn read_signed(&self, span: Span, index: isize, dtype: DType) -> u64 {
        let bytes = &self.bytes(span.space)[Memory::at(span, index, dtype.size())];
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(word);
        assert!(dtype != DType::Bool || bits <= 1, "a bool holds {bits}");
        bits
    }

    pub fn write(&mut self, span: Span, index: usize, dtype: DType, bits: u64) {
        let range = Memory::at(span, index as isize, dtype.size());
        let bytes = match span.space {
            Space::Input(i) => &mut self.inputs[i as usize],
            Space::Output(i) => &mut self.outputs[i as usize],
            Space::Const(_) => panic!("a constant is written"),
            Space::Arena(_) => &mut self.arena,
            Space::Local(_) => &mut self.local,
        };
        bytes[range].copy_from_slice(&bits.to_le_bytes()[..dtype.size()]);
    }

    pub fn tensor(&self, buffer: &Buffer, aval: &Aval) -> Tensor {
        let (space, start) = match buffer.space {
            Space::Arena(start) => (Space::Arena(0), start),
            Space::Local(start) => (Space::Local(0), start),
            space @ (Space::Input(_) | Space::Output(_) | Space::Const(_)) => (space, 0),
        };
        self.tensor_at(Span { space, start, bytes: buffer.len * buffer.dtype.size(), before: 0 }, aval)
    }

    pub fn tensor_at(&self, span: Span, aval: &Aval) -> Tensor {
        assert!(aval.bytes() <= span.bytes, "{aval} does not fit into {} bytes", span.bytes);
        Tensor::from_bytes(aval, &self.bytes(span.space)[span.start..span.start + aval.bytes()])
    }
}
