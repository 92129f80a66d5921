//! Scalar instructions on bits, with the semantics of rjax_ir.

use rjax_ir::op::ScalarSemantics;
use rjax_ir::{Binary, Compare, DType, Element, Unary, math, with_element};

use crate::kir::ComplexOp;

fn get<T: Element>(bits: u64) -> T {
    T::from_bits([bits, 0])
}

fn put<T: Element>(value: T) -> u64 {
    value.to_bits()[0]
}

pub(super) fn unary(op: Unary, dtype: DType, x: u64) -> u64 {
    if op == Unary::IsFinite {
        return with_element!(dtype, T => get::<T>(x).to_c128().re.is_finite()) as u64;
    }
    with_element!(dtype, T => put(op.eval::<T>([get(x)])))
}

pub(super) fn binary(op: Binary, dtype: DType, x: u64, y: u64) -> u64 {
    with_element!(dtype, T => put(op.eval::<T>([get(x), get(y)])))
}

/// `x * y + z`, rounded once.
pub(super) fn fma(dtype: DType, [x, y, z]: [u64; 3]) -> u64 {
    if dtype == DType::F64 {
        return put(get::<f64>(x).mul_add(get(y), get(z)));
    }
    assert_eq!(dtype, DType::F32, "fma of {dtype}");
    put(get::<f32>(x).mul_add(get(y), get(z)))
}

/// In two factors, of which the first product is exact.
pub(super) fn scale(dtype: DType, x: u64, n: u64) -> u64 {
    if dtype == DType::F64 {
        let (n, half) = (get::<f64>(n), (get::<f64>(n) / 2.0).floor());
        return put(get::<f64>(x) * half.exp2() * (n - half).exp2());
    }
    assert_eq!(dtype, DType::F32, "scale of {dtype}");
    let (n, half) = (get::<f32>(n), (get::<f32>(n) / 2.0).floor());
    put(get::<f32>(x) * half.exp2() * (n - half).exp2())
}

pub(super) fn compare(op: Compare, dtype: DType, x: u64, y: u64) -> u64 {
    with_element!(dtype, T => math::compare::<T>(op, get(x), get(y))) as u64
}

pub(super) fn convert(from: DType, to: DType, x: u64) -> u64 {
    with_element!(from, S => with_element!(to, D => put(math::convert::<S, D>(get(x)))))
}

pub(super) fn reduce_precision(dtype: DType, x: u64, exponent_bits: u32, mantissa_bits: u32) -> u64 {
    with_element!(dtype, T => put(ScalarSemantics::reduce_precision(get::<T>(x), exponent_bits, mantissa_bits)))
}

pub(super) fn regularized_incomplete_beta(dtype: DType, [a, b, x]: [u64; 3]) -> u64 {
    with_element!(dtype, T => put(ScalarSemantics::regularized_incomplete_beta(get::<T>(a), get(b), get(x))))
}

/// Real and imaginary part of the result; the latter is 0 for real results.
pub(super) fn complex(op: ComplexOp, dtype: DType, operands: &[[u64; 2]]) -> [u64; 2] {
    with_element!(dtype, T => {
        let operand = |i: usize| <T as Element>::from_bits(operands[i]);
        let result = match op {
            ComplexOp::Unary(op) => op.eval::<T>([operand(0)]),
            ComplexOp::Binary(op) => op.eval::<T>([operand(0), operand(1)]),
        };
        Element::to_bits(result)
    })
}
