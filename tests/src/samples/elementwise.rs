//! Samples of the elementwise tables and their relatives: every row in every dtype that it accepts.

use rjax_ir::{Aval, Binary, Compare, DType, Narrow, Op, Unary};

use super::{Sample, any, exactly, special};
use crate::random::Values;

const MATRIX: &[usize] = &[2, 3];
const SHAPES: &[&[usize]] = &[&[], &[1], &[0, 3]];

pub(super) fn add(samples: &mut Vec<Sample>) {
    for &op in Unary::ALL {
        let (values, order) = unary(op);
        for dtype in op.accepts().iter() {
            let values = if dtype.is_inexact() { values.clone() } else { Values::Uniform(-5.0, 6.0) };
            let order = if op == Unary::Sign && dtype.is_complex() { 0 } else { order };
            samples.push(Sample::op(Op::Unary(op), &[(Aval::new(dtype, MATRIX), values)]).smooth(order));
            samples.push(Sample::op(Op::Unary(op), &[special(dtype, &[16])]).named("special"));
        }
        let widest = op.accepts().iter().last().expect("a dtype");
        shapes(samples, Op::Unary(op), widest, &[values], if op == Unary::Sign { 0 } else { order });
    }
    for &op in Binary::ALL {
        let (x, y, order, frozen) = binary(op);
        for dtype in op.accepts().iter() {
            let (x, y) = if dtype.is_inexact() {
                (x.clone(), y.clone())
            } else {
                (Values::Uniform(-9.0, 10.0), Values::Uniform(-3.0, 4.0))
            };
            let inputs = [(Aval::new(dtype, MATRIX), x), (Aval::new(dtype, MATRIX), y)];
            samples.push(Sample::op(Op::Binary(op), &inputs).smooth(order).frozen(frozen));
            samples.push(Sample::op(Op::Binary(op), &[special(dtype, &[64]), special(dtype, &[64])]).named("special"));
        }
        shapes(samples, Op::Binary(op), op.accepts().iter().last().expect("a dtype"), &[x, y], 0);
    }
    for &op in Compare::ALL {
        for dtype in op.accepts().iter() {
            samples.push(Sample::op(Op::Compare(op), &[special(dtype, &[64]), special(dtype, &[64])]).named("special"));
        }
        shapes(samples, Op::Compare(op), DType::F32, &[Values::Special, Values::Special], 0);
    }
    choices(samples);
    parameters(samples);
    threefry(samples);
}

fn shapes(samples: &mut Vec<Sample>, op: Op, dtype: DType, values: &[Values], order: usize) {
    for &shape in SHAPES {
        let inputs: Vec<_> = values.iter().map(|v| (Aval::new(dtype, shape), v.clone())).collect();
        samples.push(Sample::op(op.clone(), &inputs).smooth(order));
    }
}

/// Values where the op is smooth, and how often it can be differentiated there.
fn unary(op: Unary) -> (Values, usize) {
    match op {
        Unary::Neg
        | Unary::Exp
        | Unary::Exp2
        | Unary::Expm1
        | Unary::Logistic
        | Unary::Sin
        | Unary::Cos
        | Unary::Sinh
        | Unary::Cosh
        | Unary::Tanh
        | Unary::Asinh
        | Unary::Erf
        | Unary::Erfc
        | Unary::Real
        | Unary::Imag
        | Unary::Conj => (Values::Uniform(-1.5, 1.5), 2),
        Unary::Atan | Unary::Tan => (Values::Uniform(-0.8, 0.8), 2),
        Unary::Log | Unary::Sqrt | Unary::Rsqrt => (Values::Uniform(0.3, 2.0), 2),
        Unary::Log1p => (Values::Uniform(-0.5, 1.0), 2),
        Unary::Cbrt => (Values::Signed(0.4, 2.0), 2),
        Unary::Asin | Unary::Acos | Unary::Atanh | Unary::ErfInv => (Values::Uniform(-0.7, 0.7), 2),
        Unary::Acosh => (Values::Uniform(1.3, 3.0), 2),
        Unary::Lgamma | Unary::Digamma => (Values::Uniform(0.6, 4.0), 2),
        Unary::BesselI0e | Unary::BesselI1e => (Values::Signed(0.3, 4.0), 2),
        // As in JAX, the derivative of a complex sign is zero, which is not its slope.
        Unary::Sign | Unary::Abs => (Values::Signed(0.3, 2.0), 2),
        Unary::Floor | Unary::Ceil | Unary::Round | Unary::RoundEven => (Values::OffGrid, 2),
        Unary::IsFinite | Unary::Not | Unary::PopulationCount | Unary::Clz => (Values::Uniform(-9.0, 9.0), 0),
    }
}

