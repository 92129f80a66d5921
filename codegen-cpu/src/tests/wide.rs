//! What only vector loops have: positions in lanes, masks, mixed widths, more values than registers. Against the interpreter of KIR.

use std::process::Command;

use rjax_ir::{Binary, Compare, DType, Scalar, Tensor, Unary};
use rjax_kernel::interpret;
use rjax_kernel::kir::{Access, Carry, Class, Expr, Index, Inst, Kernel, Loop, Mask, Order, ParamId, Reg};

use super::{KernelBuilder, assert_same, build, module_of, tensor};
use crate::target::{Wide, wide_vectors};

/// Lengths below, at and above one vector and several, of 128 to 512 bits.
const LENGTHS: [usize; 9] = [1, 3, 8, 15, 16, 17, 40, 64, 150];

fn numbers(dtype: DType, len: usize) -> Tensor {
    tensor(dtype, (0..len).map(|i| Scalar::from_f64(dtype, ((i * 37 + 11) % 61) as f64 * 0.25 - 3.5)))
}

fn positions(dtype: DType, len: usize, below: usize) -> Tensor {
    tensor(dtype, (0..len).map(|i| Scalar::from_i64(dtype, ((i * 7 + 5) % below) as i64)))
}

/// Runs a kernel, compiled and interpreted.
fn check(kernel: Kernel, inputs: &[Tensor], what: &str) {
    let module = module_of(kernel);
    let found = build(&module).call(inputs).expect("the inputs fit");
    for (i, (found, expected)) in found.iter().zip(interpret(&module, inputs)).enumerate() {
        assert_same(found, &expected, &format!("{what}, output {i}"));
    }
}

/// `out[k[i]] = x[k[i]] + y[3 i + 1]`, where k is a permutation, and `far[2 i] = i / 7 * 100 + i % 7`, `far[2 i + 1] = i / 4 * 100 + i % 4`.
#[test]
fn positions_in_lanes() {
    for dtype in [DType::F32, DType::F64, DType::I32, DType::U32, DType::I64, DType::U64, DType::F16, DType::U8] {
        for (len, index) in LENGTHS.into_iter().flat_map(|len| [(len, DType::I32), (len, DType::I64)]) {
            // A multiplier that no length shares a factor with.
            let order = tensor(index, (0..len).map(|i| Scalar::from_i64(index, (i * 11 % len) as i64)));
            let params = [
                (index, len, Access::Read),
                (dtype, len, Access::Read),
                (dtype, 3 * len, Access::Read),
                (dtype, len, Access::Write),
                (DType::I64, 2 * len, Access::Write),
            ];
            let mut k = KernelBuilder::new(Class::Map, &params, len);
            let variable = k.reg(DType::I64);
            let mut body = vec![];
            let loaded = k.load(&mut body, 0, Index::reg(variable));
            let at = k.let_(&mut body, DType::I64, Expr::Convert(loaded));
            let x = k.load(&mut body, 1, Index::reg(at));
            let y = k.load(&mut body, 2, Index::reg(variable).times(3).offset(1));
            let sum = k.let_(&mut body, dtype, Expr::Binary(Binary::Add, x, y));
            k.store(&mut body, 3, Index::reg(at), sum);
            for (place, divisor) in [(0, 7), (1, 4)] {
                let quotient = k.let_(&mut body, DType::I64, Expr::IndexDiv(variable, divisor));
                let rest = k.let_(&mut body, DType::I64, Expr::IndexRem(variable, divisor));
                let both = Index::reg(rest).plus(&Index::reg(quotient), 100);
                let both = k.let_(&mut body, DType::I64, Expr::Index(both));
                k.store(&mut body, 4, Index::reg(variable).times(2).offset(place), both);
            }
            let body = k.over_range(variable, Order::Independent, body);
            k.kernel.body.push(body);
            let inputs = [order, numbers(dtype, len), numbers(dtype, 3 * len)];
            check(k.kernel, &inputs, &format!("{dtype} at {len} {index}"));
        }
    }
}

