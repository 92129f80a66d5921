//! Gradients at ties and singular points are JAX's.

use rjax_autodiff::{grad, jvp, vjp_program};
use rjax_ir::{Complex128, Program, Scalar, Tensor, eval};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The gradient at x of the scalar function whose equations define `y` from `x`.
fn slope(equations: &str, x: f64) -> f64 {
    let program = parse(&format!("{{ lambda ; x:f64[]. let {equations} in (y,) }}"));
    let reverse = eval(&grad(&program, None).unwrap(), &[Tensor::scalar(x)]).unwrap()[0].get(0).to_f64();
    let forward = eval(&jvp(&program).unwrap(), &[Tensor::scalar(x), Tensor::scalar(1.0)]).unwrap()[1].get(0).to_f64();
    assert!(forward == reverse || forward.is_nan() && reverse.is_nan(), "{equations}: {forward} and {reverse}");
    reverse
}

#[test]
fn scalar_functions() {
    const INF: f64 = f64::INFINITY;
    for (equations, x, expected) in [
        ("y:f64[] = abs x", 0.0, 1.0),
        ("y:f64[] = max x 0.0:f64", 0.0, 0.5),
        ("y:f64[] = max 0.0:f64 x", 0.0, 0.5),
        ("y:f64[] = min x 0.0:f64", 0.0, 0.5),
        ("y:f64[] = max x 0.0:f64", 2.0, 1.0),
        ("y:f64[] = max x 0.0:f64", -2.0, 0.0),
        ("a:f64[] = max 0.0:f64 x; y:f64[] = min 1.0:f64 a", 0.0, 0.5),
        ("a:f64[] = max 0.0:f64 x; y:f64[] = min 1.0:f64 a", 1.0, 0.5),
        ("y:f64[] = clamp 0.0:f64 x 1.0:f64", 0.0, 0.0),
        ("y:f64[] = clamp 0.0:f64 x 1.0:f64", 1.0, 0.0),
        ("y:f64[] = clamp 0.0:f64 x 1.0:f64", 0.5, 1.0),
        ("y:f64[] = clamp x 0.25:f64 1.0:f64", 0.5, 1.0),
        ("y:f64[] = clamp 0.0:f64 3.0:f64 x", 0.5, 1.0),
        ("y:f64[] = sqrt x", 0.0, INF),
        ("a:f64[] = mul x x; y:f64[] = sqrt a", 0.0, f64::NAN),
        ("y:f64[] = integer_pow[y=0] x", 0.0, 0.0),
        ("y:f64[] = integer_pow[y=1] x", 0.0, 1.0),
        ("y:f64[] = integer_pow[y=2] x", 0.0, 0.0),
        ("y:f64[] = integer_pow[y=-2] x", 2.0, -0.25),
        ("y:f64[] = pow x 0.0:f64", 0.0, f64::NAN),
        ("y:f64[] = pow x 2.0:f64", 0.0, 0.0),
        ("y:f64[] = pow 0.0:f64 x", 0.0, 0.0),
        ("y:f64[] = pow x 3.0:f64", -2.0, 12.0),
        ("y:f64[] = log x", 0.0, INF),
        ("y:f64[] = atan2 x x", 0.0, f64::NAN),
        ("y:f64[] = sign x", 0.0, 0.0),
        ("y:f64[] = floor x", 1.5, 0.0),
        ("y:f64[] = round x", 1.5, 0.0),
        ("y:f64[] = rem x 2.0:f64", 5.0, 1.0),
        ("y:f64[] = rem 5.0:f64 x", 2.0, -2.0),
        ("y:f64[] = bessel_i1e x", 0.0, 0.5),
        ("a:bool[] = gt x 0.0:f64; y:f64[] = select_n a 0.0:f64 x", 0.0, 0.0),
        ("y:f64[] = stop_gradient x", 1.0, 0.0),
        ("a:i32[] = convert_element_type[new_dtype=i32] x; y:f64[] = convert_element_type[new_dtype=f64] a", 1.5, 0.0),
    ] {
        let found = slope(equations, x);
        assert!(found == expected || found.is_nan() && expected.is_nan(), "{equations} at {x}: {found}");
    }
}

