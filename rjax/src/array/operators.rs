//! Operators on arrays, for every mix of values, references and Rust numbers.
//!
//! On the right of an operator stands any [`Operand`]. On the left a number is `f64`, `i32`, `bool` or complex: with more
//! types there, `(1.0 - x).log()` would not tell the compiler what `1.0` is.

use std::cmp::Ordering;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Shl, Shr, Sub};

use rjax_ir::{Binary, Complex64, Complex128, ErrorKind, Op, Scalar, Unary};

use super::promote::{promote_all, promote_inexact};
use super::{Array, Operand};
use crate::error::{check, fail_with};
use crate::trace::emit1;

#[track_caller]
pub(crate) fn binary(op: Binary, x: &Array, y: &Array) -> Array {
    let operands = promote_all(op.name(), &[x, y]);
    emit1(Op::Binary(op), &[&operands[0], &operands[1]])
}

/// True division: the quotient of integers is a float.
#[track_caller]
pub(crate) fn divide(x: &Array, y: &Array) -> Array {
    let operands = promote_inexact("div", &[x, y]);
    emit1(Op::Binary(Binary::Div), &[&operands[0], &operands[1]])
}

#[track_caller]
fn add(x: &Array, y: &Array) -> Array {
    binary(Binary::Add, x, y)
}

#[track_caller]
fn sub(x: &Array, y: &Array) -> Array {
    binary(Binary::Sub, x, y)
}

#[track_caller]
fn mul(x: &Array, y: &Array) -> Array {
    binary(Binary::Mul, x, y)
}

#[track_caller]
fn rem(x: &Array, y: &Array) -> Array {
    crate::numpy::remainder(x, y)
}

#[track_caller]
fn bitand(x: &Array, y: &Array) -> Array {
    binary(Binary::And, x, y)
}

#[track_caller]
fn bitor(x: &Array, y: &Array) -> Array {
    binary(Binary::Or, x, y)
}

#[track_caller]
fn bitxor(x: &Array, y: &Array) -> Array {
    binary(Binary::Xor, x, y)
}

#[track_caller]
fn shl(x: &Array, y: &Array) -> Array {
    binary(Binary::ShiftLeft, x, y)
}

#[track_caller]
fn shr(x: &Array, y: &Array) -> Array {
    let arithmetic = !promote_all("shr", &[x, y])[0].dtype().is_unsigned_integer();
    binary(if arithmetic { Binary::ShiftRightArithmetic } else { Binary::ShiftRightLogical }, x, y)
}

macro_rules! operators {
    ($($Trait:ident $method:ident $function:path;)*) => {$(
        impl<R: Operand> $Trait<R> for Array {
            type Output = Array;
            #[track_caller]
            fn $method(self, right: R) -> Array {
                $function(&self, &right.into_array())
            }
        }

        impl<R: Operand> $Trait<R> for &Array {
            type Output = Array;
            #[track_caller]
            fn $method(self, right: R) -> Array {
                $function(self, &right.into_array())
            }
        }

        operators!(@left $Trait $method $function; f64 i32 bool Complex64 Complex128);
    )*};
    (@left $Trait:ident $method:ident $function:path; $($number:ty)*) => {$(
        impl $Trait<Array> for $number {
            type Output = Array;
            #[track_caller]
            fn $method(self, right: Array) -> Array {
                $function(&Array::from(self), &right)
            }
        }

        impl $Trait<&Array> for $number {
            type Output = Array;
            #[track_caller]
            fn $method(self, right: &Array) -> Array {
                $function(&Array::from(self), right)
            }
        }
    )*};
}

operators! {
    Add add add;
    Sub sub sub;
    Mul mul mul;
    Div div divide;
    Rem rem rem;
    BitAnd bitand bitand;
    BitOr bitor bitor;
    BitXor bitxor bitxor;
    Shl shl shl;
    Shr shr shr;
}

impl Neg for &Array {
    type Output = Array;
    #[track_caller]
    fn neg(self) -> Array {
        emit1(Op::Unary(Unary::Neg), &[self])
    }
}

impl Neg for Array {
    type Output = Array;
    #[track_caller]
    fn neg(self) -> Array {
        -&self
    }
}

