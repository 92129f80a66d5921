//! Loops, branches, masks and indices.

use rjax_ir::{Binary, Compare, DType, Op, Scalar, Tensor, Unary, eval_op};
use rjax_kernel::kir::{Access, Carry, Class, Expr, If, Index, Inst, Loop, Mask, Order, ParamId, Phi, WhileLoop};

use super::{KernelBuilder, assert_same, build, module_of, tensor};

fn numbers(dtype: DType, len: usize) -> Tensor {
    tensor(
        dtype,
        (0..len).map(|i| {
            Scalar::from_f64(dtype, ((i * 37 + 11) % 64) as f64 - if dtype.is_unsigned_integer() { 0.0 } else { 31.5 })
        }),
    )
}

/// Sums (or other folds) of rows: `out[i] = fold of x[i, j] over j < columns`, exact for the values used.
#[test]
fn reductions_of_every_length() {
    for dtype in [DType::F32, DType::F64, DType::I8, DType::U16, DType::I32, DType::U32, DType::I64, DType::Bool] {
        for op in [Binary::Add, Binary::Max, Binary::Min, Binary::Xor, Binary::And] {
            if !op.accepts().contains(dtype) {
                continue;
            }
            for columns in [0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 100] {
                for known in [true, false] {
                    let rows = 3;
                    let params = [(dtype, rows * columns, Access::Read), (dtype, rows, Access::Write)];
                    let mut k = KernelBuilder::new(Class::Reduce, &params, rows);
                    let (row, column) = (k.reg(DType::I64), k.reg(DType::I64));
                    let mut outer = vec![];
                    let init = k.let_(&mut outer, dtype, Expr::Const(Scalar::one(dtype)));
                    let bound =
                        k.let_(&mut outer, DType::I64, Expr::Const(Scalar::from_i64(DType::I64, columns as i64)));
                    let total = k.reg(dtype);
                    let mut inner = vec![];
                    let index = Index::reg(column).plus(&Index::reg(row), columns as i64);
                    let x = k.load(&mut inner, 0, index);
                    let next = k.let_(&mut inner, dtype, Expr::Binary(op, total, x));
                    outer.push(Inst::Loop(Loop {
                        variable: column,
                        begin: Index::constant(0),
                        end: if known { Index::constant(columns as i64) } else { Index::reg(bound) },
                        carried: vec![Carry { register: total, init, next }],
                        order: Order::VectorReduce,
                        body: inner,
                    }));
                    k.store(&mut outer, 1, Index::reg(row), total);
                    let body = k.over_range(row, Order::Independent, outer);
                    k.kernel.body.push(body);
                    let x = numbers(dtype, rows * columns);
                    let found = build(&module_of(k.kernel)).call(std::slice::from_ref(&x)).expect("fits").remove(0);
                    let mut totals = tensor(dtype, vec![Scalar::one(dtype); rows]);
                    for column in 0..columns {
                        let values = tensor(dtype, (0..rows).map(|row| x.get(row * columns + column)));
                        totals = eval_op(&Op::Binary(op), &[totals, values]).expect("accepted").remove(0);
                    }
                    let expected = totals;
                    assert_same(&found, &expected, &format!("{} of {columns} {dtype}", op.name()));
                }
            }
        }
    }
}

#[test]
fn a_sum_of_negative_zeros_keeps_its_sign() {
    let len = 21;
    let mut k =
        KernelBuilder::new(Class::Reduce, &[(DType::F32, len, Access::Read), (DType::F32, 1, Access::Write)], 1);
    let mut body = vec![];
    let init = k.let_(&mut body, DType::F32, Expr::Const(Scalar::new(-0.0f32)));
    let (variable, total) = (k.reg(DType::I64), k.reg(DType::F32));
    let mut inner = vec![];
    let x = k.load(&mut inner, 0, Index::reg(variable));
    let next = k.let_(&mut inner, DType::F32, Expr::Binary(Binary::Add, total, x));
    body.push(Inst::Loop(Loop {
        variable,
        begin: Index::constant(0),
        end: Index::constant(len as i64),
        carried: vec![Carry { register: total, init, next }],
        order: Order::VectorReduce,
        body: inner,
    }));
    k.store(&mut body, 1, Index::constant(0), total);
    k.kernel.body = body;
    let zeros = Tensor::from_vec([len], vec![-0.0f32; len]);
    let found = build(&module_of(k.kernel)).call(&[zeros]).expect("fits").remove(0);
    assert!(found.as_slice::<f32>()[0].is_sign_negative());
}

