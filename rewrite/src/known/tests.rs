//! Every fact that is derived holds for what the interpreter computes, for all operands that have the facts it was derived from.

use rjax_ir::{Aval, Binary, DType, Op, Reducer, Scalar, Tensor, Unary, eval_op, with_element};

use super::Known;

const DTYPES: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

fn facts() -> Vec<Known> {
    let single = [Known::NUMBER, Known::FINITE, Known::NONNEGATIVE, Known::POSITIVE, Known::AT_MOST_ZERO];
    let pairs = single.iter().flat_map(|a| single.iter().map(|b| a.and(*b)));
    std::iter::once(Known::NOTHING).chain(pairs).collect()
}

fn values(dtype: DType) -> Vec<Scalar> {
    let numbers = [
        f64::NAN,
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1.0,
        -1.0,
        0.3,
        -0.7,
        2.5,
        -3.0,
        90.0,
        -90.0,
        1e-7,
        -1e-7,
        6e4,
        -6e4,
        3e38,
        -3e38,
        1e-40,
        -1e-40,
        1e308,
        -1e308,
    ];
    numbers.into_iter().map(|number| Scalar::from_f64(dtype, number)).collect()
}

/// Whether a number is what a set of facts says.
fn satisfies(value: Scalar, known: Known) -> bool {
    let number = value.to_f64();
    let nan = number.is_nan();
    let sign = nan || number > 0.0 || number == 0.0 && number.is_sign_positive();
    (!known.contains(Known::NUMBER) || !nan)
        && (!known.contains(Known::FINITE) || number.is_finite())
        && (!known.contains(Known::NONNEGATIVE) || sign)
        && (!known.contains(Known::AT_MOST_ZERO) || nan || number <= 0.0)
}

/// The operands that may have these facts: 0 stands for a positive number that was rounded.
fn operands(dtype: DType, known: Known) -> Vec<Scalar> {
    values(dtype).into_iter().filter(|&value| satisfies(value, known)).collect()
}

fn check(op: &Op, dtype: DType, inputs: &[(Known, Scalar)], same: bool) {
    let aval = Aval::scalar(dtype);
    let operands: Vec<Tensor> = inputs.iter().map(|(_, value)| value.to_tensor()).collect();
    let result = eval_op(op, &operands).expect("evaluates").remove(0);
    let facts: Vec<(Known, &Aval)> = inputs.iter().map(|(known, _)| (*known, &aval)).collect();
    let claimed = Known::of_op(op, &facts, &result.aval(), same);
    let found = result.get(0);
    assert!(satisfies(found, claimed), "{} of {inputs:?} is {found:?}, not {claimed:?}", op.name());
}

#[test]
fn facts_about_elementwise_ops_hold() {
    for dtype in DTYPES {
        for &unary in Unary::ALL.iter().filter(|op| op.accepts().contains(dtype)) {
            for known in facts() {
                for value in operands(dtype, known) {
                    check(&Op::Unary(unary), dtype, &[(known, value)], false);
                }
            }
        }
        for &binary in Binary::ALL.iter().filter(|op| op.accepts().contains(dtype)) {
            for x in facts() {
                for y in facts() {
                    // One pair in a few is enough of an endless table.
                    for (i, a) in operands(dtype, x).into_iter().enumerate() {
                        for b in operands(dtype, y).into_iter().skip(i % 3).step_by(3) {
                            check(&Op::Binary(binary), dtype, &[(x, a), (y, b)], false);
                        }
                    }
                }
                for a in operands(dtype, x) {
                    check(&Op::Binary(binary), dtype, &[(x, a), (x, a)], true);
                }
            }
        }
        for exponent in [-3, -2, -1, 0, 1, 2, 3, 4] {
            for known in facts() {
                for value in operands(dtype, known) {
                    check(&Op::IntegerPow { exponent }, dtype, &[(known, value)], false);
                }
            }
        }
        for to in DTYPES {
            for known in facts() {
                for value in operands(dtype, known) {
                    check(&Op::Convert { dtype: to }, dtype, &[(known, value)], false);
                }
            }
        }
    }
}

#[test]
fn facts_about_sums_and_integers_hold() {
    for dtype in DTYPES {
        for &reducer in &[Reducer::Sum, Reducer::Prod, Reducer::Max, Reducer::Min] {
            for known in facts() {
                let values = operands(dtype, known);
                for length in 0..=values.len().min(3) {
                    for start in 0..=values.len() - length {
                        let part = &values[start..start + length];
                        let tensor = with_element!(dtype, T => {
                            Tensor::from_vec([length], part.iter().map(|s| s.get::<T>()).collect())
                        });
                        let op = Op::Reduce { reducer, axes: vec![0] };
                        let result = eval_op(&op, std::slice::from_ref(&tensor)).expect("evaluates").remove(0);
                        let claimed = Known::of_op(&op, &[(known, &tensor.aval())], &result.aval(), false);
                        let found = result.get(0);
                        assert!(satisfies(found, claimed), "{reducer:?} of {part:?}: {found:?}, not {claimed:?}");
                    }
                }
            }
        }
        for integer in [DType::Bool, DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::U64] {
            for value in [Scalar::least(integer), Scalar::greatest(integer), Scalar::zero(integer)] {
                let known = Known::of_type(integer);
                assert!(integer == DType::Bool || satisfies(value, known), "{value:?} is not {known:?}");
                let op = Op::Convert { dtype };
                let result = eval_op(&op, &[value.to_tensor()]).expect("evaluates").remove(0);
                let claimed = Known::of_op(&op, &[(known, &Aval::scalar(integer))], &result.aval(), false);
                assert!(satisfies(result.get(0), claimed), "{value:?} as {dtype} is not {claimed:?}");
            }
        }
    }
}
