//! The same families in more spellings: scaled, negated and transposed, under `vmap`, in loops, out of derivatives.

use rjax::numpy::TakeMode;
use rjax::prelude::*;

use super::{Row, of, program1, program2, program3, program4};

const N: usize = 64;
/// A matrix times a vector, and times a matrix.
const MV: u64 = 2 * 64 * 64;
const MM: u64 = 64 * MV;
const NN: u64 = 64 * 64;

fn s() -> Array {
    of([N, N])
}

fn v() -> Array {
    of([N])
}

fn eye() -> Array {
    jnp::eye(N, DType::F32)
}

pub fn chains(rows: &mut Vec<Row>) {
    rows.push(("(2 A B) v", program3(|a, b, v| (2.0 * a.dot(b)).dot(v), s(), s(), v()), 2 * MV + 64));
    rows.push(("(-A B) v", program3(|a, b, v| (-a.dot(b)).dot(v), s(), s(), v()), 2 * MV + 64));
    rows.push(("(A B / 3) v", program3(|a, b, v| (a.dot(b) / 3.0).dot(v), s(), s(), v()), 2 * MV + 64));
    rows.push((
        "(A B + 0) v",
        program3(|a, b, v| (a.dot(b) + jnp::zeros([N, N], DType::F32)).dot(v), s(), s(), v()),
        2 * MV,
    ));
    rows.push(("(Bᵀ Aᵀ)ᵀ v", program3(|a, b, v| b.t().dot(a.t()).t().dot(v), s(), s(), v()), 2 * MV));
    rows.push(("sum((A B) * v, axis 1)", program3(|a, b, v| (a.dot(b) * v).sum(1), s(), s(), v()), 2 * MV));
    rows.push((
        "sum(u * (A B) w)",
        program4(|a, b, u, w| (u * a.dot(b).dot(w)).sum(..), s(), s(), v(), v()),
        2 * MV + 128,
    ));
    rows.push(("(A Aᵀ) v", program2(|a, v| a.dot(a.t()).dot(v), s(), v()), 2 * MV));
    rows.push(("(A A A A) v", program2(|a, v| a.dot(a).dot(a).dot(a).dot(v), s(), v()), 4 * MV));
    rows.push(("(u vᵀ) w", program3(|u, v, w| jnp::outer(u, v).dot(w), v(), v(), v()), 3 * 64));
    rows.push(("A (u vᵀ)", program3(|a, u, v| a.dot(jnp::outer(u, v)), s(), v(), v()), MV + NN));
    rows.push((
        "(A B) X for stacks of matrices",
        program3(|a, b, x| jnp::matmul(&jnp::matmul(a, b), x), of([3, 64, 64]), of([3, 64, 64]), of([3, 64, 2])),
        3 * 2 * 2 * MV,
    ));
    rows.push((
        "vmap of (A B) v over matrices A",
        program3(
            |a, b, vs| vmap(|a: &Array, b: &Array, v: &Array| a.dot(b).dot(v), axes![0, _, 0])(a, b, vs),
            of([4, 64, 64]),
            s(),
            of([4, 64]),
        ),
        4 * 2 * MV,
    ));
    rows.push((
        "(A B) c in each of many steps",
        program3(|a, b, v| lax::fori_loop(0, 500, |_, c: &Array| a.dot(b).dot(c), v.clone()), s(), s(), v()),
        // One product outside the loop.
        MM + 500 * (MV + 1),
    ));
    rows.push((
        "the derivative of (A B) v along v",
        program3(|a, b, v| jvp(|v: &Array| a.dot(b).dot(v), (v,), (v,)).1, s(), s(), v()),
        2 * MV,
    ));
    rows.push(("(A B + C) v", program4(|a, b, c, v| (a.dot(b) + c).dot(v), s(), s(), s(), v()), 3 * MV + 64));
    rows.push(("(C - A B) v", program4(|a, b, c, v| (c - a.dot(b)).dot(v), s(), s(), s(), v()), 3 * MV + 64));
    rows.push(("(I + A B) v", program3(|a, b, v| (eye() + a.dot(b)).dot(v), s(), s(), v()), 2 * MV + 64));
    rows.push(("(A d B) v", program4(|a, d, b, v| (a * d).dot(b).dot(v), s(), v(), s(), v()), 2 * MV + 64));
    rows.push((
        "a jitted A B, times v",
        program3(|a, b, v| jit(|a: &Array, b: &Array| a.dot(b))(a, b).dot(v), s(), s(), v()),
        2 * MV,
    ));
}

