//! Exponentially scaled Bessel functions by the interpreter's Chebyshev series.

use rjax_ir::{Atom, Compare, Unary, math};

use super::Math;

/// The sum of `coefficients[k] T_k(t)`, the first term halved, by Clenshaw's recurrence.
fn chebyshev(m: &mut Math, t: Atom, coefficients: &[f64]) -> Atom {
    let twice = m.muln(t, 2.0);
    let (mut b0, mut b1) = (m.num(0.0), m.num(0.0));
    for &c in coefficients[1..].iter().rev() {
        let product = m.mul(twice, b0);
        let difference = m.sub(product, b1);
        (b0, b1) = (m.addn(difference, c), b0);
    }
    let product = m.mul(t, b0);
    let difference = m.sub(product, b1);
    m.addn(difference, coefficients[0] / 2.0)
}

/// The series near zero, and the one for the rest divided by the root of the magnitude.
fn series(m: &mut Math, a: Atom, small: &[f64], large: &[f64]) -> (Atom, Atom) {
    let quarter = m.muln(a, 0.25);
    let t = m.addn(quarter, -1.0);
    let near = chebyshev(m, t, small);
    let inverse = m.rdiv(16.0, a);
    let t = m.addn(inverse, -1.0);
    let far = chebyshev(m, t, large);
    let root = m.un(Unary::Sqrt, a);
    (near, m.div(far, root))
}

pub(super) fn bessel_i0e(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let [small, large] = math::bessel_i0e_coefficients();
    let (near, far) = series(m, a, small, large);
    let is_near = m.cmpn(Compare::Le, a, 8.0);
    m.sel(is_near, near, far)
}

pub(super) fn bessel_i1e(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let [small, large] = math::bessel_i1e_coefficients();
    let (near, far) = series(m, a, small, large);
    let near = m.mul(x, near);
    let far = m.copysign(far, x);
    let is_near = m.cmpn(Compare::Le, a, 8.0);
    m.sel(is_near, near, far)
}
