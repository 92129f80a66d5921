//! Integers: divisors, bits.

use rjax_ir::{DType, ErrorKind};

use crate::array::{Array, Operand, promote_all};
use crate::error::{check, fail_with};
use crate::lax;

#[track_caller]
fn pair(function: &str, x: impl Operand, y: impl Operand) -> (Array, Array) {
    let mut operands = promote_all(function, &[&x.into_array(), &y.into_array()]);
    if !operands[0].dtype().is_integer() {
        fail_with(ErrorKind::DType, format!("{function}: found {}, expected integers", operands[0].aval()))
    }
    let y = super::abs(operands.remove(1));
    (super::abs(operands.remove(0)), y)
}

/// The greatest common divisor, elementwise, by Euclid's algorithm. JAX: `numpy.gcd`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::gcd(jnp::array([12, -18, 0]), 8).to_vec::<i32>(), [4, 2, 8]);
/// ```
#[track_caller]
pub fn gcd(x: impl Operand, y: impl Operand) -> Array {
    let operands = pair("gcd", x, y);
    lax::while_loop(
        |(_, y): &(Array, Array)| y.ne(0).any(..),
        |(x, y): &(Array, Array)| {
            let done = y.eq(0);
            let rest = lax::rem(x, lax::select(&done, lax::full_like(y, 1), y));
            (lax::select(&done, x, y), lax::select(&done, y, rest))
        },
        operands,
    )
    .0
}

/// The least common multiple, elementwise; 0 if an operand is. JAX: `numpy.lcm`.
#[track_caller]
pub fn lcm(x: impl Operand, y: impl Operand) -> Array {
    let (x, y) = pair("lcm", x, y);
    let divisor = gcd(&x, &y);
    let none = divisor.eq(0);
    let safe = lax::select(&none, lax::full_like(&x, 1), &divisor);
    lax::select(none, lax::full_like(&x, 0), lax::mul(&x, lax::div(&y, safe)))
}

/// The number of one bits of the absolute value, as `u8`. JAX: `numpy.bitwise_count`.
#[track_caller]
pub fn bitwise_count(x: impl Operand) -> Array {
    lax::population_count(super::abs(x)).astype(DType::U8)
}

/// The complement of all bits. JAX: `numpy.invert`.
#[track_caller]
pub fn invert(x: impl Operand) -> Array {
    super::bitwise_not(x)
}

/// The complement of all bits. JAX: `numpy.bitwise_invert`.
#[track_caller]
pub fn bitwise_invert(x: impl Operand) -> Array {
    super::bitwise_not(x)
}

/// Bits shifted left. JAX: `numpy.bitwise_left_shift`.
#[track_caller]
pub fn bitwise_left_shift(x: impl Operand, y: impl Operand) -> Array {
    super::left_shift(x, y)
}

/// Bits shifted right, filling with the sign of signed integers. JAX: `numpy.bitwise_right_shift`.
#[track_caller]
pub fn bitwise_right_shift(x: impl Operand, y: impl Operand) -> Array {
    super::right_shift(x, y)
}

/// Which bit of a byte comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BitOrder {
    /// The one that counts 128.
    #[default]
    Big,
    /// The one that counts 1.
    Little,
}

impl BitOrder {
    /// How far each bit, first to last, is shifted.
    fn shifts(self) -> Array {
        match self {
            BitOrder::Big => Array::from_slice(&[7u8, 6, 5, 4, 3, 2, 1, 0]),
            BitOrder::Little => Array::from_slice(&[0u8, 1, 2, 3, 4, 5, 6, 7]),
        }
    }
}

/// Truth values along an axis as the bits of bytes, the last one filled up with zeros. JAX: `numpy.packbits`.
#[track_caller]
pub fn packbits(x: &Array, axis: isize, order: BitOrder) -> Array {
    let axis = check(lax::resolve_axis("packbits", axis, x.ndim()));
    let bits = super::moveaxis(&super::logic::truth(x.clone()).astype(DType::U8), axis as isize, -1);
    let rank = bits.ndim();
    let n = bits.shape()[rank - 1];
    let mut widths = vec![(0, 0); rank];
    widths[rank - 1] = (0, n.next_multiple_of(8) - n);
    let padded = super::pad(&bits, &widths, 0);
    let bytes = padded.shape().with_extent(rank - 1, n.div_ceil(8)).with_axis(rank, 8);
    let shifted = lax::reshape(&padded, bytes.clone());
    let shifted = lax::shift_left(shifted, order.shifts().broadcasted(&bytes));
    super::moveaxis(&lax::reduce_or(&shifted, &[rank]), -1, axis as isize)
}

/// The bits of bytes along an axis, as `u8` zeros and ones. JAX: `numpy.unpackbits`.
#[track_caller]
pub fn unpackbits(x: &Array, axis: isize, order: BitOrder) -> Array {
    if x.dtype() != DType::U8 {
        fail_with(ErrorKind::DType, format!("unpackbits: found {}, expected u8", x.aval()))
    }
    let axis = check(lax::resolve_axis("unpackbits", axis, x.ndim()));
    let bytes = super::moveaxis(x, axis as isize, -1);
    let rank = bytes.ndim();
    let n = bytes.shape()[rank - 1];
    let wide = bytes.shape().with_axis(rank, 8);
    let spread = lax::broadcast_in_dim(&bytes, wide.clone(), &(0..rank).collect::<Vec<_>>());
    let bits = lax::bitwise_and(
        lax::shift_right_logical(spread, order.shifts().broadcasted(&wide)),
        lax::full(wide, 1, DType::U8),
    );
    super::moveaxis(&lax::reshape(&bits, bytes.shape().with_extent(rank - 1, 8 * n)), -1, axis as isize)
}
