//! Newton's method on logistic regression: the Hessian is `hessian(loss)`, not a page of algebra.
//!
//! The data has three features and a known separating plane; the fit converges in a handful of steps, each of which roughly
//! squares the size of the gradient.

use rjax::prelude::*;

/// The negative log likelihood of labels of -1 and 1, with a small quadratic penalty.
fn loss(w: &Array, x: &Array, y: &Array) -> Array {
    nn::softplus(&(-y * x.dot(w))).mean(..) + 1e-3 * w.square().sum(..)
}

/// Solves `a x = b` for a positive definite `a` by conjugate gradients, in as many steps as there are unknowns.
fn solve(a: &Array, b: &Array) -> Array {
    let zero = jnp::zeros_like(b);
    let start = (zero, b.clone(), b.clone());
    let steps = a.shape()[0];
    let (x, _, _) = lax::fori_loop(
        0,
        steps as i32,
        |_, (x, r, p): &(Array, Array, Array)| {
            let ap = a.dot(p);
            let square = r.dot(r);
            let step = &square / p.dot(&ap);
            let next = r - &step * ap;
            let direction = &next + (next.dot(&next) / square) * p;
            (x + step * p, next, direction)
        },
        start,
    );
    x
}

fn main() {
    let [features, noise] = Key::new(1).split();
    let x = random::normal(&features, [2000, 3], DType::F64);
    let truth = Array::from_vec([3], vec![1.5f64, -2.0, 0.5]);
    let y = jnp::sign(&(x.dot(&truth) + 0.3 * random::normal(&noise, [2000], DType::F64)));

    let newton = jit(|w: &Array, x: &Array, y: &Array| {
        let gradient = grad(loss)(w, x, y);
        let step = solve(&hessian(loss)(w, x, y), &gradient);
        (w - step, gradient.square().sum(..).sqrt())
    });
    let mut w = jnp::zeros([3], DType::F64);
    for step in 0..12 {
        let (next, norm) = newton(&w, &x, &y);
        println!("step {step}: |gradient| = {:.1e}, loss = {:.6}", norm.item::<f64>(), loss(&w, &x, &y).item::<f64>());
        if norm.item::<f64>() < 1e-12 {
            break;
        }
        w = next;
    }
    let cosine = (w.dot(&truth) / (w.square().sum(..) * truth.square().sum(..)).sqrt()).item::<f64>();
    println!("converged: cosine of the angle to the true plane {cosine:.4}");
}
