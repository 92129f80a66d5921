//! Every elementwise op on every dtype: the compiled loop, of vectors and of single elements, gives the interpreter's bits.

use crate::expand::ulps;
use rjax_ir::{Binary, Compare, DType, Op, Scalar, Tensor, Unary, eval_op, math};
use rjax_kernel::kir::{Access, Class, ComplexOp, Expr, Index, Inst, Order, Reg};

use super::{KernelBuilder, assert_near, assert_same, build, module_of, samples, tensor};

const REAL: [DType; 13] = [
    DType::Bool,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::F16,
    DType::BF16,
    DType::F32,
    DType::F64,
];

/// What the interpreter computes.
pub(super) fn expect(op: Op, inputs: &[Tensor]) -> Tensor {
    eval_op(&op, inputs).expect("the operands are accepted").remove(0)
}

/// Runs `result = expr(operands…)` over the elements of the inputs, with loops of the given order.
pub(super) fn map(order: Order, inputs: &[Tensor], result: DType, expr: impl Fn(&[Reg]) -> Expr) -> Tensor {
    let len = inputs[0].shape().size();
    let mut params: Vec<_> = inputs.iter().map(|t| (t.dtype(), len, Access::Read)).collect();
    params.push((result, len, Access::Write));
    let mut k = KernelBuilder::new(Class::Map, &params, len);
    let variable = k.reg(DType::I64);
    let mut body = vec![];
    let operands: Vec<Reg> = (0..inputs.len()).map(|i| k.load(&mut body, i as u32, Index::reg(variable))).collect();
    let value = k.let_(&mut body, result, expr(&operands));
    k.store(&mut body, inputs.len() as u32, Index::reg(variable), value);
    let body = k.over_range(variable, order, body);
    k.kernel.body.push(body);
    build(&module_of(k.kernel)).call(inputs).expect("the inputs fit").remove(0)
}

fn check(what: &str, inputs: &[Tensor], expected: &Tensor, expr: impl Fn(&[Reg]) -> Expr) {
    for order in [Order::Sequential, Order::Vector] {
        let found = map(order, inputs, expected.dtype(), &expr);
        assert_same(&found, expected, &format!("{what} ({order:?})"));
    }
}

/// All pairs of samples.
fn pairs(dtype: DType) -> [Tensor; 2] {
    let values = samples(dtype);
    let pair = |first: bool| {
        let values = &values;
        values.iter().flat_map(move |&x| values.iter().map(move |&y| if first { x } else { y }))
    };
    [tensor(dtype, pair(true)), tensor(dtype, pair(false))]
}

#[test]
fn unary_ops() {
    for dtype in REAL {
        let x = tensor(dtype, samples(dtype));
        for &op in Unary::ALL.iter().filter(|op| op.accepts().contains(dtype)) {
            let expected = expect(Op::Unary(op), std::slice::from_ref(&x));
            for order in [Order::Sequential, Order::Vector] {
                let found = map(order, std::slice::from_ref(&x), expected.dtype(), |r| Expr::Unary(op, r[0]));
                let what = |i: usize| format!("{} {dtype} of {:?} ({order:?})", op.name(), x.get(i));
                match ulps(op, dtype) {
                    None => assert_same(&found, &expected, &what(0)),
                    Some(ulps) => assert_near(&found, &expected, ulps, what),
                }
            }
        }
    }
}