/// `out[s i + c] = x[s i + c] + x[s i + d] - y[s i]` and `out[j] = 3` elsewhere, where groups of s are whole in x but not in y, and
/// `last[n - 1 - i] = x[s i + d]`, which is then read from its end.
#[test]
fn elements_a_few_apart() {
    for dtype in [DType::F32, DType::F64, DType::I32, DType::U64] {
        for (len, apart) in [1, 16, 37, 150].into_iter().flat_map(|len| [2, 3, 4, 8, 9].map(|apart| (len, apart))) {
            let (c, d) = if len % 2 == 0 { (0, 1) } else { (apart - 1, 0) };
            let params = [
                (dtype, apart * len, Access::Read),
                (dtype, apart * (len - 1) + 1, Access::Read),
                (dtype, apart * len, Access::ReadWrite),
                (dtype, len, Access::ReadWrite),
                (dtype, len, Access::Write),
            ];
            let mut k = KernelBuilder::new(Class::Map, &params, 1);
            let three = k.let_(&mut vec![], dtype, Expr::Const(Scalar::from_i64(dtype, 3)));
            let constant = Inst::Let { result: three, value: Expr::Const(Scalar::from_i64(dtype, 3)) };
            let all = k.reg(DType::I64);
            let fill = vec![Inst::Store { param: ParamId(2), index: Index::reg(all), value: three }];
            let variable = k.reg(DType::I64);
            let mut body = vec![];
            let at = |place: usize| Index::reg(variable).times(apart as i64).offset(place as i64);
            let reversed = |variable: Reg| Index::reg(variable).times(-1).offset(len as i64 - 1);
            let x = k.load(&mut body, 0, at(c));
            let z = k.load(&mut body, 0, at(d));
            let y = k.load(&mut body, 1, at(0));
            let sum = k.let_(&mut body, dtype, Expr::Binary(Binary::Add, x, z));
            let sum = k.let_(&mut body, dtype, Expr::Binary(Binary::Sub, sum, y));
            k.store(&mut body, 2, at(c), sum);
            k.store(&mut body, 3, reversed(variable), z);
            let again = k.reg(DType::I64);
            let mut back = vec![];
            let read = k.load(&mut back, 3, reversed(again));
            k.store(&mut back, 4, Index::reg(again), read);
            k.kernel.body.push(constant);
            for (variable, trip, body) in [(all, apart * len, fill), (variable, len, body), (again, len, back)] {
                let (begin, end) = (Index::constant(0), Index::constant(trip as i64));
                k.kernel.body.push(Inst::Loop(Loop {
                    variable,
                    begin,
                    end,
                    carried: vec![],
                    order: Order::Vector,
                    body,
                }));
            }
            let inputs = [numbers(dtype, apart * len), numbers(dtype, apart * (len - 1) + 1)];
            check(k.kernel, &inputs, &format!("{dtype} at {len}, {apart} apart, {c} and {d}"));
        }
    }
}

/// `out[i, j] = x[i, (5 j + 1) mod n] - x[i, j]`, in part for the last column, `few[i, 2] = x[i, 0]`, and `sum[i, j] = sum[i, j] + x[i, j]`, in rows of n.
#[test]
fn columns_of_short_rows() {
    for dtype in [DType::F32, DType::F64, DType::I32, DType::U64] {
        for (len, row) in [1, 8, 16, 37, 100].into_iter().flat_map(|len| [9, 16, 17, 31, 33, 64].map(|row| (len, row)))
        {
            let size = row * len;
            let params = [
                (dtype, size, Access::Read),
                (dtype, size, Access::Write),
                (dtype, size, Access::Write),
                (dtype, size, Access::ReadWrite),
            ];
            let mut k = KernelBuilder::new(Class::Map, &params, 1);
            let three = k.reg(dtype);
            k.kernel.body.push(Inst::Let { result: three, value: Expr::Const(Scalar::from_i64(dtype, 3)) });
            let all = k.reg(DType::I64);
            let fill =
                [1, 2, 3].map(|param| Inst::Store { param: ParamId(param), index: Index::reg(all), value: three });
            let variable = k.reg(DType::I64);
            let at = |place: usize| Index::reg(variable).times(row as i64).offset(place as i64);
            let mut body = vec![];
            // Whole rows, or the last block without its last column.
            for j in 0..if len % 2 == 0 { row } else { row - 1 } {
                let x = k.load(&mut body, 0, at((5 * j + 1) % row));
                let y = k.load(&mut body, 0, at(j));
                let difference = k.let_(&mut body, dtype, Expr::Binary(Binary::Sub, x, y));
                k.store(&mut body, 1, at(j), difference);
                let sum = k.load(&mut body, 3, at(j));
                let sum = k.let_(&mut body, dtype, Expr::Binary(Binary::Add, sum, y));
                k.store(&mut body, 3, at(j), sum);
            }
            let first = k.load(&mut body, 0, at(0));
            k.store(&mut body, 2, at(2), first);
            for (variable, trip, body) in [(all, size, fill.to_vec()), (variable, len, body)] {
                let (begin, end) = (Index::constant(0), Index::constant(trip as i64));
                let order = Order::Vector;
                k.kernel.body.push(Inst::Loop(Loop { variable, begin, end, carried: vec![], order, body }));
            }
            check(k.kernel, &[numbers(dtype, size)], &format!("{dtype}, {len} rows of {row}"));
        }
    }
}