/// `out[i] = x[i - 2]` where that exists, else -7: loads outside the array must not touch memory.
#[test]
fn masked_loads() {
    for (dtype, order) in [
        (DType::F32, Order::Vector),
        (DType::F64, Order::Independent),
        (DType::Bool, Order::Vector),
        (DType::F16, Order::Sequential),
    ] {
        let len = 10;
        let mut k =
            KernelBuilder::new(Class::Map, &[(dtype, len, Access::Read), (dtype, len + 4, Access::Write)], len + 4);
        let variable = k.reg(DType::I64);
        let mut top = vec![];
        let otherwise = k.let_(&mut top, dtype, Expr::Const(Scalar::from_f64(dtype, -7.0)));
        let mut body = vec![];
        let position = k.let_(&mut body, DType::I64, Expr::Index(Index::reg(variable).offset(-2)));
        let zero = k.let_(&mut body, DType::I64, Expr::Const(Scalar::zero(DType::I64)));
        let end = k.let_(&mut body, DType::I64, Expr::Const(Scalar::from_i64(DType::I64, len as i64)));
        let low = k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Ge, position, zero));
        let high = k.let_(&mut body, DType::Bool, Expr::Compare(Compare::Lt, position, end));
        let condition = k.let_(&mut body, DType::Bool, Expr::Binary(Binary::And, low, high));
        let result = k.reg(dtype);
        body.push(Inst::Load {
            result,
            param: ParamId(0),
            index: Index::reg(variable).offset(-2),
            mask: Some(Mask { condition, otherwise }),
        });
        k.store(&mut body, 1, Index::reg(variable), result);
        top.push(k.over_range(variable, order, body));
        k.kernel.body = top;
        let x = numbers(dtype, len);
        let found = build(&module_of(k.kernel)).call(std::slice::from_ref(&x)).expect("fits").remove(0);
        let outside = Scalar::from_f64(dtype, -7.0);
        let expected =
            tensor(dtype, (0..len + 4).map(|i| i.checked_sub(2).filter(|&p| p < len).map_or(outside, |p| x.get(p))));
        assert_same(&found, &expected, &format!("masked loads of {dtype}"));
    }
}

/// `out[i] = i / 3 * 100 + i % 3`, and the loop variable as a vector.
#[test]
fn index_arithmetic() {
    let len = 23;
    for order in [Order::Vector, Order::Independent] {
        let mut k = KernelBuilder::new(Class::Map, &[(DType::I64, len, Access::Write); 3], len);
        let variable = k.reg(DType::I64);
        let mut body = vec![];
        if order == Order::Independent {
            let quotient = k.let_(&mut body, DType::I64, Expr::IndexDiv(variable, 3));
            let rest = k.let_(&mut body, DType::I64, Expr::IndexRem(variable, 3));
            let sum = k.let_(&mut body, DType::I64, Expr::Index(Index::reg(rest).plus(&Index::reg(quotient), 100)));
            k.store(&mut body, 0, Index::reg(variable), sum);
        }
        let affine = k.let_(&mut body, DType::I64, Expr::Index(Index::reg(variable).times(-5).offset(7)));
        k.store(&mut body, 1, Index::reg(variable), affine);
        k.store(&mut body, 2, Index::reg(variable), variable);
        let body = k.over_range(variable, order, body);
        k.kernel.body.push(body);
        let found = build(&module_of(k.kernel)).call(&[]).expect("fits");
        for i in 0..len as i64 {
            if order == Order::Independent {
                assert_eq!(found[0].as_slice::<i64>()[i as usize], i / 3 * 100 + i % 3);
            }
            assert_eq!(found[1].as_slice::<i64>()[i as usize], 7 - 5 * i);
            assert_eq!(found[2].as_slice::<i64>()[i as usize], i);
        }
    }
}

