//! The interpreter against values that JAX computed (`jax.txt`), and the properties that single cases do not show.

use std::collections::BTreeSet;
use std::slice;

use crate::text::names;
use crate::{
    Atom, Aval, Binary, Builder, Compare, DType, Element, Interpreter, Op, Program, Reducer, Scalar, Tensor, Unary,
    bf16, eval, eval_op, f16,
};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn values(text: &str) -> Vec<Tensor> {
    Tensor::parse_list(text, "values").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn show(tensors: &[Tensor]) -> String {
    tensors.iter().map(Tensor::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether all elements agree: to the bit except for NaN, or, where `near`, to within two parts in a million.
fn agree(found: &Tensor, expected: &Tensor, near: bool) -> bool {
    fn same(x: f64, y: f64, near: bool) -> bool {
        x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan() || near && (x - y).abs() <= 2e-6 * y.abs()
    }
    found.aval() == expected.aval()
        && with_element!(found.dtype(), T => {
            found.as_slice::<T>().iter().zip(expected.as_slice::<T>()).all(|(x, y)| {
                let (x, y) = (x.to_c128(), y.to_c128());
                same(x.re, y.re, near) && same(x.im, y.im, near)
            })
        })
}

/// The programs with inputs and outputs of `jax.txt` and `programs.txt`: text, inputs, outputs, whether they are rounded.
fn cases() -> impl Iterator<Item = (Program, Vec<Tensor>, Vec<Tensor>, bool)> {
    let files = [include_str!("jax.txt"), include_str!("programs.txt")];
    let blocks = files.into_iter().flat_map(|file| file.split("\n\n"));
    let texts = blocks.map(|block| block.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"));
    texts.filter(|text| !text.trim().is_empty()).map(|text| {
        let (text, outputs) = text.trim_end().rsplit_once('\n').expect("a line of outputs");
        let (text, inputs) = text.rsplit_once('\n').expect("a line of inputs");
        let near = outputs.starts_with("near");
        let list = |line: &str| values(&line[line.find(' ').unwrap_or(line.len())..]);
        (parse(text), list(inputs), list(outputs), near)
    })
}

#[test]
fn programs_give_the_expected_values() {
    let mut failures = Vec::new();
    for (program, inputs, expected, near) in cases() {
        let found = eval(&program, &inputs).unwrap_or_else(|e| panic!("{e}\n{program}"));
        let good = found.len() == expected.len() && found.iter().zip(&expected).all(|(f, e)| agree(f, e, near));
        if !good {
            let [inputs, expected, found] = [&inputs, &expected, &found].map(|tensors| show(tensors));
            failures.push(format!("{program}\nof       {inputs}\nexpected {expected}\nfound    {found}\n"));
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_structured_op_has_a_case() {
    let mut seen = BTreeSet::from(["psum", "pmax", "pmin", "axis_index", "custom_lin"]);
    seen.extend(Unary::ALL.iter().map(|op| op.name()));
    seen.extend(Binary::ALL.iter().map(|op| op.name()));
    seen.extend(Compare::ALL.iter().map(|op| op.name()));
    for (program, ..) in cases() {
        seen.extend(program.eqns.iter().map(|eqn| eqn.op.name()));
    }
    let missing: Vec<_> = names().into_iter().filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "ops without a case: {missing:?}");
}

/// Values at which something special happens in one dtype or another.
fn specials(dtype: DType) -> Tensor {
    let numbers = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 7.0, 127.0, -128.0, 1e30, -1e30, f64::INFINITY, f64::NAN];
    with_element!(dtype, T => {
        let values: Vec<T> = numbers.iter().map(|&x| Scalar::from_f64(dtype, x).get()).collect();
        Tensor::from_vec([values.len()], values)
    })
}

#[test]
fn elementwise_ops_are_total() {
    let ops = (Unary::ALL.iter().map(|&op| (Op::Unary(op), op.accepts(), 1)))
        .chain(Binary::ALL.iter().map(|&op| (Op::Binary(op), op.accepts(), 2)))
        .chain(Compare::ALL.iter().map(|&op| (Op::Compare(op), op.accepts(), 2)));
    for (op, accepts, arity) in ops {
        for dtype in accepts.iter() {
            let line = specials(dtype);
            let count = line.shape().size();
            let columns =
                eval_op(&Op::BroadcastInDim { shape: [count, count].into(), dims: vec![0] }, slice::from_ref(&line));
            let rows = eval_op(&Op::BroadcastInDim { shape: [count, count].into(), dims: vec![1] }, &[line]);
            let operands = [columns.unwrap()[0].clone(), rows.unwrap()[0].clone()];
            let scalars = operands.clone().map(|x| x.get(0).to_tensor());
            let empty = operands.clone().map(|x| Tensor::zeros(&Aval::new(x.dtype(), [3, 0])));
            for operands in [operands, scalars, empty] {
                let results = eval_op(&op, &operands[..arity]).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(results[0].shape(), operands[0].shape(), "{}", op.name());
            }
        }
    }
}

fn reduce(reducer: Reducer, x: Tensor) -> Scalar {
    let axes = (0..x.shape().rank()).collect();
    eval_op(&Op::Reduce { reducer, axes }, &[x]).unwrap()[0].get(0)
}

#[test]
fn long_sums_keep_their_accuracy() {
    let tenths = |n: usize| Tensor::from_vec([n], vec![0.1f32; n]);
    let sum = reduce(Reducer::Sum, tenths(10_000_000)).to_f64();
    assert!((sum - 1e6).abs() < 1.0, "{sum}");
    let prefixes = parse("{ lambda ; a:f32[1000000]. let b:f32[1000000] = cumsum[axis=0 reverse=True] a in (b,) }");
    let first = eval(&prefixes, &[tenths(1_000_000)]).unwrap()[0].get(0).to_f64();
    assert!((first - 1e5).abs() < 0.1, "{first}");
    // Each partial sum would stay at 256 or 2048, were it rounded to bf16 or f16.
    assert_eq!(
        reduce(Reducer::Sum, Tensor::from_vec([1000], vec![bf16::ONE; 1000])).get::<bf16>(),
        bf16::from_f32(1000.0)
    );
    assert_eq!(
        reduce(Reducer::Sum, Tensor::from_vec([4000], vec![f16::ONE; 4000])).get::<f16>(),
        f16::from_f32(4000.0)
    );
    assert!(reduce(Reducer::Sum, Tensor::from_vec([1], vec![-0.0f32])).get::<f32>().is_sign_positive());
}

#[test]
fn reductions_of_nothing_give_the_identity() {
    for reducer in Reducer::ALL {
        for dtype in reducer.accepts().iter() {
            let found = reduce(*reducer, Tensor::zeros(&Aval::new(dtype, [2, 0])));
            assert_eq!(found, reducer.identity(dtype), "{} of {dtype}", reducer.name());
            let x = specials(dtype);
            let kept = x.get(2).to_tensor().reshape([1]);
            assert_eq!(reduce(*reducer, kept), x.get(2), "{} of one {dtype}", reducer.name());
        }
    }
}

/// `split` and `random_bits` of the keys 0 and 42, as JAX's partitionable Threefry defines them.
#[test]
fn keys_split_and_draw_as_in_jax() {
    let blocks = |seed: u32, counters: &[u32]| -> Vec<[u32; 2]> {
        let word = |value: u32| Tensor::from_vec([counters.len()], vec![value; counters.len()]);
        let operands = [word(0), word(seed), word(0), Tensor::from_vec([counters.len()], counters.to_vec())];
        let words = eval_op(&Op::Threefry2x32, &operands).unwrap();
        words[0].to_vec::<u32>().into_iter().zip(words[1].to_vec()).map(|(x, y)| [x, y]).collect()
    };
    assert_eq!(blocks(0, &[0, 1]), [[0x6b200159, 0x99ba4efe], [0x375f238f, 0xcddb151d]]);
    assert_eq!(blocks(42, &[0, 1, 2]), [[0x6d3e048f, 0x1022172d], [0x03d7b32d, 0xadd083f4], [0x92fb20ea, 0x0f38d913]]);
    assert_eq!(blocks(0, &[7]), [[0xa1ef7a4d, 0x116eb6b3]]);
    let bits: Vec<u32> = blocks(42, &[0, 1, 2, 3]).iter().map(|[x, y]| x ^ y).collect();
    assert_eq!(bits, [0x7d1c13a2, 0xae0730d9, 0x9dc3f9f9, 0x8f9ec1d7]);
}

#[test]
fn long_programs_and_long_loops_run() {
    let mut b = Builder::new();
    let mut x = b.input(Aval::new(DType::I32, [1000]));
    let one = b.ones(&Aval::new(DType::I32, [1000]));
    for _ in 0..20_000 {
        x = b.add(x, one);
    }
    let program = b.finish(vec![x]);
    assert_eq!(
        eval(&program, &[Tensor::zeros(&program.in_avals()[0])]).unwrap()[0].to_vec::<i32>(),
        vec![20_000; 1000]
    );

    let count = parse(
        "{ lambda ; a:i32[] b:i32[]. let
            c:i32[] = while[
              body_jaxpr={ lambda ; a:i32[]. let b:i32[] = add a 1:i32 in (b,) } body_nconsts=0
              cond_jaxpr={ lambda ; a:i32[] b:i32[]. let c:bool[] = lt b a in (c,) } cond_nconsts=1
            ] a b in (c,) }",
    );
    assert_eq!(show(&eval(&count, &values("100000:i32, 0:i32")).unwrap()), "100000:i32");
}

#[test]
fn prints_come_in_order() {
    let program = parse(
        "{ lambda ; a:i32[2,2] b:f32[]. let
            debug_print[fmt=\"{{a}} = {}\"] a
            c:i32[] d:f32[2] = scan[
              jaxpr={ lambda ; a:i32[]. let debug_print[fmt=\"step {}\"] a; b:i32[] = add a 1:i32 in (b, 0.5:f32) }
              length=2 num_carry=1 num_consts=0 reverse=False ] 0:i32
            e:c64[] = complex b -2.5:f32
            debug_print[fmt=\"{} {}\"] e d
          in () }",
    );
    for program in [program.clone(), program.dce()] {
        let mut printed = Vec::new();
        let mut print = |text: &str| printed.push(text.to_string());
        Interpreter::new(&mut print).eval(&program, &values("i32[2,2]={1 2 3 4}, 1.0:f32")).unwrap();
        assert_eq!(printed, ["{a} = [[1, 2], [3, 4]]", "step 0", "step 1", "1.0-2.5i [0.5, 0.5]"]);
    }
}

#[test]
fn errors_name_what_does_not_fit() {
    let add = parse("{ lambda ; a:f32[2] b:f32[2]. let c:f32[2] = add a b in (c,) }");
    let message = |program: &Program, inputs: &str| eval(program, &values(inputs)).unwrap_err().message;
    assert_eq!(message(&add, "f32[2]={1.0 2.0}"), "eval: expected 2 arguments, found 1");
    assert_eq!(
        message(&add, "f32[2]={1.0 2.0}, f32[3]={1.0 2.0 3.0}"),
        "eval: argument 1 must have type f32[2], found f32[3]"
    );
    let psum = parse("{ lambda ; a:f32[]. let b:f32[] = psum[axes=(i,)] a in (b,) }");
    assert_eq!(message(&psum, "1.0:f32"), "equation 0 (psum): axis i is not bound by any vmap around it");
    let index = eval_op(&psum.eqns[0].op, &values("1.0:f32")).unwrap_err();
    assert_eq!(index.message, "psum: axis i is not bound by any vmap around it");
}

#[test]
fn literals_and_repeated_outputs_are_values() {
    let program = parse("{ lambda ; a:f32[]. let in (a, 2.0:f32, a, True) }");
    assert_eq!(show(&eval(&program, &values("1.0:f32")).unwrap()), "1.0:f32, 2.0:f32, 1.0:f32, True");
    let unused = parse("{ lambda ; a:f32[] b:f32[]. let c:f32[] = mul b b in (a,) }");
    assert_eq!(show(&eval(&unused, &values("1.0:f32, 3.0:f32")).unwrap()), "1.0:f32");
    assert_eq!(unused.dce().outvars, [Atom::Var(unused.invars[0])]);
    assert!(unused.dce().eqns.is_empty());
}