pub fn sums(rows: &mut Vec<Row>) {
    let all = 2 * NN + 2 * 64;
    rows.push(("mean(A B)", program2(|a, b| a.dot(b).mean(..), s(), s()), all + 1));
    rows.push(("mean(A B, axis 0)", program2(|a, b| a.dot(b).mean(0), s(), s()), NN + MV + 64));
    rows.push(("sum(A Bᵀ)", program2(|a, b| a.dot(b.t()).sum(..), s(), s()), all));
    rows.push(("sum(-A B)", program2(|a, b| (-a.dot(b)).sum(..), s(), s()), all + 1));
    rows.push(("sum(3 A B)", program2(|a, b| (3.0 * a.dot(b)).sum(..), s(), s()), all + 1));
    rows.push(("sum(A B + C)", program3(|a, b, c| (a.dot(b) + c).sum(..), s(), s(), s()), all + NN + 1));
    rows.push(("sum(A B C)", program3(|a, b, c| a.dot(b).dot(c).sum(..), s(), s(), s()), 2 * NN + MV + 128));
    rows.push((
        "1 · (A B) 1",
        program2(|a, b| jnp::ones([N], DType::F32).dot(a.dot(b)).dot(jnp::ones([N], DType::F32)), s(), s()),
        // The sums of the rows of B, times A, summed: as much to read as the least.
        NN + MV + 64,
    ));
    rows.push(("sum of A B flattened", program2(|a, b| a.dot(b).reshape([-1]).sum(..), s(), s()), all));
    rows.push((
        "vmap of sum(A B)",
        program2(
            |a, b| vmap(|a: &Array, b: &Array| a.dot(b).sum(..), axes![0, 0])(a, b),
            of([3, 64, 64]),
            of([3, 64, 64]),
        ),
        3 * all,
    ));
    rows.push(("sum((u vᵀ) * B)", program3(|u, v, b| (jnp::outer(u, v) * b).sum(..), v(), v(), s()), MV + 128));
}

pub fn traces(rows: &mut Vec<Row>) {
    rows.push(("trace(A B)", program2(|a, b| jnp::trace(&a.dot(b), 0), s(), s()), 2 * NN));
    rows.push(("trace(A Bᵀ)", program2(|a, b| a.dot(b.t()).trace(), s(), s()), 2 * NN));
    rows.push(("trace(A B C)", program3(|a, b, c| a.dot(b).dot(c).trace(), s(), s(), s()), MM + 2 * NN));
    rows.push(("the diagonal of A B", program2(|a, b| a.dot(b).diagonal(0), s(), s()), 2 * NN));
    rows.push(("another diagonal of A B", program2(|a, b| a.dot(b).diagonal(16), s(), s()), 2 * NN));
    rows.push(("trace(A B) by einsum", program2(|a, b| jnp::einsum("ij,ji->", &[a, b]), s(), s()), 2 * NN));
    rows.push(("sum(I * (A B))", program2(|a, b| (eye() * a.dot(b)).sum(..), s(), s()), 2 * NN));
    rows.push(("trace(u vᵀ)", program2(|u, v| jnp::outer(u, v).trace(), v(), v()), 128));
    rows.push((
        "vmap of trace(A B)",
        program2(
            |a, b| vmap(|a: &Array, b: &Array| a.dot(b).trace(), axes![0, 0])(a, b),
            of([3, 64, 64]),
            of([3, 64, 64]),
        ),
        3 * 2 * NN,
    ));
}