/// Values where the op is smooth, how often it can be differentiated there, and the operands to which that does not apply.
fn binary(op: Binary) -> (Values, Values, usize, &'static [usize]) {
    let (signed, positive) = (Values::Signed(0.4, 2.0), Values::Uniform(0.5, 2.0));
    match op {
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Max | Binary::Min | Binary::Complex => {
            (signed.clone(), signed, 2, &[])
        }
        // The quotient stays between 2.1 and 2.9, away from the jumps.
        Binary::Rem => (Values::Uniform(4.0, 4.3), Values::Uniform(1.5, 1.9), 2, &[]),
        Binary::Pow => (positive, Values::Uniform(-1.5, 2.5), 2, &[]),
        // Both parts positive: away from the branch cuts of the complex form.
        Binary::Atan2 => (positive.clone(), positive, 2, &[]),
        Binary::And | Binary::Or | Binary::Xor => (signed.clone(), signed, 0, &[]),
        Binary::ShiftLeft | Binary::ShiftRightArithmetic | Binary::ShiftRightLogical => {
            (signed.clone(), Values::Uniform(0.0, 8.0), 0, &[])
        }
        Binary::NextAfter => (signed.clone(), signed, 0, &[]),
        Binary::Igamma | Binary::Igammac => (positive.clone(), positive, 1, &[]),
        Binary::IgammaGradA => (positive.clone(), positive, 0, &[]),
        Binary::Polygamma => (Values::Exactly(vec![0.0, 1.0, 2.0, 3.0]), positive, 2, &[0]),
        Binary::Zeta => (Values::Uniform(1.5, 4.0), positive, 2, &[0]),
    }
}

fn choices(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL {
        let case = any(dtype, MATRIX);
        for which in [any(DType::Bool, &[]), any(DType::Bool, MATRIX)] {
            samples.push(Sample::op(Op::Select, &[which, case.clone(), case.clone()]).smooth(2));
        }
        let which = (Aval::new(DType::I32, MATRIX), Values::Uniform(-1.0, 4.0));
        samples.push(Sample::op(Op::Select, &[which, case.clone(), case.clone(), case.clone()]).smooth(2));
        let (low, high) = (Values::Uniform(-3.0, -1.0), Values::Uniform(1.0, 3.0));
        for shape in [&[][..], MATRIX] {
            let bounds = [low.clone(), high.clone()].map(|values| (Aval::new(dtype, shape), values));
            let x = (Aval::new(dtype, MATRIX), Values::Uniform(-4.0, 4.0));
            let [low, high] = bounds;
            samples.push(Sample::op(Op::Clamp, &[low, x, high]).smooth(2));
        }
        samples.push(Sample::op(Op::Clamp, &[special(dtype, &[]), special(dtype, &[32]), special(dtype, &[32])]));
    }
    let scalar = any(DType::F64, &[]);
    samples.push(Sample::op(Op::Select, &[exactly(&[], &[7]), scalar.clone(), scalar.clone(), scalar]).smooth(2));
    let empty = any(DType::F32, &[0, 2]);
    samples.push(Sample::op(Op::Select, &[any(DType::Bool, &[0, 2]), empty.clone(), empty.clone()]));
    samples.push(Sample::op(Op::Clamp, &[empty.clone(), empty.clone(), empty]));
}

