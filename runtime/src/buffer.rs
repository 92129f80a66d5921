//! Arrays in host memory.

#![allow(unsafe_code)]

use bytemuck::Pod;
use rjax_ir::{Aval, Element, Shape, Tensor};

use crate::pool::{ALIGN, Block};

/// A dense row-major array in host memory, aligned to 64 bytes. Its memory returns to the pool on drop.
pub struct Buffer {
    aval: Aval,
    block: Block,
}

impl Buffer {
    /// Every buffer starts at a multiple of this many bytes.
    pub const ALIGN: usize = ALIGN;

    /// A buffer whose contents are unspecified (but initialised): for results about to be written.
    pub fn new(aval: Aval) -> Buffer {
        let block = Block::new(aval.bytes());
        Buffer { aval, block }
    }

    /// Zeros, or `false`.
    pub fn zeros(aval: Aval) -> Buffer {
        let mut buffer = Buffer::new(aval);
        buffer.as_bytes_mut().fill(0);
        buffer
    }

    /// A buffer from its elements. Panics unless there is one value for each element of the shape.
    pub fn from_slice<T: Element + Pod>(shape: impl Into<Shape>, values: &[T]) -> Buffer {
        let mut buffer = Buffer::new(Aval::new(T::DTYPE, shape));
        assert_eq!(values.len(), buffer.aval.size(), "a buffer of shape {} needs as many values", buffer.aval.shape);
        buffer.as_bytes_mut().copy_from_slice(bytemuck::cast_slice(values));
        buffer
    }

    /// A copy of a host value.
    pub fn from_tensor(tensor: &Tensor) -> Buffer {
        let mut buffer = Buffer::new(tensor.aval());
        buffer.as_bytes_mut().copy_from_slice(&tensor.to_bytes());
        buffer
    }

    /// A copy as a host value.
    pub fn to_tensor(&self) -> Tensor {
        Tensor::from_bytes(&self.aval, self.as_bytes())
    }

    /// Element type and shape.
    pub fn aval(&self) -> &Aval {
        &self.aval
    }

    /// The same memory under another shape of the same size. Panics if the sizes differ.
    pub fn reshape(mut self, shape: impl Into<Shape>) -> Buffer {
        let shape = shape.into();
        assert_eq!(shape.size(), self.aval.size(), "reshape keeps the number of elements");
        self.aval.shape = shape;
        self
    }

    /// The elements as bytes in native order; a `bool` is one byte, a complex number its real, then its imaginary part.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block has at least this many initialised bytes, and `self` borrows it.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.aval.bytes()) }
    }

    /// The elements as writable bytes. A `bool` must stay 0 or 1.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block has at least this many initialised bytes, and `self` borrows it exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr(), self.aval.bytes()) }
    }

    /// The elements. Panics if the dtype is not `T`'s.
    pub fn as_slice<T: Element + Pod>(&self) -> &[T] {
        assert_eq!(self.aval.dtype, T::DTYPE, "the buffer holds another dtype");
        bytemuck::cast_slice(self.as_bytes())
    }

    /// The elements, writable. Panics if the dtype is not `T`'s.
    pub fn as_slice_mut<T: Element + Pod>(&mut self) -> &mut [T] {
        assert_eq!(self.aval.dtype, T::DTYPE, "the buffer holds another dtype");
        bytemuck::cast_slice_mut(self.as_bytes_mut())
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::new(self.aval.clone());
        copy.as_bytes_mut().copy_from_slice(self.as_bytes());
        copy
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({})", self.aval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rjax_ir::{DType, Scalar};

    #[test]
    fn tensors_of_every_dtype_come_back() {
        for dtype in DType::ALL {
            for shape in [Shape::scalar(), Shape::from([0, 3]), Shape::from([2, 3])] {
                let tensor = Tensor::full(shape, Scalar::one(dtype));
                let buffer = Buffer::from_tensor(&tensor);
                assert_eq!(buffer.as_bytes().as_ptr() as usize % Buffer::ALIGN, 0);
                assert!(buffer.clone().to_tensor().bits_equal(&tensor), "{}", tensor.aval());
                assert!(Buffer::zeros(tensor.aval()).to_tensor().bits_equal(&Tensor::zeros(&tensor.aval())));
            }
        }
    }

    #[test]
    fn buffers_cross_threads() {
        let mut buffer = Buffer::from_slice([3], &[1i32, 2, 3]);
        std::thread::scope(|scope| scope.spawn(|| buffer.as_slice_mut::<i32>()[1] = 9).join().expect("no panic"));
        assert_eq!(buffer.as_slice::<i32>(), [1, 9, 3]);
        assert_eq!(std::thread::spawn(move || buffer.reshape([3, 1]).aval().rank()).join().expect("no panic"), 2);
    }
}
