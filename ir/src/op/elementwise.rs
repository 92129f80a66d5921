//! What the elementwise tables ask of an element type; the implementations are in [`crate::math`].

use std::cmp::Ordering;

use crate::math::Wide;

macro_rules! scalar_semantics {
    (unary: $($unary:ident)*; binary: $($binary:ident)*;) => {
        /// Scalar semantics of the elementwise tables.
        ///
        /// Each element type implements the methods of the rows that accept it. The others are never called, because the
        /// verifier rejects such programs, so their default is a panic that names op and dtype.
        pub trait ScalarSemantics: crate::Element {
            $(
                #[doc = concat!("The row that calls `", stringify!($unary), "` says what it computes.")]
                fn $unary(self) -> Self {
                    undefined::<Self>(stringify!($unary))
                }
            )*
            $(
                #[doc = concat!("The row that calls `", stringify!($binary), "` says what it computes.")]
                fn $binary(self, _y: Self) -> Self {
                    undefined::<Self>(stringify!($binary))
                }
            )*

            /// For ops whose result has another type, which the caller treats by itself.
            fn not_same_type(self, op: &str) -> Self {
                unreachable!("{op} does not return its operand's type")
            }

            /// Whether neither NaN nor infinite.
            fn is_finite(self) -> bool {
                undefined::<bool>("is_finite")
            }

            /// Rounds to a float format with fewer exponent and mantissa bits: see [`crate::math::reduce_precision`].
            fn reduce_precision(self, _exponent_bits: u32, _mantissa_bits: u32) -> Self {
                undefined::<Self>("reduce_precision")
            }

            /// The regularised incomplete beta function I_x(self, b).
            fn regularized_incomplete_beta(self, _b: Self, _x: Self) -> Self {
                undefined::<Self>("regularized_incomplete_beta")
            }

            /// The value without loss.
            fn widen(self) -> Wide;

            /// The value of this type that [`Op::Convert`](crate::Op::Convert) gives for a wide one.
            fn narrow(value: Wide) -> Self;

            /// The order behind `lt` and friends: `None` where a NaN is involved. Complex numbers are ordered by their real
            /// parts, then by their imaginary parts.
            fn partial_order(self, y: Self) -> Option<Ordering>;

            /// The total order of IEEE 754: -NaN < -inf < -0 < 0 < inf < NaN; complex numbers by real, then imaginary part.
            fn total_order(self, y: Self) -> Ordering;

            /// The order in which `sort` arranges values: NaN of either sign last and equal to each other, -0 equal to 0.
            fn sort_order(self, y: Self) -> Ordering {
                self.total_order(y)
            }
        }
    };
}

scalar_semantics! {
    unary:
        abs acos acosh asin asinh atan atanh bessel_i0e bessel_i1e cbrt ceil clz conj cos cosh digamma erf erf_inv erfc
        exp exp2 expm1 floor lgamma log log1p logistic neg not population_count round_half_away round_half_even rsqrt
        sign sin sinh sqrt tan tanh;
    binary:
        add and atan2 div igamma igamma_grad_a igammac max min mul nextafter or polygamma pow rem shift_left
        shift_right_arithmetic shift_right_logical sub xor zeta;
}

#[cold]
fn undefined<T: crate::Element>(op: &str) -> T {
    unreachable!("verified: {op} does not accept {}", T::DTYPE)
}