pub fn factors(rows: &mut Vec<Row>) {
    rows.push((
        "A B + A C + A D",
        program4(|a, b, c, d| a.dot(b) + a.dot(c) + a.dot(d), s(), s(), s(), s()),
        MM + 2 * NN,
    ));
    rows.push(("A B + D + A C", program4(|a, b, c, d| a.dot(b) + d + a.dot(c), s(), s(), s(), s()), MM + 2 * NN));
    rows.push((
        "A B + A C - D B - D C",
        program4(|a, b, c, d| a.dot(b) + a.dot(c) - d.dot(b) - d.dot(c), s(), s(), s(), s()),
        MM + 3 * NN,
    ));
    rows.push(("2 A B + 3 A C", program3(|a, b, c| 2.0 * a.dot(b) + 3.0 * a.dot(c), s(), s(), s()), MM + 3 * NN));
    rows.push(("(Bᵀ Aᵀ)ᵀ + A C", program3(|a, b, c| b.t().dot(a.t()).t() + a.dot(c), s(), s(), s()), MM + NN));
    rows.push((
        "vmap of x B + x C",
        program3(
            |x, b, c| vmap(|x: &Array, b: &Array, c: &Array| x.dot(b) + x.dot(c), axes![0, _, _])(x, b, c),
            s(),
            s(),
            s(),
        ),
        MM + NN,
    ));
    rows.push((
        "x B + x C in a loop",
        program3(|x, b, c| lax::fori_loop(0, 3, |_, x: &Array| x.dot(b) + x.dot(c), x.clone()), s(), s(), s()),
        3 * (MM + 1) + NN,
    ));
    rows.push(("A B C + A B B", program3(|a, b, c| a.dot(b).dot(c) + a.dot(b).dot(b), s(), s(), s()), 2 * MM + NN));
}

pub fn low_rank(rows: &mut Vec<Row>) {
    let (w, b, a) = (|| of([128, 128]), || of([128, 4]), || of([4, 128]));
    let few = |rows: u64| rows * (2 * 128 * 128 + 2 * 2 * 128 * 4 + 128);
    let x = || of([2, 128]);
    rows.push(("x (W + B A / 2)", program4(|x, w, b, a| x.dot(w + b.dot(a) * 0.5), x(), w(), b(), a()), few(2) + 256));
    rows.push(("x (W - B A)", program4(|x, w, b, a| x.dot(w - b.dot(a)), x(), w(), b(), a()), few(2)));
    rows.push(("x (W + (Aᵀ Bᵀ)ᵀ)", program4(|x, w, b, a| x.dot(w + a.t().dot(b.t()).t()), x(), w(), b(), a()), few(2)));
    rows.push(("x W + x (B A)", program4(|x, w, b, a| x.dot(w) + x.dot(b.dot(a)), x(), w(), b(), a()), few(2)));
    rows.push((
        "vmap of x (W + B A)",
        program4(
            |x, w, b, a| {
                vmap(|x: &Array, w: &Array, b: &Array, a: &Array| x.dot(w + b.dot(a)), axes![0, _, _, _])(x, w, b, a)
            },
            x(),
            w(),
            b(),
            a(),
        ),
        few(2),
    ));
    rows.push((
        "(W + u vᵀ) x",
        program4(|w, u, v, x| (w + jnp::outer(u, v)).dot(x), w(), of([128]), of([128]), of([128])),
        2 * 128 * 128 + 4 * 128,
    ));
    rows.push((
        "(diag(d) + B A) x",
        program4(|d, b, a, x| (jnp::diag(d, 0) + b.dot(a)).dot(x), of([128]), b(), a(), of([128])),
        2 * 2 * 128 * 4 + 2 * 128,
    ));
    rows.push((
        "the gradient of a loss of x (W + B A) for x",
        program4(
            |x, w, b, a| {
                grad(|x: &Array, w: &Array, b: &Array, a: &Array| x.dot(w + b.dot(a)).sin().sum(..))(x, w, b, a)
            },
            x(),
            w(),
            b(),
            a(),
        ),
        2 * few(2) + 512,
    ));
}