/// Collatz lengths: a `while` with an `if` in it.
#[test]
fn whiles_and_ifs() {
    let len = 30;
    let params = [(DType::I64, len, Access::Read), (DType::I64, len, Access::Write)];
    let mut k = KernelBuilder::new(Class::Scan, &params, len);
    let variable = k.reg(DType::I64);
    let mut body = vec![];
    let start = k.load(&mut body, 0, Index::reg(variable));
    let constant = |v: i64| Expr::Const(Scalar::from_i64(DType::I64, v));
    let zero = k.let_(&mut body, DType::I64, constant(0));
    let one = k.let_(&mut body, DType::I64, constant(1));
    let two = k.let_(&mut body, DType::I64, constant(2));
    let three = k.let_(&mut body, DType::I64, constant(3));
    let (value, steps) = (k.reg(DType::I64), k.reg(DType::I64));
    let mut condition = vec![];
    let predicate = k.let_(&mut condition, DType::Bool, Expr::Compare(Compare::Gt, value, one));
    let mut run = vec![];
    let rest = k.let_(&mut run, DType::I64, Expr::Binary(Binary::And, value, one));
    let odd = k.let_(&mut run, DType::Bool, Expr::Convert(rest));
    let (mut then, mut otherwise) = (vec![], vec![]);
    let tripled = k.let_(&mut then, DType::I64, Expr::Binary(Binary::Mul, value, three));
    let up = k.let_(&mut then, DType::I64, Expr::Binary(Binary::Add, tripled, one));
    let down = k.let_(&mut otherwise, DType::I64, Expr::Binary(Binary::Div, value, two));
    let next = k.reg(DType::I64);
    let results = vec![Phi { register: next, then: up, otherwise: down }];
    run.push(Inst::If(If { condition: odd, then, otherwise, results }));
    let more = k.let_(&mut run, DType::I64, Expr::Index(Index::reg(steps).offset(1)));
    let carried = vec![Carry { register: value, init: start, next }, Carry { register: steps, init: zero, next: more }];
    body.push(Inst::While(WhileLoop { carried, condition, predicate, body: run }));
    k.store(&mut body, 1, Index::reg(variable), steps);
    let body = k.over_range(variable, Order::Independent, body);
    k.kernel.body.push(body);
    let starts: Vec<i64> = (1..=len as i64).collect();
    let found = build(&module_of(k.kernel)).call(&[Tensor::from_vec([len], starts.clone())]).expect("fits").remove(0);
    let length = |mut n: i64| {
        let mut steps = 0;
        while n > 1 {
            n = if n % 2 == 1 { 3 * n + 1 } else { n / 2 };
            steps += 1;
        }
        steps
    };
    assert_eq!(found.as_slice::<i64>(), starts.into_iter().map(length).collect::<Vec<_>>());
}

/// `out[i, j] = (sin x[j]) * y[i]`: loads that do not move, in a vector loop with a remainder; two outputs.
#[test]
fn broadcasts_in_vector_loops() {
    let (rows, columns) = (3, 13);
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        let params = [
            (dtype, columns, Access::Read),
            (dtype, rows, Access::Read),
            (dtype, rows * columns, Access::Write),
            (DType::Bool, rows * columns, Access::Write),
        ];
        let mut k = KernelBuilder::new(Class::Map, &params, rows);
        let (i, j) = (k.reg(DType::I64), k.reg(DType::I64));
        let mut inner = vec![];
        let x = k.load(&mut inner, 0, Index::reg(j));
        let y = k.load(&mut inner, 1, Index::reg(i));
        let root = k.let_(&mut inner, dtype, Expr::Unary(Unary::Sqrt, x));
        let product = k.let_(&mut inner, dtype, Expr::Binary(Binary::Mul, root, y));
        let greater = k.let_(&mut inner, DType::Bool, Expr::Compare(Compare::Gt, product, y));
        let at = Index::reg(j).plus(&Index::reg(i), columns as i64);
        k.store(&mut inner, 2, at.clone(), product);
        k.store(&mut inner, 3, at, greater);
        let inner = Inst::Loop(Loop {
            variable: j,
            begin: Index::constant(0),
            end: Index::constant(columns as i64),
            carried: vec![],
            order: Order::Vector,
            body: inner,
        });
        let body = k.over_range(i, Order::Independent, vec![inner]);
        k.kernel.body.push(body);
        let (x, y) = (numbers(dtype, columns), numbers(dtype, rows));
        let found = build(&module_of(k.kernel)).call(&[x.clone(), y.clone()]).expect("fits");
        let eval = |op: Op, inputs: &[Tensor]| eval_op(&op, inputs).expect("accepted").remove(0);
        let all = 0..rows * columns;
        let xs = tensor(dtype, all.clone().map(|p| x.get(p % columns)));
        let ys = tensor(dtype, all.map(|p| y.get(p / columns)));
        let products = eval(Op::Binary(Binary::Mul), &[eval(Op::Unary(Unary::Sqrt), &[xs]), ys.clone()]);
        assert_same(&found[0], &products, &format!("products of {dtype}"));
        assert_same(&found[1], &eval(Op::Compare(Compare::Gt), &[products, ys]), "comparison");
    }
}