fn parameters(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL.into_iter().filter(|d| d.is_float()) {
        let (a, x) = (Values::Uniform(0.7, 3.0), Values::Uniform(0.1, 0.9));
        let inputs = [a.clone(), a, x].map(|values| (Aval::new(dtype, MATRIX), values));
        samples.push(Sample::op(Op::RegularizedIncompleteBeta, &inputs).smooth(2).frozen(&[0, 1]).within(1e-6));
        for (exponent_bits, mantissa_bits) in [(5, 10), (8, 7), (4, 3), (2, 0), (11, 52)] {
            let op = Op::ReducePrecision { exponent_bits, mantissa_bits };
            samples.push(Sample::op(op, &[special(dtype, &[24])]).named("special"));
        }
    }
    for dtype in DType::ALL.into_iter().filter(|&d| d != DType::Bool) {
        for exponent in [-3, -1, 0, 1, 2, 3, 7] {
            if exponent >= 0 || dtype.is_inexact() {
                let x = (Aval::new(dtype, MATRIX), Values::Signed(0.5, 1.8));
                samples.push(Sample::op(Op::IntegerPow { exponent }, &[x]).smooth(2).named(&exponent.to_string()));
            }
        }
        samples.push(Sample::op(Op::IntegerPow { exponent: 3 }, &[special(dtype, &[16])]).named("special"));
    }
    for from in DType::ALL {
        for to in DType::ALL {
            let op = Op::Convert { dtype: to };
            let sample = Sample::op(op, &[special(from, &[20])]).named(&format!("special, to {to}"));
            samples.push(sample);
        }
        for narrow in Narrow::ALL.map(DType::Narrow) {
            let pairs = [(from, narrow), (narrow, from)];
            samples.extend(pairs.map(|(from, to)| {
                let x = special(from, &[40]);
                Sample::op(Op::Convert { dtype: to }, &[x]).named(&format!("special, to {to}"))
            }));
        }
        samples.push(Sample::op(Op::StopGradient, &[any(from, MATRIX)]));
        samples.push(Sample::op(Op::Name { name: "kept".into() }, &[any(from, MATRIX)]).smooth(2));
        samples.push(Sample::op(Op::OptimizationBarrier, &[any(from, MATRIX), any(DType::F64, &[])]).smooth(2));
    }
    let [wide, byte] = [Narrow::F8E5M2, Narrow::F8E4M3FN].map(DType::Narrow);
    samples.push(Sample::op(Op::Convert { dtype: byte }, &[special(wide, &[40])]).named("special, narrow to narrow"));
    samples.push(Sample::op(Op::Bitcast { dtype: wide }, &[any(DType::U16, &[3])]).named("to narrow"));
    for (from, to) in [(DType::F64, DType::C128), (DType::C128, DType::F64)] {
        samples.push(Sample::op(Op::Convert { dtype: to }, &[any(from, MATRIX)]).smooth(2));
    }
    let bits = |d: &DType| !d.is_complex() && *d != DType::Bool;
    for from in DType::ALL.into_iter().filter(bits) {
        for to in DType::ALL.into_iter().filter(bits) {
            let op = Op::Bitcast { dtype: to };
            let shape: &[usize] = if to.size() > from.size() { &[3, to.size() / from.size()] } else { &[3] };
            samples.push(Sample::op(op, &[any(from, shape)]).named(&format!("to {to}")));
        }
    }
    samples.push(Sample::op(Op::Bitcast { dtype: DType::U8 }, &[any(DType::F32, &[])]));
    samples.push(Sample::op(Op::Bitcast { dtype: DType::F32 }, &[any(DType::U16, &[2])]));
    samples.push(Sample::op(Op::Bitcast { dtype: DType::Bool }, &[any(DType::Bool, &[2])]));
}

fn threefry(samples: &mut Vec<Sample>) {
    for shape in [&[][..], &[5], &[0], &[2, 3]] {
        let word = special(DType::U32, shape);
        samples.push(Sample::op(Op::Threefry2x32, &[word.clone(), word.clone(), word.clone(), word]));
    }
}
