//! Programs with a cheaper equal, in many spellings: simplification must find the work that is really needed.
//!
//! Each row is a function, its arguments and the flops that are left, by the formula of [`rjax_rewrite::cost`]; a tenth more is
//! allowed. Families differ in shapes, in the order of operands, in transposes in between, and in where they come from: einsum,
//! `scan`, `vmap`, `grad`, `hessian`. The simplified program computes the same.

mod spellings;

use rjax::prelude::*;
use rjax_ir::{Program, Tensor, eval};
use rjax_rewrite::{Options, cost, simplify};

/// A row: name, program, flops at most.
type Row = (&'static str, Program, u64);

/// A matrix, or an array of another rank, of `f32`.
fn of<const N: usize>(shape: [usize; N]) -> Array {
    Array::spec(DType::F32, shape)
}

fn program1(f: impl Fn(&Array) -> Array, a: Array) -> Program {
    make_jaxpr(f)(&a)
}

fn program2(f: impl Fn(&Array, &Array) -> Array, a: Array, b: Array) -> Program {
    make_jaxpr(f)(&a, &b)
}

fn program3(f: impl Fn(&Array, &Array, &Array) -> Array, a: Array, b: Array, c: Array) -> Program {
    make_jaxpr(f)(&a, &b, &c)
}

fn program4(f: impl Fn(&Array, &Array, &Array, &Array) -> Array, a: Array, b: Array, c: Array, d: Array) -> Program {
    make_jaxpr(f)(&a, &b, &c, &d)
}

/// A product of matrices and a vector, which is cheapest from the vector on.
fn chains(rows: &mut Vec<Row>) {
    let square = || of([64, 64]);
    let vector = || of([64]);
    let v = 2 * 64 * 64;
    rows.push(("(A B) v", program3(|a, b, v| a.dot(b).dot(v), square(), square(), vector()), 2 * v));
    rows.push(("v (A B)", program3(|a, b, v| v.dot(a.dot(b)), square(), square(), vector()), 2 * v));
    rows.push(("(A B)ᵀ v", program3(|a, b, v| a.dot(b).t().dot(v), square(), square(), vector()), 2 * v));
    rows.push(("(Aᵀ B) v", program3(|a, b, v| a.t().dot(b).dot(v), square(), square(), vector()), 2 * v));
    rows.push((
        "((A B) C) v",
        program4(|a, b, c, v| a.dot(b).dot(c).dot(v), square(), square(), square(), vector()),
        3 * v,
    ));
    rows.push((
        "v · ((A B) w)",
        program4(|a, b, v, w| v.dot(a.dot(b).dot(w)), square(), square(), vector(), vector()),
        2 * v + 128,
    ));
    rows.push((
        "(A B) v by einsum over a product",
        program3(|a, b, v| jnp::einsum("ik,k->i", &[&a.dot(b), v]), square(), square(), vector()),
        2 * v,
    ));
    let skinny = |n: usize| if n.is_multiple_of(2) { of([96, 8]) } else { of([8, 96]) };
    rows.push((
        "A B C D, wide and narrow in turn",
        program4(|a, b, c, d| a.dot(b).dot(c).dot(d), skinny(0), skinny(1), skinny(0), skinny(1)),
        // B C, times D, times A on the left.
        2 * 8 * 96 * 8 + 2 * 8 * 8 * 96 + 2 * 96 * 8 * 96,
    ));
    rows.push((
        "A (B (C D)), wide and narrow in turn",
        program4(|a, b, c, d| a.dot(b.dot(c.dot(d))), skinny(0), skinny(1), skinny(0), skinny(1)),
        2 * 8 * 96 * 8 + 2 * 8 * 8 * 96 + 2 * 96 * 8 * 96,
    ));
    rows.push((
        "(A B) v inside a scan",
        program3(
            |a, b, v| lax::scan(|c: &Array, _: &Array| (a.dot(b).dot(c), ()), v.clone(), &jnp::arange(5)).0,
            square(),
            square(),
            vector(),
        ),
        // One product outside the loop is cheaper than two in each of five steps only for smaller matrices.
        5 * 2 * v,
    ));
    rows.push((
        "vmap of (A B) v over few vectors",
        program3(
            |a, b, vs| vmap(|a: &Array, b: &Array, v: &Array| a.dot(b).dot(v), axes![_, _, 0])(a, b, vs),
            square(),
            square(),
            of([4, 64]),
        ),
        4 * 2 * v,
    ));
}

/// Sums of products, which need sums of the factors only.
fn sums(rows: &mut Vec<Row>) {
    let (m, k, n) = (48, 64, 80);
    let (a, b) = (|| of([48, 64]), || of([64, 80]));
    let all = (m * k + k * n + 2 * k) as u64;
    rows.push(("sum(A B)", program2(|a, b| a.dot(b).sum(..), a(), b()), all));
    rows.push(("sum of the columns' sums of A B", program2(|a, b| a.dot(b).sum(0).sum(0), a(), b()), all));
    rows.push(("sum((A B)ᵀ)", program2(|a, b| a.dot(b).t().sum(..), a(), b()), all));
    rows.push(("sum(A B, axis 0)", program2(|a, b| a.dot(b).sum(0), a(), b()), (m * k + 2 * k * n) as u64));
    rows.push(("sum(A B, axis 1)", program2(|a, b| a.dot(b).sum(1), a(), b()), (k * n + 2 * m * k) as u64));
    rows.push(("sum of an outer product", program2(|u, v| jnp::outer(u, v).sum(..), of([300]), of([200])), 502));
    rows.push(("sum(A B) by einsum", program2(|a, b| jnp::einsum("ij,jk->ik", &[a, b]).sum(..), a(), b()), all));
}

/// Common factors.
fn factors(rows: &mut Vec<Row>) {
    let s = || of([64, 64]);
    let (product, sum) = (2 * 64 * 64 * 64, 64 * 64);
    rows.push(("A B + A C", program3(|a, b, c| a.dot(b) + a.dot(c), s(), s(), s()), product + sum));
    rows.push(("B A + C A", program3(|a, b, c| b.dot(a) + c.dot(a), s(), s(), s()), product + sum));
    rows.push(("A B - A C", program3(|a, b, c| a.dot(b) - a.dot(c), s(), s(), s()), product + sum));
    rows.push(("A B + A Cᵀ", program3(|a, b, c| a.dot(b) + a.dot(c.t()), s(), s(), s()), product + sum));
    rows.push((
        "A B + A C + D B + D C",
        program4(|a, b, c, d| a.dot(b) + a.dot(c) + d.dot(b) + d.dot(c), s(), s(), s(), s()),
        product + 2 * sum,
    ));
    rows.push((
        "A B + D C + A C + D B",
        program4(|a, b, c, d| a.dot(b) + d.dot(c) + a.dot(c) + d.dot(b), s(), s(), s(), s()),
        product + 2 * sum,
    ));
    rows.push((
        "x W + x V for a batch of x",
        program3(|x, w, v| x.dot(w) + x.dot(v), of([256, 64]), s(), s()),
        2 * 256 * 64 * 64 + sum,
    ));
    rows.push(("2 (A B) + 3 (A B)", program2(|a, b| 2.0 * a.dot(b) + 3.0 * a.dot(b), s(), s()), product + 3 * sum));
}

/// A weight with an update of low rank.
fn low_rank(rows: &mut Vec<Row>) {
    let few = 2 * (2 * 128 * 128) + 2 * (2 * (2 * 128 * 4)) + 2 * 128;
    let f = |x: &Array, w: &Array, b: &Array, a: &Array| x.dot(w + b.dot(a));
    rows.push(("x (W + B A) for two x", program4(f, of([2, 128]), of([128, 128]), of([128, 4]), of([4, 128])), few));
    let f = |x: &Array, w: &Array, b: &Array, a: &Array| x.dot(b.dot(a) + w);
    rows.push(("x (B A + W) for two x", program4(f, of([2, 128]), of([128, 128]), of([128, 4]), of([4, 128])), few));
    let f = |x: &Array, w: &Array, b: &Array, a: &Array| (w + b.dot(a)).dot(x);
    rows.push(("(W + B A) x for one x", program4(f, of([128]), of([128, 128]), of([128, 4]), of([4, 128])), few / 2));
    let merged = 2 * 128 * 4 * 128 + 128 * 128 + 2 * 1024 * 128 * 128;
    let f = |x: &Array, w: &Array, b: &Array, a: &Array| x.dot(w + b.dot(a));
    rows.push((
        "x (W + B A) for many x",
        program4(f, of([1024, 128]), of([128, 128]), of([128, 4]), of([4, 128])),
        merged,
    ));
}

/// Attention without a softmax.
fn attention(rows: &mut Vec<Row>) {
    let x = || of([512, 16]);
    let linear = 2 * (2 * 512 * 16 * 16);
    rows.push(("(Q Kᵀ) V", program3(|q, k, v| q.dot(k.t()).dot(v), x(), x(), x()), linear));
    rows.push((
        "(Q Kᵀ) V by einsum",
        program3(|q, k, v| jnp::einsum("st,td->sd", &[&jnp::einsum("sd,td->st", &[q, k]), v]), x(), x(), x()),
        linear,
    ));
    rows.push((
        "(Q Kᵀ) V of four heads",
        program3(
            |q, k, v| jnp::einsum("hst,htd->hsd", &[&jnp::einsum("hsd,htd->hst", &[q, k]), v]),
            of([4, 512, 16]),
            of([4, 512, 16]),
            of([4, 512, 16]),
        ),
        4 * linear,
    ));
    rows.push(("(Q Kᵀ / 4) V", program3(|q, k, v| (q.dot(k.t()) * 0.25).dot(v), x(), x(), x()), linear + 512 * 16));
    rows.push((
        "vmap of (Q Kᵀ) V",
        program3(
            |q, k, v| vmap(|q: &Array, k: &Array, v: &Array| q.dot(k.t()).dot(v), axes![0, 0, 0])(q, k, v),
            of([3, 512, 16]),
            of([3, 512, 16]),
            of([3, 512, 16]),
        ),
        3 * linear,
    ));
}

/// Kronecker products applied, not formed.
fn kronecker(rows: &mut Vec<Row>) {
    let s = || of([16, 16]);
    let two = 2 * (2 * 16 * 16 * 16);
    rows.push(("kron(A, B) x", program3(|a, b, x| jnp::kron(a, b).dot(x), s(), s(), of([256])), two));
    rows.push(("x kron(A, B)", program3(|a, b, x| x.dot(jnp::kron(a, b)), s(), s(), of([256])), two));
    rows.push(("kron(A, B)ᵀ x", program3(|a, b, x| jnp::kron(a, b).t().dot(x), s(), s(), of([256])), two));
    rows.push(("kron(A, B) X", program3(|a, b, x| jnp::kron(a, b).dot(x), s(), s(), of([256, 3])), 3 * two));
    rows.push((
        "kron(A, B) x of other shapes",
        program3(|a, b, x| jnp::kron(a, b).dot(x), of([8, 16]), of([24, 32]), of([512])),
        // A on the 16 x 32 matrix, then B.
        2 * 8 * 16 * 32 + 2 * 8 * 32 * 24,
    ));
}

/// Products with identity and diagonal matrices.
fn diagonals(rows: &mut Vec<Row>) {
    let s = || of([64, 64]);
    rows.push(("diag(d) A", program2(|d, a| jnp::diag(d, 0).dot(a), of([64]), s()), 64 * 64));
    rows.push(("A diag(d)", program2(|d, a| a.dot(jnp::diag(d, 0)), of([64]), s()), 64 * 64));
    rows.push(("diag(d) v", program2(|d, v| jnp::diag(d, 0).dot(v), of([64]), of([64])), 64));
    rows.push((
        "diag(d) A diag(e)",
        program3(|d, a, e| jnp::diag(d, 0).dot(a).dot(jnp::diag(e, 0)), of([64]), s(), of([64])),
        2 * 64 * 64,
    ));
    rows.push(("eye A", program1(|a| jnp::eye(64, DType::F32).dot(a), s()), 0));
    rows.push(("A eye", program1(|a| a.dot(jnp::eye(64, DType::F32)), s()), 0));
    rows.push(("(2 eye) A", program1(|a| (jnp::eye(64, DType::F32) * 2.0).dot(a), s()), 64 * 64));
    rows.push((
        "vmap of diag(d) v",
        program2(
            |d, v| vmap(|d: &Array, v: &Array| jnp::diag(d, 0).dot(v), axes![0, 0])(d, v),
            of([5, 64]),
            of([5, 64]),
        ),
        5 * 64,
    ));
}

/// What derivatives leave over.
fn derivatives(rows: &mut Vec<Row>) {
    let s = || of([64, 64]);
    rows.push((
        "the Hessian of x · A x",
        program2(|x, a| hessian(|x: &Array, a: &Array| x.dot(a.dot(x)))(x, a), of([64]), s()),
        64 * 64,
    ));
    rows.push((
        "the Hessian of (x A) · x",
        program2(|x, a| hessian(|x: &Array, a: &Array| x.dot(a).dot(x))(x, a), of([64]), s()),
        64 * 64,
    ));
    rows.push((
        "the Jacobian of A x, forward",
        program2(|x, a| jacfwd(|x: &Array, a: &Array| a.dot(x))(x, a), of([64]), s()),
        0,
    ));
    rows.push((
        "the Jacobian of A x, in reverse",
        program2(|x, a| jacrev(|x: &Array, a: &Array| a.dot(x))(x, a), of([64]), s()),
        0,
    ));
    rows.push((
        "the gradient of v · (A B) w for v",
        program4(
            |v, a, b, w| grad(|v: &Array, a: &Array, b: &Array, w: &Array| v.dot(a.dot(b).dot(w)))(v, a, b, w),
            of([64]),
            s(),
            s(),
            of([64]),
        ),
        2 * 2 * 64 * 64,
    ));
    rows.push((
        "the gradient of sum(A B) for A",
        program2(|a, b| grad(|a: &Array, b: &Array| a.dot(b).sum(..))(a, b), s(), s()),
        64 * 64,
    ));
}

/// A part of a product.
fn slices(rows: &mut Vec<Row>) {
    let s = || of([64, 64]);
    rows.push(("(A B)[:, :8]", program2(|a, b| a.dot(b).index((.., ..8)), s(), s()), 2 * 64 * 64 * 8));
    rows.push(("(A B)[8:16]", program2(|a, b| a.dot(b).index(8..16), s(), s()), 2 * 8 * 64 * 64));
    rows.push(("(A B)[0]", program2(|a, b| a.dot(b).index(0), s(), s()), 2 * 64 * 64));
    rows.push(("(A B)[:4, :4]", program2(|a, b| a.dot(b).index((..4, ..4)), s(), s()), 2 * 4 * 64 * 4));
    rows.push(("(A B)ᵀ[0]", program2(|a, b| a.dot(b).t().index(0), s(), s()), 2 * 64 * 64));
}

/// Programs that are best as they are.
fn controls(rows: &mut Vec<Row>) {
    let x = of([16, 64]);
    let w = || of([64, 64]);
    rows.push((
        "x W₁, x W₂, x W₃ added after a nonlinearity",
        program4(|x, u, v, w| x.dot(u).tanh() + x.dot(v).tanh() + x.dot(w).tanh(), x, w(), w(), w()),
        3 * 2 * 16 * 64 * 64 + 5 * 16 * 64,
    ));
    rows.push(("Aᵀ (A v)", program2(|a, v| a.t().dot(a.dot(v)), of([96, 32]), of([32])), 2 * 2 * 96 * 32));
}

fn rows() -> Vec<Row> {
    let mut rows = vec![];
    for family in [chains, sums, factors, low_rank, attention, kronecker, diagonals, derivatives, slices, controls] {
        family(&mut rows);
    }
    for family in [
        spellings::chains,
        spellings::sums,
        spellings::traces,
        spellings::factors,
        spellings::low_rank,
        spellings::attention,
        spellings::kronecker,
        spellings::diagonals,
        spellings::derivatives,
        spellings::parts,
    ] {
        family(&mut rows);
    }
    rows
}

#[test]
fn the_work_that_is_left_is_what_is_needed() {
    let rows = rows();
    assert!(rows.len() >= 140, "only {} programs", rows.len());
    let mut failures = vec![];
    for (name, program, flops) in &rows {
        let simplified = simplify(program, &Options::default()).expect("simplifies");
        let found = cost(&simplified).flops;
        if found > flops + flops / 10 {
            failures
                .push(format!("{name}: {} flops became {found}, expected {flops}\n{simplified}", cost(program).flops));
        }
    }
    assert!(failures.is_empty(), "{} of {} programs:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
fn the_values_stay() {
    for (name, program, _) in rows() {
        let simplified = simplify(&program, &Options::default()).expect("simplifies");
        let inputs: Vec<Tensor> = (program.in_avals().iter().enumerate())
            .map(|(i, aval)| {
                let value = |k: usize| ((k * 7 + i * 3) % 13) as f32 / 13.0 - 0.4;
                if aval.dtype == DType::I32 {
                    return Tensor::from_vec(aval.shape.clone(), (0..aval.size()).map(|k| k as i32 * 3 + 1).collect());
                }
                Tensor::from_vec(aval.shape.clone(), (0..aval.size()).map(value).collect())
            })
            .collect();
        let (wanted, found) = (eval(&program, &inputs).expect("runs"), eval(&simplified, &inputs).expect("runs"));
        for (wanted, found) in wanted.iter().zip(&found) {
            let (wanted, found) = (wanted.as_slice::<f32>(), found.as_slice::<f32>());
            let scale = wanted.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            for (w, f) in wanted.iter().zip(found) {
                assert!(
                    (w - f).abs() <= 1e-4 * scale || w.is_nan() && f.is_nan(),
                    "{name}: {f}, expected {w}\n{simplified}"
                );
            }
        }
    }
}
