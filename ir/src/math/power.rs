//! Powers with a static integer exponent.

use crate::op::ScalarSemantics;

/// `x^exponent` by repeated squaring, each product rounded in x's type; a negative exponent divides 1 by the positive
/// power. The order of the products is fixed (low bits of the exponent first), so compiled code can repeat it exactly.
pub fn integer_pow<T: ScalarSemantics>(x: T, exponent: i32) -> T {
    let one = T::narrow(crate::math::Wide::Int(1));
    let (mut bits, mut square, mut product) = (exponent.unsigned_abs(), x, None);
    while bits > 0 {
        if bits & 1 == 1 {
            product = Some(product.map_or(square, |p: T| p.mul(square)));
        }
        bits >>= 1;
        if bits > 0 {
            square = square.mul(square);
        }
    }
    let product = product.unwrap_or(one);
    if exponent < 0 { one.div(product) } else { product }
}
