//! Messages of derivatives that do not exist.

use rjax_autodiff::{grad, jvp, jvp_active, linearize, linearize_program, transpose, value_and_grad, vjp, vjp_program};
use rjax_ir::{Program, Tensor, eval};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn gradients_are_of_real_scalars_in_inexact_inputs() {
    let message = |text: &str, argnums: Option<&[usize]>| grad(&parse(text), argnums).unwrap_err().message;
    assert_eq!(
        message("{ lambda ; x:f32[3]. let y:f32[3] = sin x in (y,) }", None),
        "grad: the first output must be an inexact scalar, found f32[3]"
    );
    assert_eq!(
        message("{ lambda ; x:f32[]. let in (2:i32, x) }", None),
        "grad: the first output must be an inexact scalar, found i32[]"
    );
    assert_eq!(
        message("{ lambda ; x:c64[]. let in (x,) }", None),
        "grad: the first output must be real, found c64[]; take its real part, or use vjp"
    );
    assert_eq!(message("{ lambda ; x:f32[]. let in () }", None), "grad: the program has no outputs");
    assert_eq!(
        message("{ lambda ; x:f32[] n:i32[]. let in (x,) }", Some(&[1])),
        "grad: differentiated inputs must be inexact, but input 1 is i32[]"
    );
    assert_eq!(
        message("{ lambda ; x:f32[]. let in (x,) }", Some(&[3])),
        "grad: there is no input 3, the program has 1"
    );
    let two = parse("{ lambda ; x:f32[3]. let in (x,) }");
    assert_eq!(
        value_and_grad(&two, None).unwrap_err().message,
        "value_and_grad: the first output must be an inexact scalar, found f32[3]"
    );
}

#[test]
fn marks_fit_the_inputs() {
    let program = parse("{ lambda ; x:f32[] n:i32[]. let in (x,) }");
    assert_eq!(
        jvp_active(&program, &[true, true]).unwrap_err().message,
        "jvp: differentiated inputs must be inexact, but input 1 is i32[]"
    );
    assert_eq!(
        linearize(&program, &[true]).unwrap_err().message,
        "linearize: expected a mark for each of the 2 inputs, found 1"
    );
    assert_eq!(
        transpose(&program, 3).unwrap_err().message,
        "transpose: 3 of the inputs are residuals, but the program has 2"
    );
}

#[test]
fn ops_without_a_derivative_are_named_with_their_place() {
    let message = |text: &str| vjp_program(&parse(text)).unwrap_err().to_string();
    assert_eq!(
        message("{ lambda ; x:f32[] y:f32[]. let\n z:f32[] = nextafter x y in (z,) }"),
        "nextafter: has no derivative\n  at test:2:12"
    );
    assert_eq!(
        message("{ lambda ; x:f32[] y:f32[]. let z:f32[] = polygamma x y in (z,) }"),
        "polygamma: not differentiable in its first argument, the order\n  at test:1:43"
    );
    let square = parse("{ lambda ; x:f32[]. let y:f32[] = mul x x in (y,) }");
    assert_eq!(transpose(&square, 0).unwrap_err().message, "transpose: mul is not linear in operand 1");
    let sine = parse("{ lambda ; x:f32[]. let y:f32[] = sin x in (y,) }");
    assert_eq!(transpose(&sine, 0).unwrap_err().message, "transpose: sin is not linear");
}

const CUSTOM_VJP: &str = "{ lambda ; k:f64[] x:f64[]. let
    y:f64[] = custom_vjp_call[
      bwd_jaxpr={ lambda ; k:f64[] r:f64[] ct:f64[]. let a:f64[] = mul r ct; b:f64[] = mul a k in (b,) }
      call_jaxpr={ lambda ; k:f64[] x:f64[]. let y:f64[] = sin x in (y,) }
      fwd_jaxpr={ lambda ; k:f64[] x:f64[]. let y:f64[] = sin x in (y, x) }
      num_consts=1] k x
    in (y,) }";

#[test]
fn custom_vjp_has_no_forward_mode() {
    let program = parse(CUSTOM_VJP);
    let inputs = [Tensor::scalar(10.0f64), Tensor::scalar(0.5f64)];
    // The rule is used, not the derivative of sin: x k ct.
    let gradient = grad(&program, Some(&[1])).unwrap();
    assert_eq!(eval(&gradient, &inputs).unwrap()[0].get(0).to_f64(), 5.0);
    // Of the gradient there is a derivative in every mode and with respect to k.
    let second = grad(&gradient, None).unwrap();
    let second: Vec<f64> = eval(&second, &inputs).unwrap().iter().map(|t| t.get(0).to_f64()).collect();
    assert_eq!(second, [0.5, 10.0]);
    assert!(jvp(&gradient).is_ok());

    let expected = "can't apply forward-mode differentiation to a custom_vjp function; use vjp or grad";
    assert_eq!(jvp_active(&program, &[false, true]).unwrap_err().message, format!("jvp: {expected}"));
    let alone = parse(
        &CUSTOM_VJP
            .replace("{ lambda ; k:f64[] x:f64[]. let\n    y", "{ lambda ; x:f64[]. let\n    y")
            .replace("] k x", "] 1.0:f64 x"),
    );
    assert_eq!(linearize_program(&alone).unwrap_err().message, format!("linearize: {expected}"));
    assert_eq!(
        vjp(&program, &[true, true]).unwrap_err().message,
        "custom_vjp_call: differentiated with respect to a captured value; the rule covers explicit arguments only"
    );
}
