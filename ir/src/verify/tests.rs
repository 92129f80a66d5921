//! Broken programs, and what the verifier says about them.

use std::sync::Arc;

use crate::{Atom, Aval, Builder, DType, Op, Program, Tensor, Unary, Var, verify, verify_with_axes};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}"))
}

fn sine() -> Program {
    parse("{ lambda ; a:f32[2]. let b:f32[2] = sin a; c:f32[2] = neg b in (c,) }")
}

#[test]
fn broken_programs_are_found() {
    let rows: [(&str, fn(&mut Program)); 9] = [
        ("equation 0 (sin): variable 1 is used before it is defined, or never defined", |p| {
            p.eqns[0].inputs[0] = Var(1).into()
        }),
        ("equation 0 (sin): variable 7 is used before it is defined, or never defined", |p| {
            p.eqns[0].inputs[0] = Var(7).into()
        }),
        ("equation 1 (neg): variable 1 is defined twice", |p| p.eqns[1].outputs[0] = Var(1)),
        ("equation 1 (neg): variable 9 has no type", |p| p.eqns[1].outputs[0] = Var(9)),
        ("outputs: variable 2 is used before it is defined, or never defined", |p| p.eqns.truncate(1)),
        ("inputs: variable 0 is defined twice", |p| p.invars.push(Var(0))),
        ("equation 0 (sin): result 0 has type f32[2], but is declared as f32[3]", |p| {
            p.avals[1] = Aval::new(DType::F32, [3])
        }),
        ("equation 0 (sin): expected one of f16, bf16, f32, f64, c64, c128, found i32[2]", |p| {
            p.avals[0] = Aval::new(DType::I32, [2])
        }),
        ("equation 1 (neg): the op has 1 result, but 0 are declared", |p| p.eqns[1].outputs.clear()),
    ];
    for (expected, damage) in rows {
        let mut program = sine();
        assert!(verify(&program).is_ok());
        damage(&mut program);
        assert_eq!(verify(&program).unwrap_err().message, expected);
    }
    let mut program = sine();
    program.consts.push((Var(1), Tensor::scalar(1.0f32)));
    assert_eq!(
        verify(&program).unwrap_err().message,
        "constants: variable 1 is declared as f32[2], but its value has type f32[]"
    );
}

#[test]
fn programs_inside_ops_are_verified() {
    let call = |inner: Program| {
        let mut b = Builder::new();
        let x = b.input(Aval::new(DType::F32, [2]));
        let y = b.call("inner", Arc::new(inner), &[x]);
        b.finish(y)
    };
    let mut broken = sine();
    broken.eqns.swap(0, 1);
    assert_eq!(
        verify(&call(broken)).unwrap_err().message,
        "equation 0 (jit): equation 0 (neg): variable 1 is used before it is defined, or never defined"
    );
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [2]));
    let y = b.unary(Unary::Sin, x);
    let mut with_constant = call(b.finish(vec![y]));
    let Op::Call { program, .. } = &mut with_constant.eqns[0].op else { unreachable!("a call") };
    let inner = Arc::make_mut(program);
    inner.avals.push(Aval::new(DType::F32, [2]));
    inner.consts.push((Var(2), Tensor::from_vec([2], vec![1.0f32, 2.0])));
    inner.outvars = vec![Atom::Var(Var(2))];
    assert_eq!(
        verify(&with_constant).unwrap_err().message,
        "equation 0 (jit): constants may stand only at top level; programs inside ops take them as operands"
    );
}

#[test]
fn named_axes_must_be_bound() {
    let program = parse("{ lambda ; a:f32[]. let b:f32[] = psum[axes=(i, j)] a in (b,) }");
    let error = verify_with_axes(&program, &["i".into()]).unwrap_err();
    assert_eq!(error.message, "equation 0 (psum): axis j is not bound by any vmap around it");
    assert_eq!(error.location.to_string(), "test:1:35");
    assert!(verify_with_axes(&program, &["j".into(), "i".into()]).is_ok());
}
