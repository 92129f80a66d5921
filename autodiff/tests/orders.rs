//! Derivatives of derivatives, in every order of the modes.

use rjax_autodiff::{BatchAxis, grad, jvp, jvp_active, value_and_grad, vjp_program, vmap};
use rjax_ir::{Aval, Builder, DType, Program, Tensor, eval, verify};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn scalar(program: &Program, x: f64) -> f64 {
    verify(program).unwrap();
    eval(program, &[Tensor::scalar(x)]).unwrap()[0].get(0).to_f64()
}

/// tanh by exponentials, as in JAX's README.
const TANH: &str = "{ lambda ; x:f64[]. let
    a:f64[] = mul -2.0:f64 x; b:f64[] = exp a; c:f64[] = sub 1.0:f64 b; d:f64[] = add 1.0:f64 b; y:f64[] = div c d
    in (y,) }";

#[test]
fn derivatives_of_tanh() {
    let t = 1f64.tanh();
    let s = 1.0 - t * t;
    let expected = [t, s, -2.0 * t * s, s * (6.0 * t * t - 2.0), s * t * (16.0 - 24.0 * t * t)];
    let mut derivative = parse(TANH);
    for (order, expected) in expected.into_iter().enumerate() {
        let found = scalar(&derivative, 1.0);
        assert!((found - expected).abs() < 1e-12, "order {order}: {found}, expected {expected}");
        derivative = grad(&derivative, None).unwrap();
    }
}

/// The tangent output of the derivative in forward mode, at tangent 1, as a program of one input.
fn forward(program: &Program) -> Program {
    let (pushed, _) = jvp_active(program, &[true]).unwrap();
    let mut b = Builder::new();
    let x = b.input(Aval::scalar(DType::F64));
    let y = b.inline(&pushed, &[x, rjax_ir::Scalar::new(1.0f64).into()]);
    b.finish(vec![y[1]])
}

#[test]
fn modes_commute() {
    let t = 1f64.tanh();
    let expected = (1.0 - t * t) * (6.0 * t * t - 2.0);
    for modes in 0..8 {
        let mut program = parse(TANH);
        for level in 0..3 {
            program = if modes >> level & 1 == 0 { forward(&program) } else { grad(&program, None).unwrap() };
        }
        let found = scalar(&program, 1.0);
        assert!((found - expected).abs() < 1e-12, "modes {modes:03b}: {found}");
    }
}

#[test]
fn third_order_through_control_flow() {
    let text = "{ lambda ; x:f64[]. let
        i:bool[] = gt x 0.0:f64; j:i32[] = convert_element_type[new_dtype=i32] i
        a:f64[] = cond[branches=(
            { lambda ; x:f64[]. let y:f64[] = neg x in (y,) },
            { lambda ; x:f64[]. let y:f64[] = mul x x in (y,) })] j x
        b:f64[] = scan[
            jaxpr={ lambda ; k:f64[] c:f64[]. let
                d:f64[] = checkpoint[differentiated=False policy=nothing_saveable
                    jaxpr={ lambda ; k:f64[] c:f64[]. let e:f64[] = mul c k; f:f64[] = sin e in (f,) }] k c
                in (d,) }
            length=3 num_carry=1 num_consts=1 reverse=False] x a
        in (b,) }";
    let program = parse(text);
    let derivatives = |f: &dyn Fn(&Program) -> Program| {
        let (one, two) = (f(&program), f(&f(&program)));
        [scalar(&one, 0.7), scalar(&two, 0.7), scalar(&f(&two), 0.7)]
    };
    let reverse = derivatives(&|p| grad(p, None).unwrap());
    let forwards = derivatives(&forward);
    let step = 1e-5;
    for order in 0..3 {
        assert!((reverse[order] - forwards[order]).abs() < 1e-9, "{reverse:?} and {forwards:?}");
        let previous = (0..order).fold(program.clone(), |p, _| grad(&p, None).unwrap());
        let difference = (scalar(&previous, 0.7 + step) - scalar(&previous, 0.7 - step)) / (2.0 * step);
        assert!((reverse[order] - difference).abs() < 1e-6, "order {order}: {} and {difference}", reverse[order]);
    }
}

#[test]
fn hessians_by_batched_products_agree() {
    // f(x) = sum(sin(x)^2 * reversed(x))
    let f = parse(
        "{ lambda ; x:f64[3]. let
            a:f64[3] = sin x; b:f64[3] = integer_pow[y=2] a; c:f64[3] = rev[dimensions=(0,)] x
            d:f64[3] = mul b c; e:f64[] = reduce_sum[axes=(0,)] d in (e,) }",
    );
    let gradient = grad(&f, None).unwrap();
    let x = Tensor::from_vec([3], vec![0.1, 0.5, -0.8]);
    let identity = Tensor::from_vec([3, 3], vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    let over = |derivative: Program| {
        let rows = vmap(&derivative, &BatchAxis::new(3), &[None, Some(0)], &[Some(0), Some(0)]).unwrap();
        eval(&rows, &[x.clone(), identity.clone()]).unwrap()[1].to_vec::<f64>()
    };
    let (forward, reverse) = (over(jvp(&gradient).unwrap()), over(vjp_program(&gradient).unwrap()));
    for i in 0..9 {
        assert!((forward[i] - reverse[i]).abs() < 1e-14);
        assert!((forward[i] - forward[i % 3 * 3 + i / 3]).abs() < 1e-14, "symmetric");
    }
}

#[test]
fn value_and_grad_returns_all_outputs_first() {
    let program = parse("{ lambda ; x:f64[] y:f64[] n:i32[]. let z:f64[] = mul x y in (z, n, x) }");
    let both = value_and_grad(&program, Some(&[1, 0])).unwrap();
    let inputs = [Tensor::scalar(2.0f64), Tensor::scalar(3.0f64), Tensor::scalar(7i32)];
    let found: Vec<f64> = eval(&both, &inputs).unwrap().iter().map(|t| t.get(0).to_f64()).collect();
    assert_eq!(found, [6.0, 7.0, 2.0, 2.0, 3.0]);
    // An output that does not depend on an input has gradient zero.
    let constant = parse("{ lambda ; x:f64[3]. let in (1.0:f64,) }");
    let zero = eval(&grad(&constant, None).unwrap(), &[Tensor::from_vec([3], vec![1.0; 3])]).unwrap();
    assert_eq!(zero[0].to_vec::<f64>(), [0.0; 3]);
}

#[test]
fn constants_stay_constants() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F64, [2]));
    let weights = b.constant(Tensor::from_vec([2], vec![3.0, 4.0]));
    let sine = b.unary(rjax_ir::Unary::Sin, weights);
    let products = b.mul(x, weights);
    let scaled = b.mul(products, sine);
    let square = b.mul(scaled, x);
    let total = b.reduce_sum(square, &[0]);
    let program = b.finish(vec![total]);
    let linearized = rjax_autodiff::linearize(&program, &[true]).unwrap();
    assert_eq!(linearized.linear.consts.len(), 1, "the weights are repeated, not handed over");
    let x = Tensor::from_vec([2], vec![1.0, -2.0]);
    let slopes = eval(&grad(&program, None).unwrap(), &[x]).unwrap()[0].to_vec::<f64>();
    let expected = [2.0 * 3.0 * 3f64.sin(), -4.0 * 4.0 * 4f64.sin()];
    assert!(slopes.iter().zip(expected).all(|(s, e)| (s - e).abs() < 1e-14), "{slopes:?}");
}
