//! Gradients through ordinary Rust: recursion, `if`, `loop`, closures and a data structure, no special functions.

use rjax::prelude::*;

/// An arithmetic expression, as a program might read it from a user.
enum Expression {
    Variable,
    Number(f64),
    Sum(Box<Expression>, Box<Expression>),
    Product(Box<Expression>, Box<Expression>),
    /// The expression composed with itself as often as this.
    Iterate(Box<Expression>, u32),
}

use Expression::{Iterate, Number, Product, Sum, Variable};

/// The value of an expression at `x`, by recursion.
fn evaluate(expression: &Expression, x: &Array) -> Array {
    match expression {
        Variable => x.clone(),
        Number(value) => jnp::full_like(x, *value),
        Sum(a, b) => evaluate(a, x) + evaluate(b, x),
        Product(a, b) => evaluate(a, x) * evaluate(b, x),
        Iterate(inner, times) => (0..*times).fold(x.clone(), |x, _| evaluate(inner, &x)),
    }
}

/// The square root by Newton's iteration, which stops when it has converged.
fn square_root(x: &Array) -> Array {
    let mut guess = x.clone();
    loop {
        let next = 0.5 * (&guess + x / &guess);
        if (&next - &guess).abs().item::<f64>() < 1e-12 {
            return next;
        }
        guess = next;
    }
}

fn main() {
    // The logistic map, three times: 3.5 x (1 - x).
    let one_minus_x = Sum(Box::new(Number(1.0)), Box::new(Product(Box::new(Number(-1.0)), Box::new(Variable))));
    let map = Product(Box::new(Number(3.5)), Box::new(Product(Box::new(Variable), Box::new(one_minus_x))));
    let thrice = Iterate(Box::new(map), 3);
    let x = Array::scalar(0.2f64);
    let f = |x: &Array| evaluate(&thrice, x);
    println!("f(x)   = {:.6}", f(&x).item::<f64>());
    println!("f'(x)  = {:.6}", grad(f)(&x).item::<f64>());
    println!("f''(x) = {:.6}", grad(grad(f))(&x).item::<f64>());
    // The expression is known when it is traced: the compiled function has neither recursion nor a tree in it.
    println!("compiled: {:.6}, {} equations", jit(grad(f))(&x).item::<f64>(), make_jaxpr(f)(&x).eqns.len());

    let two = Array::scalar(2.0f64);
    println!("sqrt(2) = {:.9}", square_root(&two).item::<f64>());
    println!("its derivative: {:.9} = 1 / (2 sqrt(2))", grad(square_root)(&two).item::<f64>());
    println!("its second derivative: {:.9}", grad(grad(square_root))(&two).item::<f64>());
    match jit(square_root).try_call((&two,)) {
        Ok(_) => println!("compiled as well"),
        Err(error) => println!("under jit there is no value to stop at:\n{error}"),
    }
}
