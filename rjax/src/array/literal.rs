//! Rust numbers as operands: weakly typed, on either side of an operator.

use rjax_ir::{Complex64, Complex128, DType, Error, ErrorKind, Result, Scalar, bf16, f16};

use super::promote::Kind;
use crate::Array;

/// A Rust number with its full precision, until it meets a dtype.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Literal {
    /// `true` or `false`: the one literal that is not weak.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A complex number.
    Complex(Complex128),
}

impl Literal {
    /// The dtype it has where it meets no other: `bool`, `i32`, `f32` or `c64`.
    pub fn dtype(self) -> DType {
        self.kind().default_dtype()
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Literal::Bool(_) => Kind::Bool,
            Literal::Int(_) => Kind::Int,
            Literal::Float(_) => Kind::Float,
            Literal::Complex(_) => Kind::Complex,
        }
    }

    pub(crate) fn is_weak(self) -> bool {
        !matches!(self, Literal::Bool(_))
    }

    /// The value at its default dtype.
    pub(crate) fn scalar(self) -> Scalar {
        self.nearest(self.dtype())
    }

    /// The value of a dtype, or an error where an integer does not fit.
    pub(crate) fn to_dtype(self, dtype: DType) -> Result<Scalar> {
        if let Literal::Int(value) = self
            && dtype.is_integer()
        {
            let bits = dtype.bits() as u32;
            let fits = if dtype.is_unsigned_integer() {
                value >= 0 && (bits == 64 || value < 1 << bits)
            } else {
                bits == 64 || (-(1i64 << (bits - 1))..1 << (bits - 1)).contains(&value)
            };
            if !fits {
                return Err(Error::new(ErrorKind::DType, format!("the number {value} does not fit into {dtype}")));
            }
        }
        Ok(self.nearest(dtype))
    }

    fn nearest(self, dtype: DType) -> Scalar {
        match self {
            Literal::Bool(value) => Scalar::from_i64(dtype, value as i64),
            Literal::Int(value) => Scalar::from_i64(dtype, value),
            Literal::Float(value) => Scalar::from_f64(dtype, value),
            Literal::Complex(value) => rjax_ir::with_element!(dtype, T => {
                Scalar::new(<T as rjax_ir::Element>::from_c128(value))
            }),
        }
    }
}

/// What an operator or function takes beside an array: an array by value or by reference, or a Rust number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be combined with an array",
    label = "neither an array nor a number",
    note = "operands are `Array`, `&Array`, `f32`, `f64`, integers, `bool` and complex numbers"
)]
pub trait Operand {
    /// The operand as an array.
    fn into_array(self) -> Array;
}

impl Operand for Array {
    fn into_array(self) -> Array {
        self
    }
}

impl Operand for &Array {
    fn into_array(self) -> Array {
        self.clone()
    }
}

impl Operand for &&Array {
    fn into_array(self) -> Array {
        (*self).clone()
    }
}

macro_rules! literals {
    ($($type:ty, $value:ident => $literal:expr;)*) => {$(
        impl Operand for $type {
            fn into_array(self) -> Array {
                Array::from(self)
            }
        }

        impl From<$type> for Array {
            fn from($value: $type) -> Array {
                Array::literal($literal)
            }
        }
    )*};
}

literals! {
    bool, x => Literal::Bool(x);
    i8, x => Literal::Int(x.into());
    i16, x => Literal::Int(x.into());
    i32, x => Literal::Int(x.into());
    i64, x => Literal::Int(x);
    u8, x => Literal::Int(x.into());
    u16, x => Literal::Int(x.into());
    u32, x => Literal::Int(x.into());
    isize, x => Literal::Int(x as i64);
    usize, x => Literal::Int(x as i64);
    f16, x => Literal::Float(x.into());
    bf16, x => Literal::Float(x.into());
    f32, x => Literal::Float(x.into());
    f64, x => Literal::Float(x);
    Complex64, x => Literal::Complex(Complex128::new(x.re.into(), x.im.into()));
    Complex128, x => Literal::Complex(x);
}

impl From<&Array> for Array {
    fn from(array: &Array) -> Array {
        array.clone()
    }
}
