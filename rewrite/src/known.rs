//! What is known about the elements of a value beyond its type: whether they are finite, and which signs they have.
//!
//! Each fact holds for what an equation computes, as it computes it. In an e-graph the members of a class are equal up to
//! the rules that joined them; a class knows only what all of them know, so that no fact crosses a rule that is not exact:
//! exp(log(x)) == x does not make x positive.

use rjax_ir::{Aval, Binary, DType, IndexMode, Op, Reducer, Scalar, Unary};

/// A set of facts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Known(u8);

impl Known {
    /// Nothing is known.
    pub const NOTHING: Known = Known(0);
    /// No element is NaN.
    pub const NUMBER: Known = Known(1);
    /// No element is infinite or NaN.
    pub const FINITE: Known = Known(2 | 1);
    /// Every element is NaN, positive or +0.
    pub const NONNEGATIVE: Known = Known(4);
    /// Every element is NaN or positive, but may have been rounded to zero.
    pub const POSITIVE: Known = Known(8 | 4);
    /// Every element is NaN, negative or a zero.
    pub const AT_MOST_ZERO: Known = Known(16);

    /// Whether all facts of the other set are among these.
    pub fn contains(self, other: Known) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is known in both cases.
    pub fn common(self, other: Known) -> Known {
        Known(self.0 & other.0)
    }

    fn and(self, other: Known) -> Known {
        Known(self.0 | other.0)
    }

    /// A fact, if a condition holds.
    fn when(self, condition: bool) -> Known {
        if condition { self } else { Known::NOTHING }
    }

    /// Those of some facts that are known.
    fn only(self, facts: Known) -> Known {
        Known(self.0 & facts.0)
    }

    /// What every value of a type is.
    pub fn of_type(dtype: DType) -> Known {
        let exact = !dtype.is_inexact();
        Known::FINITE.when(exact).and(Known::NONNEGATIVE.when(exact && !dtype.is_signed_integer()))
    }

    /// What a number is.
    pub fn of_scalar(value: Scalar) -> Known {
        if value.dtype().is_complex() {
            return Known::FINITE.when(value.to_c128().is_finite());
        }
        let number = value.to_f64();
        Known::NUMBER
            .when(!number.is_nan())
            .and(Known::FINITE.when(number.is_finite()))
            .and(Known::NONNEGATIVE.when(number >= 0.0 && number.is_sign_positive()))
            .and(Known::POSITIVE.when(number > 0.0))
            .and(Known::AT_MOST_ZERO.when(number <= 0.0))
    }

    /// What is known of the result of an op with one result. `same`: its two operands are one value.
    pub fn of_op(op: &Op, inputs: &[(Known, &Aval)], aval: &Aval, same: bool) -> Known {
        let of = |i: usize| inputs[i].0;
        let all = |from: usize| inputs[from..].iter().map(|input| input.0).reduce(Known::common).unwrap_or_default();
        let derived = match op {
            Op::Unary(op) => unary(*op, of(0), aval.dtype),
            Op::Binary(op) => binary(*op, of(0), of(1), aval.dtype, same),
            Op::Select => all(1),
            Op::Clamp => all(0).only(Known::FINITE.and(Known::NONNEGATIVE)),
            Op::Convert { dtype } => converted(of(0), inputs[0].1.dtype, *dtype),
            Op::IntegerPow { exponent } => {
                let even = *exponent > 0 && exponent % 2 == 0 && aval.dtype.is_float();
                Known::NONNEGATIVE
                    .when(even)
                    .and(of(0).only(Known::NONNEGATIVE).when(*exponent > 0 && aval.dtype.is_float()))
            }
            Op::ReducePrecision { .. } => of(0).only(Known::NONNEGATIVE.and(Known::NUMBER).and(Known::AT_MOST_ZERO)),
            Op::StopGradient
            | Op::Name { .. }
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Reverse { .. }
            | Op::DynamicSlice { .. } => of(0),
            Op::Pad { .. } | Op::Concatenate { .. } => all(0),
            Op::DynamicUpdateSlice => of(0).common(of(1)),
            Op::Gather(gather) => match gather.mode {
                IndexMode::Clip | IndexMode::PromiseInBounds => of(0),
                IndexMode::FillOrDrop => {
                    gather.fill_value.map_or(Known::NOTHING, |fill| of(0).common(Known::of_scalar(fill)))
                }
            },
            Op::Iota { dtype, shape, axis } => {
                // A narrow counter starts again at the least integer.
                let fits = dtype.is_float() || (shape[*axis] as u128) <= 1 << (dtype.bits() - 1);
                let finite = dtype.is_inexact() && (*dtype != DType::F16 || shape[*axis] <= 1 << 15);
                Known::NONNEGATIVE.when(fits && !dtype.is_complex()).and(Known::FINITE.when(finite))
            }
            Op::Reduce { reducer, axes } => {
                let empty = axes.iter().any(|&axis| inputs[0].1.shape[axis] == 0);
                match reducer {
                    Reducer::Sum if aval.dtype.is_float() => {
                        let signs = of(0).only(Known::POSITIVE.and(Known::AT_MOST_ZERO));
                        if empty { signs.only(Known::NONNEGATIVE.and(Known::AT_MOST_ZERO)) } else { signs }
                    }
                    Reducer::Max | Reducer::Min => of(0).when(!empty),
                    Reducer::Prod if aval.dtype.is_float() => of(0).only(Known::POSITIVE),
                    Reducer::Sum | Reducer::Prod | Reducer::And | Reducer::Or | Reducer::Xor => Known::NOTHING,
                }
            }
            Op::DotGeneral(_) => of(0).common(of(1)).only(Known::NONNEGATIVE).when(aval.dtype.is_float()),
            Op::Compare(_)
            | Op::RegularizedIncompleteBeta
            | Op::Bitcast { .. }
            | Op::OptimizationBarrier
            | Op::Scatter(_)
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
            | Op::Cond { .. }
            | Op::While(_)
            | Op::Scan(_)
            | Op::Call { .. }
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::LinearSolve(_)
            | Op::Root(_)
            | Op::Remat(_)
            | Op::DebugPrint(_)
            | Op::Collective(_) => Known::NOTHING,
        };
        derived.and(Known::of_type(aval.dtype))
    }
}