/// `out[i] = i even ? x[k[i]] : -1`, where positions are outside of x wherever i is odd, and the same without positions.
#[test]
fn loads_under_masks() {
    for dtype in [DType::F32, DType::F64, DType::I64, DType::I16, DType::Bool, DType::BF16] {
        for len in LENGTHS {
            let at = tensor(
                DType::I64,
                (0..len).map(|i| Scalar::new(if i % 2 == 0 { i as i64 } else { i64::MAX / 16 - i as i64 })),
            );
            let even = Tensor::from_vec([len], (0..len).map(|i| i % 2 == 0).collect());
            let params = [
                (DType::I64, len, Access::Read),
                (DType::Bool, len, Access::Read),
                (dtype, len, Access::Read),
                (dtype, len, Access::Write),
                (dtype, len, Access::Write),
            ];
            let mut k = KernelBuilder::new(Class::Map, &params, len);
            let variable = k.reg(DType::I64);
            let mut top = vec![];
            let otherwise = k.let_(&mut top, dtype, Expr::Const(Scalar::from_f64(dtype, -1.0)));
            let mut body = vec![];
            let at_register = k.load(&mut body, 0, Index::reg(variable));
            let condition = k.load(&mut body, 1, Index::reg(variable));
            for (output, index) in [(3, Index::reg(at_register)), (4, Index::reg(variable))] {
                let result = k.reg(dtype);
                let mask = Some(Mask { condition, otherwise });
                body.push(Inst::Load { result, param: ParamId(2), index, mask });
                k.store(&mut body, output, Index::reg(variable), result);
            }
            top.push(k.over_range(variable, Order::Independent, body));
            k.kernel.body = top;
            check(k.kernel, &[at, even, numbers(dtype, len)], &format!("{len} masked loads of {dtype}"));
        }
    }
}

/// `out[i] = x[i] / y` with a y that the loop does not change, loaded or constant: the bits of the processor's division.
#[test]
fn division_by_one_number() {
    for dtype in [DType::F32, DType::F64] {
        let number = |x: f64| Scalar::from_f64(dtype, x);
        let (least, greatest) = if dtype == DType::F32 { (-149, 127) } else { (-1074, 1023) };
        let special = [f64::INFINITY, f64::NAN, 0.0, f32::MAX as f64, f64::MAX];
        let mut dividends: Vec<f64> = special.into_iter().flat_map(|x| [x, -x]).collect();
        for exponent in least..=greatest {
            let power = 2f64.powi(exponent);
            dividends.extend([1.0, -3.0, 1.1, -1.9999998, 1.3333334].map(|x| x * power));
        }
        let x = tensor(dtype, dividends.iter().map(|&x| number(x)));
        let powers = [-130, -127, -41, -40, -1, 0, 1, 60, 61, 126].map(|e| 2f64.powi(e));
        let divisors =
            powers.into_iter().chain([3.0, 6.0, 7.0, 10.0, 1.9999999, 1e9, -3.0, -0.7, 1e200, 1e-200]).chain(special);
        for (y, constant) in divisors.flat_map(|y| [(y, false), (y, true)]) {
            let len = dividends.len();
            let params = [(dtype, len, Access::Read), (dtype, 1, Access::Read), (dtype, len, Access::Write)];
            let mut k = KernelBuilder::new(Class::Map, &params, len);
            let variable = k.reg(DType::I64);
            let mut top = vec![];
            let divisor = match constant {
                true => k.let_(&mut top, dtype, Expr::Const(number(y))),
                false => k.load(&mut top, 1, Index::constant(0)),
            };
            let mut body = vec![];
            let dividend = k.load(&mut body, 0, Index::reg(variable));
            let quotient = k.let_(&mut body, dtype, Expr::Binary(Binary::Div, dividend, divisor));
            k.store(&mut body, 2, Index::reg(variable), quotient);
            top.push(k.over_range(variable, Order::Vector, body));
            k.kernel.body = top;
            check(k.kernel, &[x.clone(), tensor(dtype, [number(y)])], &format!("{dtype} / {y}, constant: {constant}"));
        }
    }
}

