//! Elementwise functions. A Rust number takes the dtype and shape of the other operands.

use rjax_ir::{Binary, Compare, DType, Op, Shape, Unary};

use crate::Array;
use crate::array::{Node, Operand, promote_all};
use crate::trace::emit1;

/// Rust numbers among the operands take the dtype and shape of the arrays; arrays stay as they are.
#[track_caller]
fn matched(name: &str, operands: &[&Array]) -> Vec<Array> {
    let is_number = |x: &Array| matches!(x.node(), Node::Literal(_) | Node::Constant { .. });
    let Some(model) = operands.iter().find(|x| !is_number(x)) else { return promote_all(name, operands) };
    let (dtype, weak, shape) = (model.dtype(), model.is_weak(), model.shape());
    let mut matched = Vec::with_capacity(operands.len());
    for x in operands {
        matched.push(if is_number(x) { x.converted(dtype, weak).broadcasted(&shape) } else { (*x).clone() });
    }
    matched
}

#[track_caller]
fn apply(op: Op, operands: &[&Array]) -> Array {
    let operands = matched(op.name(), operands);
    emit1(op, &operands.iter().collect::<Vec<_>>())
}

macro_rules! unary {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand) -> Array {
            emit1(Op::Unary(Unary::$variant), &[&x.into_array()])
        }
    )*};
}

unary! {
    neg Neg "`-x`.";
    sign Sign "-1, 0 or 1; for complex numbers `x / |x|`.";
    abs Abs "The absolute value.";
    floor Floor "The largest integer not above.";
    ceil Ceil "The smallest integer not below.";
    round Round "The nearest integer, ties away from zero.";
    round_even RoundEven "The nearest integer, ties to even.";
    is_finite IsFinite "Whether neither NaN nor infinite.";
    bitwise_not Not "The complement of all bits.";
    population_count PopulationCount "The number of one bits.";
    clz Clz "The number of leading zero bits.";
    exp Exp "The exponential.";
    exp2 Exp2 "2 to the power x.";
    expm1 Expm1 "`exp(x) - 1`, accurate near 0.";
    log Log "The natural logarithm.";
    log1p Log1p "`log(1 + x)`, accurate near 0.";
    logistic Logistic "`1 / (1 + exp(-x))`.";
    sqrt Sqrt "The square root.";
    rsqrt Rsqrt "`1 / sqrt(x)`.";
    cbrt Cbrt "The cube root.";
    sin Sin "The sine.";
    cos Cos "The cosine.";
    tan Tan "The tangent.";
    sinh Sinh "The hyperbolic sine.";
    cosh Cosh "The hyperbolic cosine.";
    tanh Tanh "The hyperbolic tangent.";
    asin Asin "The inverse sine.";
    acos Acos "The inverse cosine.";
    atan Atan "The inverse tangent.";
    asinh Asinh "The inverse hyperbolic sine.";
    acosh Acosh "The inverse hyperbolic cosine.";
    atanh Atanh "The inverse hyperbolic tangent.";
    erf Erf "The error function.";
    erfc Erfc "`1 - erf(x)`, accurate for large x.";
    erf_inv ErfInv "The inverse of the error function.";
    lgamma Lgamma "The logarithm of the absolute value of the gamma function.";
    digamma Digamma "The derivative of `lgamma`.";
    bessel_i0e BesselI0e "The exponentially scaled modified Bessel function of order 0.";
    bessel_i1e BesselI1e "The exponentially scaled modified Bessel function of order 1.";
    real Real "The real part.";
    imag Imag "The imaginary part.";
    conj Conj "The complex conjugate.";
}

macro_rules! binary {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand, y: impl Operand) -> Array {
            apply(Op::Binary(Binary::$variant), &[&x.into_array(), &y.into_array()])
        }
    )*};
}

binary! {
    add Add "`x + y`.";
    sub Sub "`x - y`.";
    mul Mul "`x * y`.";
    div Div "`x / y`; the quotient of integers is truncated.";
    rem Rem "The remainder, with the sign of x.";
    pow Pow "x to the power y.";
    atan2 Atan2 "The angle of the point (y, x).";
    max Max "The greater; NaN wins.";
    min Min "The lesser; NaN wins.";
    bitwise_and And "Bitwise and; logical for bool.";
    bitwise_or Or "Bitwise or; logical for bool.";
    bitwise_xor Xor "Bitwise exclusive or; logical for bool.";
    shift_left ShiftLeft "Bits shifted left by y places.";
    shift_right_arithmetic ShiftRightArithmetic "Bits shifted right by y places, filling with the sign.";
    shift_right_logical ShiftRightLogical "Bits shifted right by y places, filling with zeros.";
    nextafter NextAfter "The next representable value after x in the direction of y.";
    complex Complex "The complex number x + iy.";
    igamma Igamma "The regularised lower incomplete gamma function.";
    igammac Igammac "The regularised upper incomplete gamma function.";
    igamma_grad_a IgammaGradA "The derivative of `igamma` by its first argument.";
    polygamma Polygamma "The derivative of order x of `digamma` at y.";
    zeta Zeta "The Hurwitz zeta function.";
}