#[test]
fn binary_ops() {
    for dtype in REAL {
        let [x, y] = pairs(dtype);
        for &op in Binary::ALL.iter().filter(|op| op.accepts().contains(dtype) && **op != Binary::Complex) {
            // A few functions take milliseconds far outside their domain.
            let slow =
                matches!(op, Binary::Igamma | Binary::Igammac | Binary::IgammaGradA | Binary::Zeta | Binary::Polygamma);
            let keep: Vec<usize> = (0..x.shape().size()).step_by(if slow { 37 } else { 1 }).collect();
            let [x, y] = [&x, &y].map(|t| tensor(dtype, keep.iter().map(|&i| t.get(i))));
            let expected = expect(Op::Binary(op), &[x.clone(), y.clone()]);
            if op == Binary::Atan2 || op == Binary::Pow && dtype != DType::F64 {
                let found = map(Order::Vector, &[x.clone(), y.clone()], dtype, |r| Expr::Binary(op, r[0], r[1]));
                let what = |i: usize| format!("{} {dtype} of {:?}, {:?}", op.name(), x.get(i), y.get(i));
                assert_near(&found, &expected, 4, what);
                continue;
            }
            check(&format!("{} {dtype}", op.name()), &[x, y], &expected, |r| Expr::Binary(op, r[0], r[1]));
        }
    }
}

#[test]
fn comparisons_and_select() {
    for dtype in REAL {
        let [x, y] = pairs(dtype);
        for &op in Compare::ALL {
            let expected = expect(Op::Compare(op), &[x.clone(), y.clone()]);
            let inputs = [x.clone(), y.clone()];
            check(&format!("{} {dtype}", op.name()), &inputs, &expected, |r| Expr::Compare(op, r[0], r[1]));
        }
        let which: Vec<bool> = (0..x.shape().size()).map(|i| i % 3 == 0).collect();
        let expected = tensor(dtype, which.iter().enumerate().map(|(i, &w)| if w { x.get(i) } else { y.get(i) }));
        let inputs = [Tensor::from_vec([which.len()], which), x, y];
        check(&format!("select {dtype}"), &inputs, &expected, |r| Expr::Select {
            condition: r[0],
            on_true: r[1],
            on_false: r[2],
        });
    }
}

#[test]
fn conversions_and_bitcasts() {
    for from in REAL {
        let x = tensor(from, samples(from));
        for to in REAL {
            let expected = expect(Op::Convert { dtype: to }, std::slice::from_ref(&x));
            check(&format!("{from} to {to}"), std::slice::from_ref(&x), &expected, |r| Expr::Convert(r[0]));
            if from.size() == to.size() && (from == DType::Bool) == (to == DType::Bool) {
                let expected = expect(Op::Bitcast { dtype: to }, std::slice::from_ref(&x));
                check(&format!("bits {from} as {to}"), std::slice::from_ref(&x), &expected, |r| Expr::Bitcast(r[0]));
            }
        }
    }
}

#[test]
fn every_f16_and_many_bf16_survive_memory_and_rounding() {
    let halves: Vec<Scalar> = (0..=u16::MAX as u64).map(|bits| Scalar::from_bits(DType::F16, [bits, 0])).collect();
    let x = tensor(DType::F16, halves);
    // Doubling rounds nothing, halving rounds the subnormal numbers.
    for factor in [2.0, 0.5, 1.0009765625] {
        let y = tensor(DType::F16, vec![Scalar::from_f64(DType::F16, factor); x.shape().size()]);
        let expected = expect(Op::Binary(Binary::Mul), &[x.clone(), y.clone()]);
        check("f16 times a factor", &[x.clone(), y], &expected, |r| Expr::Binary(Binary::Mul, r[0], r[1]));
    }
    let words: Vec<f32> = (0..1 << 16).map(|i: u32| f32::from_bits(i.wrapping_mul(0x9e37_79b9))).collect();
    let x = Tensor::from_vec([words.len()], words);
    for to in [DType::BF16, DType::F16] {
        let expected = expect(Op::Convert { dtype: to }, std::slice::from_ref(&x));
        check(&format!("f32 to {to}"), std::slice::from_ref(&x), &expected, |r| Expr::Convert(r[0]));
    }
}