/// A zero cotangent times an infinite slope is NaN in reverse; forward mode never asks for the slope.
#[test]
fn select_does_not_guard_its_operands() {
    let program =
        parse("{ lambda ; x:f64[]. let a:bool[] = lt x 1.0:f64; b:f64[] = sqrt x; y:f64[] = select_n a b x in (y,) }");
    let zero = Tensor::scalar(0.0);
    assert!(eval(&grad(&program, None).unwrap(), std::slice::from_ref(&zero)).unwrap()[0].get(0).to_f64().is_nan());
    assert_eq!(eval(&jvp(&program).unwrap(), &[zero, Tensor::scalar(1.0)]).unwrap()[1].get(0).to_f64(), 1.0);
}

/// The gradient at x of the sum of what the equations make of `x:f64[n]`.
fn gradient(equations: &str, x: &[f64]) -> Vec<f64> {
    let program = parse(&format!("{{ lambda ; x:f64[{}]. let {equations} in (y,) }}", x.len()));
    eval(&grad(&program, None).unwrap(), &[Tensor::from_vec([x.len()], x.to_vec())]).unwrap()[0].to_vec()
}

#[test]
fn ties_between_elements() {
    for (equations, x, expected) in [
        ("y:f64[] = reduce_max[axes=(0,)] x", vec![1.0, 2.0, 2.0, 0.0], vec![0.0, 0.5, 0.5, 0.0]),
        ("y:f64[] = reduce_min[axes=(0,)] x", vec![1.0, 1.0, 1.0, 2.0], vec![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]),
        ("y:f64[] = reduce_prod[axes=(0,)] x", vec![0.0, 2.0, 3.0], vec![6.0, 0.0, 0.0]),
        ("y:f64[] = reduce_prod[axes=(0,)] x", vec![0.0, 2.0, 0.0], vec![0.0, 0.0, 0.0]),
        (
            "a:f64[3] = cumprod[axis=0 reverse=False] x; y:f64[] = reduce_sum[axes=(0,)] a",
            vec![2.0, 0.0, 3.0],
            vec![1.0, 8.0, 0.0],
        ),
        // The last of the cumulative maxima is shared by those that attain it.
        (
            "a:f64[2] = cummax[axis=0 reverse=False] x; b:f64[1] = slice[start_indices=(1,) limit_indices=(2,) strides=None] a
             y:f64[] = reshape[new_sizes=()] b",
            vec![1.0, 1.0],
            vec![0.5, 0.5],
        ),
        // Ties keep their order, so the weights go by position.
        (
            "a:f64[3] = sort[dimension=0 is_stable=True num_keys=1] x
             w:f64[3] = iota[dimension=0 dtype=f64 shape=(3,)]; b:f64[3] = mul a w; y:f64[] = reduce_sum[axes=(0,)] b",
            vec![5.0, 1.0, 1.0],
            vec![2.0, 0.0, 1.0],
        ),
        (
            "a:f64[2] _:i32[2] = top_k[k=2] x; w:f64[2] = iota[dimension=0 dtype=f64 shape=(2,)]
             b:f64[2] = mul a w; y:f64[] = reduce_sum[axes=(0,)] b",
            vec![3.0, 7.0, 3.0],
            vec![1.0, 0.0, 0.0],
        ),
        (
            "a:f64[2] = reduce_window_max[base_dilation=(1,) padding=((0, 0),) window_dilation=(1,) window_dimensions=(2,)
               window_strides=(1,)] x
             y:f64[] = reduce_sum[axes=(0,)] a",
            vec![1.0, 1.0, 1.0],
            vec![1.0, 1.0, 0.0],
        ),
    ] {
        assert_eq!(gradient(equations, &x), expected, "{equations} at {x:?}");
    }
}