pub fn attention(rows: &mut Vec<Row>) {
    let x = || of([512, 16]);
    let linear = 2 * (2 * 512 * 16 * 16);
    let small = 512 * 16;
    rows.push(("(Q Kᵀ / 5) V", program3(|q, k, v| (q.dot(k.t()) / 5.0).dot(v), x(), x(), x()), linear + small));
    rows.push(("(Vᵀ (K Qᵀ))ᵀ", program3(|q, k, v| v.t().dot(k.dot(q.t())).t(), x(), x(), x()), linear));
    let split = |x: &Array| x.reshape([512, 4, 4]).transpose(&[1, 0, 2]);
    rows.push((
        "heads out of one array",
        program3(
            |q, k, v| {
                let scores = jnp::einsum("hsd,htd->hst", &[&split(q), &split(k)]);
                jnp::einsum("hst,htd->hsd", &[&scores, &split(v)]).transpose(&[1, 0, 2]).reshape([512, 16])
            },
            x(),
            x(),
            x(),
        ),
        4 * 2 * 2 * 512 * 4 * 4,
    ));
    rows.push((
        "the gradient of a loss of (Q Kᵀ) V for Q",
        program3(
            |q, k, v| grad(|q: &Array, k: &Array, v: &Array| q.dot(k.t()).dot(v).sin().sum(..))(q, k, v),
            x(),
            x(),
            x(),
        ),
        2 * linear + 2 * small,
    ));
}

pub fn kronecker(rows: &mut Vec<Row>) {
    let s = || of([16, 16]);
    let half = 2 * 16 * 16 * 16;
    rows.push((
        "kron(A, B) kron(C, D)",
        program4(|a, b, c, d| jnp::kron(a, b).dot(jnp::kron(c, d)), s(), s(), s(), s()),
        // A C, B D, and their Kronecker product as an outer product.
        2 * half + 2 * 256 * 256,
    ));
    rows.push((
        "kron(A, B) (kron(C, D) x)",
        program3(|a, b, x| jnp::kron(a, b).dot(jnp::kron(b, a).dot(x)), s(), s(), of([256])),
        4 * half,
    ));
    // Two traces, each of a comparison, a selection and a sum for each element.
    rows.push(("trace(kron(A, B))", program2(|a, b| jnp::kron(a, b).trace(), s(), s()), 2 * 3 * 16 * 16 + 1));
    rows.push(("kron(A, I) x", program2(|a, x| jnp::kron(a, &jnp::eye(16, DType::F32)).dot(x), s(), of([256])), half));
    rows.push(("kron(I, B) x", program2(|b, x| jnp::kron(&jnp::eye(16, DType::F32), b).dot(x), s(), of([256])), half));
    rows.push((
        "vmap of kron(A, B) x",
        program3(
            |a, b, x| vmap(|a: &Array, b: &Array, x: &Array| jnp::kron(a, b).dot(x), axes![_, _, 0])(a, b, x),
            s(),
            s(),
            of([3, 256]),
        ),
        3 * 2 * half,
    ));
    rows.push((
        "kron(A, B) by einsum, times x",
        program3(|a, b, x| jnp::einsum("ij,kl->ikjl", &[a, b]).reshape([256, 256]).dot(x), s(), s(), of([256])),
        2 * half,
    ));
    rows.push((
        "(kron(A, B) + I) x",
        program3(|a, b, x| (jnp::kron(a, b) + jnp::eye(256, DType::F32)).dot(x), s(), s(), of([256])),
        2 * half + 256,
    ));
    rows.push((
        "x · kron(A, B) x",
        program3(|a, b, x| x.dot(jnp::kron(a, b).dot(x)), s(), s(), of([256])),
        2 * half + 512,
    ));
}