fn unary(op: Unary, x: Known, dtype: DType) -> Known {
    if !dtype.is_float() {
        return Known::NOTHING;
    }
    let range = x.only(Known::FINITE);
    // Bounded functions are finite for every number.
    let bounded = Known::FINITE.when(x.contains(Known::NUMBER));
    match op {
        Unary::Neg => range.and(Known::AT_MOST_ZERO.when(x.contains(Known::NONNEGATIVE))),
        Unary::Abs => range.and(Known::NONNEGATIVE),
        Unary::Exp | Unary::Exp2 => {
            let falls = x.contains(Known::NUMBER.and(Known::AT_MOST_ZERO));
            Known::POSITIVE.and(x.only(Known::NUMBER)).and(Known::FINITE.when(falls))
        }
        Unary::Logistic | Unary::Erfc => Known::POSITIVE.and(bounded),
        Unary::Tanh | Unary::Erf | Unary::Atan => bounded.and(x.only(Known::NONNEGATIVE.and(Known::AT_MOST_ZERO))),
        Unary::Sign => bounded.and(x.only(Known::NONNEGATIVE.and(Known::AT_MOST_ZERO))),
        Unary::Sin | Unary::Cos => range.when(x.contains(Known::FINITE)),
        Unary::Sqrt => {
            // The root of a negative number is NaN, that of -0 is -0.
            let number = range.when(x.contains(Known::NONNEGATIVE));
            number.and(x.only(Known::POSITIVE))
        }
        Unary::Floor | Unary::Ceil | Unary::Round | Unary::RoundEven => range.and(x.only(Known::NONNEGATIVE)),
        Unary::Log1p | Unary::Expm1 | Unary::Cbrt => x.only(Known::NONNEGATIVE),
        Unary::Cosh => Known::POSITIVE.and(x.only(Known::NUMBER)),
        Unary::Rsqrt => x.only(Known::NONNEGATIVE).and(x.only(Known::POSITIVE)),
        Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz
        | Unary::Log
        | Unary::Tan
        | Unary::Sinh
        | Unary::Asin
        | Unary::Acos
        | Unary::Asinh
        | Unary::Acosh
        | Unary::Atanh
        | Unary::ErfInv
        | Unary::Lgamma
        | Unary::Digamma
        | Unary::BesselI0e
        | Unary::BesselI1e
        | Unary::Real
        | Unary::Imag
        | Unary::Conj => Known::NOTHING,
    }
}

fn binary(op: Binary, x: Known, y: Known, dtype: DType, same: bool) -> Known {
    if !dtype.is_float() {
        return Known::NOTHING;
    }
    let both = x.common(y);
    // The sum of finite numbers may overflow, but is no NaN.
    let number = Known::NUMBER.when(both.contains(Known::FINITE));
    let either_positive = x.contains(Known::POSITIVE) || y.contains(Known::POSITIVE);
    match op {
        Binary::Add => {
            let nonnegative = both.only(Known::NONNEGATIVE);
            let positive = Known::POSITIVE.when(nonnegative.contains(Known::NONNEGATIVE) && either_positive);
            number.and(nonnegative).and(positive).and(both.only(Known::AT_MOST_ZERO))
        }
        Binary::Sub => number,
        Binary::Mul => number.and(both.only(Known::POSITIVE)).and(Known::NONNEGATIVE.when(same)),
        Binary::Div => both.only(Known::POSITIVE),
        // Of two zeros with different signs either may be the greater one.
        Binary::Max => both,
        Binary::Min => both.and(x.and(y).only(Known::AT_MOST_ZERO)),
        Binary::Pow => x.only(Known::NONNEGATIVE),
        Binary::Rem
        | Binary::Atan2
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::ShiftLeft
        | Binary::ShiftRightArithmetic
        | Binary::ShiftRightLogical
        | Binary::NextAfter
        | Binary::Complex
        | Binary::Igamma
        | Binary::Igammac
        | Binary::IgammaGradA
        | Binary::Polygamma
        | Binary::Zeta => Known::NOTHING,
    }
}

/// What is still known after a conversion.
fn converted(x: Known, from: DType, to: DType) -> Known {
    if !to.is_float() {
        return Known::NOTHING;
    }
    let signs = x.only(Known::POSITIVE.and(Known::AT_MOST_ZERO));
    let bits = from.bits();
    // 65535 is beyond f16.
    let fits = if from.is_float() { from == to || to.bits() > bits } else { to != DType::F16 || bits < 16 };
    let number = x.only(Known::NUMBER);
    signs.and(if fits && !from.is_complex() { x.only(Known::FINITE) } else { number })
}

#[cfg(test)]
mod tests;