macro_rules! compare {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand, y: impl Operand) -> Array {
            apply(Op::Compare(Compare::$variant), &[&x.into_array(), &y.into_array()]).with_weak(false)
        }
    )*};
}

compare! {
    eq Eq "Whether equal; false for NaN.";
    ne Ne "Whether not equal; true for NaN.";
    lt Lt "Whether less.";
    le Le "Whether less or equal.";
    gt Gt "Whether greater.";
    ge Ge "Whether greater or equal.";
    eq_to EqTo "Whether equal in the total order of floats.";
    lt_to LtTo "Whether less in the total order of floats.";
    le_to LeTo "Whether less or equal in the total order of floats.";
}

/// `x * x`.
#[track_caller]
pub fn square(x: impl Operand) -> Array {
    integer_pow(x, 2)
}

/// `1 / x`.
#[track_caller]
pub fn reciprocal(x: impl Operand) -> Array {
    integer_pow(x, -1)
}

/// x to a fixed integer power.
#[track_caller]
pub fn integer_pow(x: impl Operand, exponent: i32) -> Array {
    emit1(Op::IntegerPow { exponent }, &[&x.into_array()])
}

/// The regularised incomplete beta function.
#[track_caller]
pub fn betainc(a: impl Operand, b: impl Operand, x: impl Operand) -> Array {
    apply(Op::RegularizedIncompleteBeta, &[&a.into_array(), &b.into_array(), &x.into_array()])
}

/// `min(max(x, low), high)`; the bounds are scalars or have x's shape.
#[track_caller]
pub fn clamp(low: impl Operand, x: impl Operand, high: impl Operand) -> Array {
    let x = x.into_array();
    let bound = |bound: Array| {
        if bound.ndim() == 0 && bound.is_weak() { bound.converted(x.dtype(), x.is_weak()) } else { bound }
    };
    emit1(Op::Clamp, &[&bound(low.into_array()), &x, &bound(high.into_array())])
}

/// `on_true` where the predicate holds, `on_false` elsewhere. The predicate is a scalar or has their shape. Gradients flow to
/// the values that were picked.
#[track_caller]
pub fn select(predicate: impl Operand, on_true: impl Operand, on_false: impl Operand) -> Array {
    let (on_true, on_false) = (on_true.into_array(), on_false.into_array());
    let predicate = predicate.into_array();
    let mut cases = matched("select", &[&on_false, &on_true]);
    // With numbers for both cases the predicate gives the shape.
    if cases[0].ndim() == 0 && cases[1].ndim() == 0 && predicate.ndim() > 0 {
        let shape: Shape = predicate.shape();
        cases = cases.iter().map(|case| case.broadcasted(&shape)).collect();
    }
    emit1(Op::Select, &[&predicate, &cases[0], &cases[1]]).with_weak(cases[0].is_weak() && cases[1].is_weak())
}

/// Case `which`, elementwise, of several; `which` is `bool` or `i32`.
#[track_caller]
pub fn select_n(which: impl Operand, cases: &[&Array]) -> Array {
    let which = which.into_array();
    let operands: Vec<&Array> = std::iter::once(&which).chain(cases.iter().copied()).collect();
    let weak = cases.iter().all(|x| x.is_weak());
    emit1(Op::Select, &operands).with_weak(weak)
}

/// The elements as another dtype.
#[track_caller]
pub fn convert_element_type(x: impl Operand, dtype: DType) -> Array {
    x.into_array().converted(dtype, false)
}

/// The same bits as another dtype.
#[track_caller]
pub fn bitcast_convert_type(x: impl Operand, dtype: DType) -> Array {
    emit1(Op::Bitcast { dtype }, &[&x.into_array()]).with_weak(false)
}

/// The elements rounded to a float format with these many bits.
#[track_caller]
pub fn reduce_precision(x: impl Operand, exponent_bits: u32, mantissa_bits: u32) -> Array {
    emit1(Op::ReducePrecision { exponent_bits, mantissa_bits }, &[&x.into_array()])
}

/// The same values; nothing moves across in any optimization.
#[track_caller]
pub fn optimization_barrier<T: crate::Tree>(tree: &T) -> T {
    let leaves = crate::tree::leaves(tree);
    let outputs = crate::trace::emit(Op::OptimizationBarrier, &leaves.iter().collect::<Vec<_>>());
    let outputs = outputs.into_iter().zip(&leaves).map(|(y, x)| y.with_weak(x.is_weak()));
    tree.rebuild(&mut outputs.collect::<Vec<_>>().into_iter())
}
