//! Walking over arrays by strides: what most data movement comes down to.

use crate::{Data, Shape, Tensor};

/// Positions in a flat array, visited in row-major order of a shape: `offset + Σ index[axis] * strides[axis]`.
pub(crate) struct Positions {
    extents: Vec<usize>,
    strides: Vec<isize>,
    index: Vec<usize>,
    position: isize,
    left: usize,
}

impl Positions {
    /// The positions of a box of these extents. Strides may be 0 (repetition) or negative (reversal).
    pub(crate) fn new(extents: &[usize], offset: isize, strides: Vec<isize>) -> Positions {
        let left = extents.iter().product();
        Positions { extents: extents.to_vec(), strides, index: vec![0; extents.len()], position: offset, left }
    }

    /// The positions of the box of `extents` that begins at `starts` in an array of `shape`, `steps` apart.
    pub(crate) fn of_box(shape: &Shape, starts: &[usize], extents: &[usize], steps: &[usize]) -> Positions {
        let strides = shape.strides();
        let offset: usize = starts.iter().zip(&strides).map(|(start, stride)| start * stride).sum();
        let strides = strides.iter().zip(steps).map(|(stride, step)| stride.saturating_mul(*step) as isize).collect();
        Positions::new(extents, offset as isize, strides)
    }
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let current = self.position as usize;
        for axis in (0..self.extents.len()).rev() {
            self.index[axis] += 1;
            if self.index[axis] < self.extents[axis] {
                self.position = self.position.wrapping_add(self.strides[axis]);
                break;
            }
            self.position = self.position.wrapping_sub(self.strides[axis].wrapping_mul(self.index[axis] as isize - 1));
            self.index[axis] = 0;
        }
        Some(current)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The tensor of `shape` whose elements stand at `positions` of `x`.
pub(crate) fn pick(x: &Tensor, shape: &Shape, positions: impl Iterator<Item = usize>) -> Tensor {
    with_element!(x.dtype(), T => {
        let source = x.as_slice::<T>();
        Tensor::from_vec(shape.clone(), positions.map(|position| source[position]).collect::<Vec<T>>()).stored_as(x.dtype())
    })
}

/// Copies `source` at its positions to `target` at its positions.
pub(crate) fn copy<T: Copy>(target: &mut [T], to: Positions, source: &[T], from: Positions) {
    for (to, from) in to.zip(from) {
        target[to] = source[from];
    }
}

/// The elements of an integer tensor; `u64` beyond the range of `i64` becomes the greatest `i64`.
pub(crate) fn index_values(indices: &Tensor) -> Vec<i64> {
    match indices.data() {
        Data::I8(v) => v.iter().map(|&i| i as i64).collect(),
        Data::I16(v) => v.iter().map(|&i| i as i64).collect(),
        Data::I32(v) => v.iter().map(|&i| i as i64).collect(),
        Data::I64(v) => v.clone(),
        Data::U8(v) => v.iter().map(|&i| i as i64).collect(),
        Data::U16(v) => v.iter().map(|&i| i as i64).collect(),
        Data::U32(v) => v.iter().map(|&i| i as i64).collect(),
        Data::U64(v) => v.iter().map(|&i| i64::try_from(i).unwrap_or(i64::MAX)).collect(),
        Data::Bool(_) | Data::F16(_) | Data::BF16(_) | Data::F32(_) | Data::F64(_) | Data::C64(_) | Data::C128(_) => {
            unreachable!("verified: indices are integers")
        }
    }
}

/// The start nearest to `start` at which a window of `size` elements fits into `extent`; none if it fits nowhere.
pub(crate) fn clamp_start(start: i64, extent: usize, size: usize) -> Option<usize> {
    let last = extent.checked_sub(size)?;
    Some(usize::try_from(start).unwrap_or(0).min(last))
}