impl Not for &Array {
    type Output = Array;
    #[track_caller]
    fn not(self) -> Array {
        emit1(Op::Unary(Unary::Not), &[self])
    }
}

impl Not for Array {
    type Output = Array;
    #[track_caller]
    fn not(self) -> Array {
        !&self
    }
}

impl std::iter::Sum for Array {
    fn sum<I: Iterator<Item = Array>>(terms: I) -> Array {
        terms.reduce(|x, y| x + y).unwrap_or_else(|| Array::from(0.0))
    }
}

impl<'a> std::iter::Sum<&'a Array> for Array {
    fn sum<I: Iterator<Item = &'a Array>>(terms: I) -> Array {
        terms.cloned().sum()
    }
}

// Native comparisons: `if x > 0.0` looks at the value, with the same rules as `item`.

/// How two scalars compare; `None` where one is NaN, or where complex numbers differ.
#[track_caller]
fn order(symbol: &str, x: &Array, y: &Array) -> Option<Ordering> {
    for operand in [x, y] {
        if operand.ndim() != 0 {
            fail_with(
                ErrorKind::Shape,
                format!(
                    "`{symbol}` compares scalars and found an array of type {}; for an array of truth values use the \
                     methods eq, ne, lt, le, gt, ge, and all or any to make one truth value of it",
                    operand.aval()
                ),
            )
        }
    }
    let operands = promote_all(symbol, &[x, y]);
    let x = check(operands[0].host(symbol)).get(0);
    let y = check(operands[1].host(symbol)).get(0);
    if x.dtype().is_integer() {
        Some(integer(x).cmp(&integer(y)))
    } else if x.dtype().is_complex() {
        (x.to_c128() == y.to_c128()).then_some(Ordering::Equal)
    } else {
        x.to_f64().partial_cmp(&y.to_f64())
    }
}

/// The value of an integer, exactly.
fn integer(x: Scalar) -> i128 {
    let bits = x.bits()[0];
    if x.dtype().is_signed_integer() {
        let unused = 64 - x.dtype().bits();
        (((bits << unused) as i64) >> unused).into()
    } else {
        bits.into()
    }
}

macro_rules! comparisons {
    ($($type:ty, $y:ident => $array:expr;)*) => {$(
        impl PartialEq<$type> for Array {
            #[track_caller]
            fn eq(&self, $y: &$type) -> bool {
                order("==", self, $array) == Some(Ordering::Equal)
            }
        }

        impl PartialOrd<$type> for Array {
            #[track_caller]
            fn partial_cmp(&self, $y: &$type) -> Option<Ordering> {
                order("partial_cmp", self, $array)
            }

            #[track_caller]
            fn lt(&self, $y: &$type) -> bool {
                order("<", self, $array) == Some(Ordering::Less)
            }

            #[track_caller]
            fn le(&self, $y: &$type) -> bool {
                matches!(order("<=", self, $array), Some(Ordering::Less | Ordering::Equal))
            }

            #[track_caller]
            fn gt(&self, $y: &$type) -> bool {
                order(">", self, $array) == Some(Ordering::Greater)
            }

            #[track_caller]
            fn ge(&self, $y: &$type) -> bool {
                matches!(order(">=", self, $array), Some(Ordering::Greater | Ordering::Equal))
            }
        }
    )*};
}

comparisons! {
    Array, y => y;
    f32, y => &Array::from(*y);
    f64, y => &Array::from(*y);
    i32, y => &Array::from(*y);
    i64, y => &Array::from(*y);
    bool, y => &Array::from(*y);
}

impl From<Array> for bool {
    /// The truth of a scalar, with the same rules as [`Array::item`].
    #[track_caller]
    fn from(x: Array) -> bool {
        bool::from(&x)
    }
}

impl From<&Array> for bool {
    /// The truth of a scalar, with the same rules as [`Array::item`].
    #[track_caller]
    fn from(x: &Array) -> bool {
        if x.size() != 1 {
            fail_with(
                ErrorKind::Shape,
                format!("bool: an array of type {} has no single truth value; use all or any", x.aval()),
            )
        }
        check(x.host("bool")).get(0).to_c128() != Complex128::new(0.0, 0.0)
    }
}