#[test]
fn reduced_precision_and_the_beta_function() {
    for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
        let x = tensor(dtype, samples(dtype));
        let op = Op::ReducePrecision { exponent_bits: 4, mantissa_bits: 3 };
        let expected = expect(op, std::slice::from_ref(&x));
        check(&format!("reduce_precision {dtype}"), std::slice::from_ref(&x), &expected, |r| Expr::ReducePrecision {
            operand: r[0],
            exponent_bits: 4,
            mantissa_bits: 3,
        });
        let parts = [2.0, 3.5, 0.25].map(|v| tensor(dtype, [Scalar::from_f64(dtype, v); 5]));
        let expected = expect(Op::RegularizedIncompleteBeta, &parts);
        check(&format!("beta {dtype}"), &parts, &expected, |r| Expr::RegularizedIncompleteBeta([r[0], r[1], r[2]]));
    }
}

/// The op on an array and a constant.
fn check_by_constant(op: Binary, values: Vec<Scalar>, constant: Scalar) {
    let dtype = constant.dtype();
    let x = tensor(dtype, values);
    let len = x.shape().size();
    let constants = tensor(dtype, vec![constant; len]);
    let expected = expect(Op::Binary(op), &[x.clone(), constants]);
    for order in [Order::Sequential, Order::Vector] {
        let params = [(dtype, len, Access::Read), (dtype, len, Access::Write)];
        let mut k = KernelBuilder::new(Class::Map, &params, len);
        let mut top = vec![];
        let constant_register = k.let_(&mut top, dtype, Expr::Const(constant));
        let variable = k.reg(DType::I64);
        let mut body = vec![];
        let value = k.load(&mut body, 0, Index::reg(variable));
        let value = k.let_(&mut body, dtype, Expr::Binary(op, value, constant_register));
        k.store(&mut body, 1, Index::reg(variable), value);
        top.push(k.over_range(variable, order, body));
        k.kernel.body = top;
        let found = build(&module_of(k.kernel)).call(std::slice::from_ref(&x)).expect("fits").remove(0);
        assert_same(&found, &expected, &format!("{} {dtype} by {constant:?} ({order:?})", op.name()));
    }
}

#[test]
fn shifts_by_constants() {
    for dtype in [DType::I8, DType::I32, DType::U32, DType::I64, DType::U64] {
        for amount in [0, 1, dtype.bits() as i64 - 1, dtype.bits() as i64, -1] {
            for op in [Binary::ShiftLeft, Binary::ShiftRightLogical, Binary::ShiftRightArithmetic] {
                check_by_constant(op, samples(dtype), Scalar::from_i64(dtype, amount));
            }
        }
    }
}

/// Of numbers around the greatest and least multiples, where rounding would show.
#[test]
fn divisions_by_constants() {
    for dtype in [DType::I8, DType::U8, DType::I16, DType::I32, DType::U32, DType::I64] {
        let (least, greatest) = (Scalar::least(dtype), Scalar::greatest(dtype));
        let divisors = [0, 1, 2, 3, 5, 7, 100, 641, 65537, -1, -2, -3, -7].map(|x| Scalar::from_i64(dtype, x));
        for divisor in divisors.into_iter().chain([least, greatest]) {
            let mut values = samples(dtype);
            if let by @ (1.. | ..=-1) = divisor.to_f64() as i64 {
                for extreme in [least, greatest] {
                    let multiple = (extreme.to_f64() as i64).wrapping_div(by).wrapping_mul(by);
                    let around = (-2..=2).map(|step| Scalar::from_i64(dtype, multiple.wrapping_add(step)));
                    values.extend(around);
                }
            }
            for op in [Binary::Div, Binary::Rem] {
                check_by_constant(op, values.clone(), divisor);
            }
        }
    }
}