/// Values of all widths in one loop.
#[test]
fn mixed_widths() {
    for len in LENGTHS {
        let params = [
            (DType::F32, len, Access::Read),
            (DType::F64, len, Access::Read),
            (DType::I8, len, Access::Read),
            (DType::F64, len, Access::Write),
            (DType::F32, len, Access::Write),
            (DType::I64, len, Access::Write),
            (DType::U16, len, Access::Write),
            (DType::Bool, len, Access::Write),
        ];
        let mut k = KernelBuilder::new(Class::Map, &params, len);
        let variable = k.reg(DType::I64);
        let mut body = vec![];
        let [x, y, n] = [0, 1, 2].map(|param| k.load(&mut body, param, Index::reg(variable)));
        let wide = k.let_(&mut body, DType::F64, Expr::Convert(x));
        let sum = k.let_(&mut body, DType::F64, Expr::Binary(Binary::Add, wide, y));
        let narrow = k.let_(&mut body, DType::F32, Expr::Convert(sum));
        let root = k.let_(&mut body, DType::F32, Expr::Unary(Unary::Abs, narrow));
        let root = k.let_(&mut body, DType::F32, Expr::Unary(Unary::Sqrt, root));
        let less = k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Lt, narrow, root));
        let more = k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Gt, y, wide));
        let either = k.let_(&mut body, DType::Bool, Expr::Binary(Binary::Xor, less, more));
        let integer = k.let_(&mut body, DType::I64, Expr::Convert(n));
        let total = k.let_(&mut body, DType::I64, Expr::Index(Index::reg(integer).plus(&Index::reg(variable), 5)));
        let short = k.let_(&mut body, DType::U16, Expr::Convert(total));
        let picked = k.let_(&mut body, DType::F64, Expr::Select { condition: either, on_true: sum, on_false: wide });
        for (param, value) in [(3, picked), (4, root), (5, total), (6, short), (7, either)] {
            k.store(&mut body, param, Index::reg(variable), value);
        }
        let body = k.over_range(variable, Order::Vector, body);
        k.kernel.body.push(body);
        let inputs = [numbers(DType::F32, len), numbers(DType::F64, len), numbers(DType::I8, len)];
        check(k.kernel, &inputs, &format!("{len} elements of mixed widths"));
    }
}

