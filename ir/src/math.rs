//! Scalar mathematics: the one definition of what an element of each dtype becomes under each elementwise op.
//!
//! The interpreter, constant folding and the code generators' slow paths all come here, so that they agree to the bit.
//! Nothing depends on the platform's C library: the same input gives the same bits everywhere. Subnormal numbers are kept.
//!
//! Accuracy, in units in the last place (ulp) of the result's type: `+ - * / rem sqrt`, rounding, conversion and comparison
//! are exact or correctly rounded. The functions of f64 keep 1 ulp where they are elementary, and about 10 ulp (away from their
//! zeros) where they are special; each file says more. Those of f32, f16 and bf16 are the f64 function rounded once, hence
//! correct to 0.501 ulp, save for `erf_inv`, whose f32 form follows XLA's polynomial. c64 is likewise c128 rounded
//! once, except that `+ - *` work in f32 as compiled code does.
//!
//! ```
//! use rjax_ir::{Binary, DType, Unary, math};
//! assert_eq!(Unary::Abs.eval([-128i8]), -128);
//! assert_eq!(Binary::Div.eval([7i32, 0]), -1);
//! assert_eq!(math::convert::<f32, u8>(300.0), 255);
//! assert_eq!(math::threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
//! ```

mod bessel;
mod beta;
mod complex;
mod convert;
mod error_function;
mod format;
mod gamma;
mod incomplete_gamma;
mod integer;
pub mod linalg;
mod narrow;
mod order;
mod power;
mod real;
mod threefry;
mod unstable_sort;

pub use bessel::{bessel_i0e_coefficients, bessel_i1e_coefficients};
pub(crate) use complex::{modulus, modulus_c64};
pub use convert::{Wide, bitcast, convert};
pub use error_function::{erf_inv_f32_coefficients, erf_inv_f64_coefficients};
pub use format::{Float, Format, nextafter, reduce_precision};
pub use narrow::{decode, encode};
pub use order::{compare, sort_compare, total_compare};
pub use power::integer_pow;
pub use threefry::threefry2x32;
pub use unstable_sort::unstable_sort;