#[test]
fn extremes_that_an_update_ties_with() {
    // x[1] = max(x[1], 5, 5) with x[1] = 5: three share.
    let scatter = "{ lambda ; x:f64[2] i:i32[2,1] u:f64[2]. let
        a:f64[2] = scatter-max[
          dimension_numbers=ScatterDimensionNumbers(update_window_dims=(), inserted_window_dims=(0,),
            scatter_dims_to_operand_dims=(0,), operand_batching_dims=(), scatter_indices_batching_dims=())
          indices_are_sorted=False mode=clip unique_indices=False] x i u
        y:f64[] = reduce_sum[axes=(0,)] a in (y,) }";
    let inputs = [
        Tensor::from_vec([2], vec![1.0, 5.0]),
        Tensor::from_vec([2, 1], vec![1i32, 1]),
        Tensor::from_vec([2], vec![5.0, 5.0]),
    ];
    let found = eval(&grad(&parse(scatter), None).unwrap(), &inputs).unwrap();
    let third = 1.0 / 3.0;
    assert_eq!(found[0].to_vec::<f64>(), [1.0, third]);
    assert_eq!(found[1].to_vec::<f64>(), [third, third]);
    // With repeated indices the last update stands, and only it has a cotangent.
    let found = eval(&grad(&parse(&scatter.replace("scatter-max", "scatter")), None).unwrap(), &inputs).unwrap();
    assert_eq!(found[0].to_vec::<f64>(), [1.0, 0.0]);
    assert_eq!(found[1].to_vec::<f64>(), [0.0, 1.0]);
    // 5 * 0 * 3 with a zero among the factors, and 5 * 0 * 0.
    let product = parse(&scatter.replace("scatter-max", "scatter-mul"));
    for (updates, expected) in
        [(vec![0.0, 3.0], [15.0, 0.0]), (vec![0.0, 0.0], [0.0, 0.0]), (vec![2.0, 3.0], [15.0, 10.0])]
    {
        let inputs = [inputs[0].clone(), inputs[1].clone(), Tensor::from_vec([2], updates)];
        assert_eq!(eval(&grad(&product, None).unwrap(), &inputs).unwrap()[1].to_vec::<f64>(), expected);
    }
}

#[test]
fn complex_cotangents_are_not_conjugated() {
    let z = |re, im| Tensor::scalar(Complex128::new(re, im));
    let pull = |equations: &str, out: &str, at: [f64; 2], ct: Tensor| {
        let program = parse(&format!("{{ lambda ; x:c128[]. let {equations} in ({out},) }}"));
        eval(&vjp_program(&program).unwrap(), &[z(at[0], at[1]), ct]).unwrap()[1].get(0)
    };
    let c = |re, im| Scalar::new(Complex128::new(re, im));
    let one = || Tensor::scalar(1.0f64);
    let modulus = "a:f64[] = abs x; y:f64[] = mul a a";
    assert_eq!(pull(modulus, "y", [3.0, 4.0], one()), c(6.0, -8.0));
    assert_eq!(pull("y:f64[] = real x", "y", [3.0, 4.0], one()), c(1.0, 0.0));
    assert_eq!(pull("y:f64[] = imag x", "y", [3.0, 4.0], one()).to_c128(), Complex128::new(0.0, -1.0));
    assert_eq!(pull("y:c128[] = conj x", "y", [3.0, 4.0], z(0.0, 1.0)).to_c128(), Complex128::new(0.0, -1.0));
    assert_eq!(pull("y:c128[] = mul x (2.0+5.0j):c128", "y", [3.0, 4.0], z(1.0, 0.0)), c(2.0, 5.0));
    assert_eq!(pull("y:f64[] = abs x", "y", [0.0, 0.0], one()).to_c128(), Complex128::new(0.0, 0.0));
}