/// More inputs than address registers, more values than vector registers, more conditions than mask registers, and calls in between.
#[test]
fn more_than_there_are_registers() {
    const INPUTS: usize = 14;
    const VALUES: usize = 50;
    for (dtype, len) in [DType::F32, DType::F64, DType::BF16].into_iter().flat_map(|d| LENGTHS.map(|len| (d, len))) {
        let mut params = vec![(dtype, len, Access::Read); INPUTS];
        params.push((dtype, len, Access::Write));
        let mut k = KernelBuilder::new(Class::Map, &params, len);
        let variable = k.reg(DType::I64);
        let mut body = vec![];
        let inputs: Vec<Reg> = (0..INPUTS as u32).map(|i| k.load(&mut body, i, Index::reg(variable))).collect();
        let mut values = vec![];
        let mut conditions = vec![];
        for i in 0..VALUES {
            let (x, y) = (inputs[i % INPUTS], inputs[(i * 5 + 3) % INPUTS]);
            values.push(k.let_(&mut body, dtype, Expr::Binary(Binary::Max, x, y)));
            conditions.push(k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Lt, x, y)));
        }
        // A function without an instruction, while all of that is alive.
        let called = k.let_(&mut body, dtype, Expr::Unary(Unary::Cbrt, values[0]));
        let powers = k.let_(&mut body, dtype, Expr::Binary(Binary::Rem, called, values[1]));
        let mut total = powers;
        for (i, &value) in values.iter().enumerate() {
            let sum = k.let_(&mut body, dtype, Expr::Binary(Binary::Add, total, value));
            let condition = conditions[VALUES - 1 - i];
            total = k.let_(&mut body, dtype, Expr::Select { condition, on_true: sum, on_false: total });
        }
        k.store(&mut body, INPUTS as u32, Index::reg(variable), total);
        let body = k.over_range(variable, Order::Vector, body);
        k.kernel.body.push(body);
        let inputs: Vec<Tensor> = (0..INPUTS)
            .map(|i| {
                let x = numbers(dtype, len + i);
                tensor(dtype, (i..len + i).map(|j| x.get(j)))
            })
            .collect();
        check(k.kernel, &inputs, &format!("{len} of {dtype} with many values"));
    }
}

/// Several reductions of different types in one loop.
#[test]
fn reductions_together() {
    for len in LENGTHS {
        let params = [
            (DType::I32, len, Access::Read),
            (DType::I32, 1, Access::Write),
            (DType::U8, 1, Access::Write),
            (DType::Bool, 1, Access::Write),
            (DType::Bool, 1, Access::Write),
        ];
        let mut k = KernelBuilder::new(Class::Reduce, &params, 1);
        let variable = k.reg(DType::I64);
        let (mut top, mut body) = (vec![], vec![]);
        let x = k.load(&mut body, 0, Index::reg(variable));
        let byte = k.let_(&mut body, DType::U8, Expr::Convert(x));
        let five = k.let_(&mut body, DType::I32, Expr::Const(Scalar::new(5i32)));
        let large = k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Gt, x, five));
        let mut carried = vec![];
        for (dtype, op, value) in [
            (DType::I32, Binary::Min, x),
            (DType::U8, Binary::Add, byte),
            (DType::Bool, Binary::Or, large),
            (DType::Bool, Binary::Xor, large),
        ] {
            let init = k.let_(&mut top, dtype, Expr::Const(Scalar::one(dtype)));
            let register = k.reg(dtype);
            let next = k.let_(&mut body, dtype, Expr::Binary(op, register, value));
            carried.push(Carry { register, init, next });
        }
        let results: Vec<Reg> = carried.iter().map(|c| c.register).collect();
        top.push(Inst::Loop(Loop {
            variable,
            begin: Index::constant(0),
            end: Index::constant(len as i64),
            carried,
            order: Order::VectorReduce,
            body,
        }));
        for (i, &result) in results.iter().enumerate() {
            k.store(&mut top, 1 + i as u32, Index::constant(0), result);
        }
        k.kernel.body = top;
        check(k.kernel, &[positions(DType::I32, len, 97)], &format!("four reductions of {len}"));
    }
}

/// The tests of generated code again, with less than this processor has.
#[test]
fn less_than_this_processor_has() {
    if std::env::var_os("RJAX_CPU").is_some() {
        return;
    }
    let levels: &[&str] = match wide_vectors() {
        Some(Wide::Avx512) => &["avx2", "portable"],
        Some(Wide::Avx2) => {
            println!("skipped: this processor has no AVX-512, so that no test runs its code");
            &["portable"]
        }
        None => {
            println!("skipped: this processor has neither AVX2 nor AVX-512, so that no test runs code for them");
            return;
        }
    };
    let tests = std::env::current_exe().expect("the tests are a file");
    for level in levels {
        let run = Command::new(&tests)
            .args(["tests::elementwise", "tests::functions", "tests::loops", "tests::plans", "tests::wide"])
            .env("RJAX_CPU", level)
            .output()
            .expect("it can be run again");
        assert!(run.status.success(), "RJAX_CPU={level}:\n{}", String::from_utf8_lossy(&run.stdout));
    }
}
