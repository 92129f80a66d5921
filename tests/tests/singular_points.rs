//! Gradients at ties, kinks and poles are JAX's. Each row is a program, an input, and the gradient of the sum of its result.

use rjax_autodiff::vjp_program;
use rjax_ir::{Complex128, Program, Scalar, Tensor, eval};
use rjax_tests::compare::same;
use rjax_tests::report::check_all;

const INFINITY: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Program; values of its only input; expected gradient.
const REAL: &[(&str, &[f64], &[f64])] = &[
    ("{ lambda ; a:f64[1]. let b:f64[1] = abs a in (b,) }", &[0.0], &[1.0]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = abs a in (b,) }", &[-2.0], &[-1.0]),
    (
        "{ lambda ; a:f64[1]. let b:f64[1] = broadcast_in_dim[shape=(1,) broadcast_dimensions=()] 0.0:f64; c:f64[1] = max a b in (c,) }",
        &[0.0],
        &[0.5],
    ),
    (
        "{ lambda ; a:f64[1]. let b:f64[1] = broadcast_in_dim[shape=(1,) broadcast_dimensions=()] 0.0:f64; c:f64[1] = min b a in (c,) }",
        &[0.0],
        &[0.5],
    ),
    ("{ lambda ; a:f64[3]. let b:f64[3] = clamp 0.0:f64 a 1.0:f64 in (b,) }", &[0.0, 1.0, 0.5], &[0.0, 0.0, 1.0]),
    (
        "{ lambda ; a:f64[4]. let b:f64[] = reduce_max[axes=(0,)] a in (b,) }",
        &[3.0, 1.0, 3.0, 2.0],
        &[0.5, 0.0, 0.5, 0.0],
    ),
    ("{ lambda ; a:f64[3]. let b:f64[] = reduce_min[axes=(0,)] a in (b,) }", &[1.0, 1.0, 1.0], &[1.0 / 3.0; 3]),
    ("{ lambda ; a:f64[3]. let b:f64[] = reduce_prod[axes=(0,)] a in (b,) }", &[0.0, 2.0, 3.0], &[6.0, 0.0, 0.0]),
    ("{ lambda ; a:f64[3]. let b:f64[] = reduce_prod[axes=(0,)] a in (b,) }", &[0.0, 0.0, 3.0], &[0.0, 0.0, 0.0]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = sqrt a in (b,) }", &[0.0], &[INFINITY]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = mul a a; c:f64[1] = sqrt b in (c,) }", &[0.0], &[NAN]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = log a in (b,) }", &[0.0], &[INFINITY]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = integer_pow[y=0] a in (b,) }", &[0.0], &[0.0]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = integer_pow[y=1] a in (b,) }", &[0.0], &[1.0]),
    ("{ lambda ; a:f64[1]. let b:f64[1] = integer_pow[y=2] a in (b,) }", &[0.0], &[0.0]),
    (
        "{ lambda ; a:f64[1]. let b:f64[1] = broadcast_in_dim[shape=(1,) broadcast_dimensions=()] 2.0:f64; c:f64[1] = pow a b in (c,) }",
        &[0.0],
        &[0.0],
    ),
    (
        "{ lambda ; a:f64[1]. let b:f64[1] = broadcast_in_dim[shape=(1,) broadcast_dimensions=()] 0.0:f64; c:f64[1] = pow b a in (c,) }",
        &[0.0],
        &[0.0],
    ),
    ("{ lambda ; a:f64[1]. let b:f64[1] = atan2 a a in (b,) }", &[0.0], &[NAN]),
    ("{ lambda ; a:f64[4]. let b:f64[4] = sign a in (b,) }", &[0.0, -0.0, 2.0, -2.0], &[0.0; 4]),
    ("{ lambda ; a:f64[2]. let b:f64[2] = floor a in (b,) }", &[1.0, 1.5], &[0.0; 2]),
    ("{ lambda ; a:f64[2]. let b:f64[2] = round a in (b,) }", &[0.5, 1.0], &[0.0; 2]),
    (
        "{ lambda ; a:f64[1]. let b:bool[1] = gt a a; c:f64[1] = sqrt a; d:f64[1] = select_n b a c in (d,) }",
        &[0.0],
        &[NAN],
    ),
];

fn gradient(text: &str, input: Tensor) -> Result<Tensor, String> {
    let program = Program::parse(text, "row").map_err(|e| e.to_string())?;
    let reverse = vjp_program(&program).map_err(|e| e.to_string())?;
    let aval = &program.out_avals()[0];
    let ones = Tensor::full(aval.shape.clone(), Scalar::one(aval.dtype));
    Ok(eval(&reverse, &[input, ones]).map_err(|e| format!("{e}\n{reverse}"))?.remove(1))
}

#[test]
fn real() {
    check_all(
        REAL,
        |row| format!("{} at {:?}", row.0, row.1),
        |(text, input, expected)| {
            let found = gradient(text, Tensor::from_vec([input.len()], input.to_vec()))?.to_vec::<f64>();
            let same = found.iter().zip(*expected).all(|(f, e)| f == e || f.is_nan() && e.is_nan());
            if same { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
        },
    );
}

/// Equal elements share what sorts and running maxima pass on, so that the gradients sum to the number of results.
#[test]
fn ties_along_an_axis() {
    let rows: [(&str, &[f64], &[f64]); 2] = [
        (
            "{ lambda ; a:f64[3]. let b:f64[3] = sort[dimension=0 is_stable=True num_keys=1] a in (b,) }",
            &[1.0, 1.0, 0.0],
            &[1.0; 3],
        ),
        ("{ lambda ; a:f64[2]. let b:f64[2] = cummax[axis=0 reverse=False] a in (b,) }", &[1.0, 1.0], &[1.5, 0.5]),
    ];
    check_all(
        rows,
        |row| row.0.to_string(),
        |(text, input, expected)| {
            let found = gradient(text, Tensor::from_vec([input.len()], input.to_vec()))?.to_vec::<f64>();
            if found == *expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}")) }
        },
    );
}

#[test]
fn complex_abs() {
    let text = "{ lambda ; a:c128[2]. let b:f64[2] = abs a in (b,) }";
    let found = gradient(text, Tensor::from_vec([2], vec![Complex128::new(0.0, 0.0), Complex128::new(3.0, 4.0)]));
    let expected = Tensor::from_vec([2], vec![Complex128::new(0.0, 0.0), Complex128::new(0.6, -0.8)]);
    assert_eq!(same(&found.unwrap(), &expected, 1.0), Ok(()));
}