pub fn diagonals(rows: &mut Vec<Row>) {
    rows.push(("(I * d) A", program2(|d, a| (eye() * d).dot(a), v(), s()), NN));
    rows.push((
        "where(I, d, 0) A",
        program2(|d, a| jnp::where_(eye().astype(DType::Bool), d, 0.0).dot(a), v(), s()),
        NN,
    ));
    rows.push((
        "diag(d) diag(e)",
        program2(|d, e| jnp::diag(d, 0).dot(jnp::diag(e, 0)), v(), v()),
        // d * e, and the diagonal made of it.
        64 + 2 * NN,
    ));
    let cut = || jnp::eye(N, DType::F32).index(..32);
    rows.push(("the first rows of I, times A", program1(move |a| cut().dot(a), s()), 0));
    rows.push(("A times the first columns of I", program1(move |a| a.dot(cut().t()), s()), 0));
    rows.push(("the first columns of I, times A", program1(move |a| cut().t().dot(a), of([32, 64])), 0));
    rows.push((
        "a diagonal scattered into zeros, times A",
        program2(
            |d, a| {
                let flat = jnp::zeros([N * N], DType::F32).at(jnp::arange(N) * 65).set(d);
                flat.reshape([64, 64]).dot(a)
            },
            v(),
            s(),
        ),
        NN,
    ));
    rows.push(("I A I", program1(|a| eye().dot(a).dot(eye()), s()), 0));
    rows.push(("Aᵀ diag(d) A", program2(|d, a| a.t().dot(jnp::diag(d, 0)).dot(a), v(), s()), MM + NN));
    rows.push(("(diag(d) A) v", program3(|d, a, v| jnp::diag(d, 0).dot(a).dot(v), v(), s(), v()), MV + 64));
    rows.push(("(diag(d) + A) v", program3(|d, a, v| (jnp::diag(d, 0) + a).dot(v), v(), s(), v()), MV + 128));
    rows.push((
        "vmap of diag(d) A over d",
        program2(|d, a| vmap(|d: &Array, a: &Array| jnp::diag(d, 0).dot(a), axes![0, _])(d, a), of([3, 64]), s()),
        3 * NN,
    ));
    rows.push((
        "diag(d) x in a loop",
        program2(|d, x| lax::fori_loop(0, 3, |_, x: &Array| jnp::diag(d, 0).dot(x), x.clone()), v(), v()),
        3 * 65,
    ));
    rows.push(("diag(d) diag(e)", program2(|d, e| jnp::diag(d, 0).dot(jnp::diag(e, 0)), v(), v()), 3 * NN));
}