#[test]
fn threefry_words() {
    for order in [Order::Sequential, Order::Vector] {
        let len = 11;
        let params: Vec<_> =
            (0..6).map(|i| (DType::U32, len, if i < 4 { Access::Read } else { Access::Write })).collect();
        let mut k = KernelBuilder::new(Class::Map, &params, len);
        let variable = k.reg(DType::I64);
        let mut body = vec![];
        let operands = [0, 1, 2, 3].map(|i| k.load(&mut body, i, Index::reg(variable)));
        let results = [k.reg(DType::U32), k.reg(DType::U32)];
        body.push(Inst::Threefry { results, operands });
        k.store(&mut body, 4, Index::reg(variable), results[0]);
        k.store(&mut body, 5, Index::reg(variable), results[1]);
        let body = k.over_range(variable, order, body);
        k.kernel.body.push(body);
        let words = |seed: u32| (0..len as u32).map(|i| seed.wrapping_mul(i + 1)).collect::<Vec<u32>>();
        let inputs = [0, 0x1234_5678, 0xdead_beef, 0xffff_ffff].map(words);
        let tensors = inputs.clone().map(|w| Tensor::from_vec([len], w));
        let outputs = build(&module_of(k.kernel)).call(&tensors).expect("fits");
        for i in 0..len {
            let expected = math::threefry2x32([inputs[0][i], inputs[1][i]], [inputs[2][i], inputs[3][i]]);
            assert_eq!([outputs[0].as_slice::<u32>()[i], outputs[1].as_slice::<u32>()[i]], expected);
        }
    }
}

#[test]
fn complex_ops() {
    for dtype in [DType::C64, DType::C128] {
        let part = dtype.real();
        let values = [1.5, -0.25, 0.0, -2.0, 3.0, 0.5];
        let len = values.len();
        let parts =
            [0, 1, 2, 3].map(|shift| tensor(part, (0..len).map(|i| Scalar::from_f64(part, values[(i + shift) % len]))));
        let mut ops: Vec<ComplexOp> =
            Unary::ALL.iter().filter(|op| op.accepts().contains(dtype)).map(|&op| ComplexOp::Unary(op)).collect();
        ops.retain(|op| !matches!(op, ComplexOp::Unary(Unary::Real | Unary::Imag)));
        ops.extend(Binary::ALL.iter().filter(|op| op.accepts().contains(dtype)).map(|&op| ComplexOp::Binary(op)));
        for op in ops {
            let mut params = vec![(part, len, Access::Read); 4];
            params.extend([(part, len, Access::Write); 2]);
            let mut k = KernelBuilder::new(Class::Map, &params, len);
            let variable = k.reg(DType::I64);
            let mut body = vec![];
            let loaded = [0, 1, 2, 3].map(|i| k.load(&mut body, i, Index::reg(variable)));
            let (real, imag) = (k.reg(part), k.reg(part));
            let operands = match op {
                ComplexOp::Unary(_) => vec![[loaded[0], loaded[1]]],
                ComplexOp::Binary(_) => vec![[loaded[0], loaded[1]], [loaded[2], loaded[3]]],
            };
            body.push(Inst::Complex { real, imag: Some(imag), op, dtype, operands });
            k.store(&mut body, 4, Index::reg(variable), real);
            k.store(&mut body, 5, Index::reg(variable), imag);
            let body = k.over_range(variable, Order::Independent, body);
            k.kernel.body.push(body);
            let found = build(&module_of(k.kernel)).call(&parts).expect("fits");
            let complex = |p: usize| expect(Op::Binary(Binary::Complex), &[parts[p].clone(), parts[p + 1].clone()]);
            let expected = match op {
                ComplexOp::Unary(op) => expect(Op::Unary(op), &[complex(0)]),
                ComplexOp::Binary(op) => expect(Op::Binary(op), &[complex(0), complex(2)]),
            };
            let expected = if expected.dtype().is_complex() {
                vec![
                    expect(Op::Unary(Unary::Real), std::slice::from_ref(&expected)),
                    expect(Op::Unary(Unary::Imag), &[expected]),
                ]
            } else {
                vec![expected]
            };
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_same(found, expected, &format!("{op:?} {dtype} part {i}"));
            }
        }
    }
}