pub fn derivatives(rows: &mut Vec<Row>) {
    rows.push((
        "the Hessian of x · A x / 2 + b · x",
        program3(
            |x, a, b| hessian(|x: &Array, a: &Array, b: &Array| 0.5 * x.dot(a.dot(x)) + b.dot(x))(x, a, b),
            v(),
            s(),
            v(),
        ),
        2 * NN,
    ));
    rows.push((
        "the Hessian of sum(x * A x)",
        program2(|x, a| hessian(|x: &Array, a: &Array| (x * a.dot(x)).sum(..))(x, a), v(), s()),
        NN,
    ));
    rows.push(("the Hessian of |x|²", program1(|x| hessian(|x: &Array| x.square().sum(..))(x), v()), 3 * NN));
    rows.push((
        "the Hessian of |A x - b|²",
        program3(
            |x, a, b| hessian(|x: &Array, a: &Array, b: &Array| (a.dot(x) - b).square().sum(..))(x, a, b),
            v(),
            s(),
            v(),
        ),
        MM + NN,
    ));
    rows.push((
        "the Jacobian of tanh(A x), forward",
        program2(|x, a| jacfwd(|x: &Array, a: &Array| a.dot(x).tanh())(x, a), v(), s()),
        MV + 4 * 64 + NN,
    ));
    rows.push((
        "the Jacobian of tanh(A x), in reverse",
        program2(|x, a| jacrev(|x: &Array, a: &Array| a.dot(x).tanh())(x, a), v(), s()),
        MV + 4 * 64 + NN,
    ));
    rows.push((
        "the Jacobian of A (B x)",
        program3(|x, a, b| jacfwd(|x: &Array, a: &Array, b: &Array| a.dot(b.dot(x)))(x, a, b), v(), s(), s()),
        MM,
    ));
    rows.push((
        "vmap of the Hessian of x · A x",
        program2(|x, a| vmap(hessian(|x: &Array, a: &Array| x.dot(a.dot(x))), axes![0, _])(x, a), of([3, 64]), s()),
        NN,
    ));
    rows.push((
        "the Hessian of a quadratic form by einsum",
        program2(|x, a| hessian(|x: &Array, a: &Array| jnp::einsum("i,ij,j->", &[x, a, x]))(x, a), v(), s()),
        NN,
    ));
}

pub fn parts(rows: &mut Vec<Row>) {
    let flat = |a: &Array, b: &Array| a.dot(b).reshape([-1]);
    rows.push(("two rows of A B flattened", program2(move |a, b| flat(a, b).index(64..192), s(), s()), 2 * MV));
    rows.push((
        "parts of two rows of A B flattened",
        program2(move |a, b| flat(a, b).index(100..140), s(), s()),
        2 * MV,
    ));
    rows.push(("an element of A B flattened", program2(move |a, b| flat(a, b).index(70), s(), s()), 2 * 64));
    rows.push(("(A B)[3, 5]", program2(|a, b| a.dot(b).index((3, 5)), s(), s()), 2 * 64));
    rows.push(("(A B)[:, -1]", program2(|a, b| a.dot(b).index((.., -1)), s(), s()), MV));
    rows.push(("tanh(A B)[:4]", program2(|a, b| a.dot(b).tanh().index(..4), s(), s()), 4 * (MV + 64)));
    rows.push(("(A B + A)[:4]", program2(|a, b| (a.dot(b) + a).index(..4), s(), s()), 4 * (MV + 64)));
    rows.push(("(2 A B)[0]", program2(|a, b| (2.0 * a.dot(b)).index(0), s(), s()), MV + 64));
    rows.push((
        "four rows of A B from a computed one on",
        program3(
            |a, b, i| lax::dynamic_slice(&a.dot(b), &[i.clone(), jnp::array(0)], [4, 64]),
            s(),
            s(),
            Array::spec(DType::I32, []),
        ),
        4 * MV,
    ));
    rows.push((
        "rows of A B at computed indices",
        program3(|a, b, i| jnp::take(&a.dot(b), i, 0, TakeMode::Clip), s(), s(), Array::spec(DType::I32, [4])),
        4 * MV + 8,
    ));
    rows.push((
        "a stack of A B, at 1",
        program2(|a, b| jnp::matmul(a, b).index(1), of([3, 64, 64]), of([3, 64, 64])),
        MM,
    ));
    rows.push((
        "vmap of (A B)[0]",
        program2(
            |a, b| vmap(|a: &Array, b: &Array| a.dot(b).index(0), axes![0, 0])(a, b),
            of([3, 64, 64]),
            of([3, 64, 64]),
        ),
        3 * MV,
    ));
    rows.push(("(A B)[0] B", program2(|a, b| a.dot(b).index(0).dot(b), s(), s()), 2 * MV));
    rows.push(("the last of a running sum", program1(|a| a.cumsum(0).index(-1), s()), NN));
}
