//! Linear algebra on the last two axes: factorisations, eigenvalues and solves. All other axes are batch axes.

use std::ops::Range;

use crate::math::linalg::{
    self as numeric, Columns, Field, Kernels, LANES, Mask, Plain, SchurForm, Triangle, Vectors, cholesky,
    cholesky_lanes, triangular_solve,
};
use crate::{Aval, Complex64, Complex128, DType, DTypeSet, Result, Tensor, check, ensure};

mod lanes;

/// Linear algebra ops. Matrices of `f32`, `f64`, `c64` or `c128` lie along the last two axes; axes before them are batch axes,
/// the same for all operands. Where an algorithm fails, the results of that matrix are NaN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Linalg {
    /// `cholesky`: `(a) -> l`, a = l l^H with l lower triangular, zeros above. Only the lower triangle of a is read.
    Cholesky,
    /// `triangular_solve`: `(a, b) -> x` with op(a) x = b, or x op(a) = b.
    TriangularSolve {
        /// Whether a is on the left.
        left_side: bool,
        /// Whether the lower triangle of a is meant; the other one is not read.
        lower: bool,
        /// Whether a is transposed.
        transpose_a: bool,
        /// Whether a is conjugated.
        conjugate_a: bool,
        /// Whether the diagonal counts as ones and is not read.
        unit_diagonal: bool,
    },
    /// `lu`: `(a) -> (lu, pivots: i32, permutation: i32)`: L below the diagonal (which is one), U on and above it; row i traded
    /// places with row `pivots[i]`, and row i of L U is row `permutation[i]` of a.
    Lu,
    /// `qr`: `(a) -> (q, r)` with a = q r, q having orthonormal columns and r being upper triangular.
    Qr {
        /// Whether q is square.
        full_matrices: bool,
    },
    /// `geqrf`: `(a) -> (qr, taus)`: R on and above the diagonal, below it the reflectors I - tau v v^H whose product is Q, v
    /// beginning with a one that is not stored.
    Geqrf,
    /// `householder_product`: `(a, taus) -> q`: as many columns of the product of the reflectors below the diagonal of a as a has.
    HouseholderProduct,
    /// `eigh`: `(a) -> (v, w)`: eigenvectors of a Hermitian matrix as columns, and its real eigenvalues in ascending order.
    Eigh {
        /// Whether the lower triangle of a is read rather than the upper one.
        lower: bool,
    },
    /// `svd`: `(a) -> (s, u, vt)` with a = u diag(s) vt and s real and descending, or `(a) -> s`.
    Svd {
        /// Whether u and vt are square.
        full_matrices: bool,
        /// Whether u and vt are results at all.
        compute_uv: bool,
    },
    /// `eig`: `(a) -> (w, vl, vr)`, all complex: eigenvalues, then the left and the right eigenvectors as columns if asked for.
    Eig {
        /// Whether vl, with vl^H a = diag(w) vl^H, is a result.
        left: bool,
        /// Whether vr, with a vr = vr diag(w), is a result.
        right: bool,
    },
    /// `schur`: `(a) -> (t, z)` with a = z t z^H, or `(a) -> t`: upper triangular, for real matrices with 2 × 2 blocks on the diagonal.
    Schur {
        /// Whether z is a result.
        vectors: bool,
    },
    /// `hessenberg`: `(a) -> (h, taus)`: zeros below the first subdiagonal of the form, where the reflectors are stored.
    Hessenberg,
    /// `tridiagonal_solve`: `(below, diagonal, above, b) -> x`: the diagonals have one entry for each row, of which the first of
    /// `below` and the last of `above` are not read.
    TridiagonalSolve,
}

/// The extents of a batch of matrices: all batch axes together, rows, columns.
fn extents(aval: &Aval) -> [usize; 3] {
    let (rest, matrix) = aval.shape.split_at(aval.rank() - 2);
    [rest.iter().product(), matrix[0], matrix[1]]
}

/// At most [`LANES`] matrices of a batch each.
fn groups(batch: usize) -> impl Iterator<Item = Range<usize>> {
    (0..batch).step_by(LANES).map(move |first| first..batch.min(first + LANES))
}

impl Linalg {
    /// JAX's name of the primitive.
    pub const fn name(self) -> &'static str {
        match self {
            Linalg::Cholesky => "cholesky",
            Linalg::TriangularSolve { .. } => "triangular_solve",
            Linalg::Lu => "lu",
            Linalg::Qr { .. } => "qr",
            Linalg::Geqrf => "geqrf",
            Linalg::HouseholderProduct => "householder_product",
            Linalg::Eigh { .. } => "eigh",
            Linalg::Svd { .. } => "svd",
            Linalg::Eig { .. } => "eig",
            Linalg::Schur { .. } => "schur",
            Linalg::Hessenberg => "hessenberg",
            Linalg::TridiagonalSolve => "tridiagonal_solve",
        }
    }

    /// How many leading axes, the same in all operands and results, number independent problems.
    pub fn batch_rank(self, first_operand: &Aval) -> usize {
        first_operand.rank() - if self == Linalg::TridiagonalSolve { 1 } else { 2 }
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let name = self.name();
        for x in inputs {
            check::dtype(name, DTypeSet::LINALG, x)?;
            check::same_dtype(name, &inputs[0], x)?;
        }
        let matrix = |what: &str, x: &Aval| {
            ensure!(x.rank() >= 2, Shape, "{name}: {what} must have at least 2 axes, found {x}");
            Ok((x.shape[..x.rank() - 2].to_vec(), x.shape[x.rank() - 2], x.shape[x.rank() - 1]))
        };
        let square = |x: &Aval| {
            let (batch, rows, cols) = matrix("the operand", x)?;
            ensure!(rows == cols, Shape, "{name}: the last two axes must have the same extent, found {x}");
            Ok((batch, rows))
        };
        let of = |dtype: DType, batch: &[usize], rest: &[usize]| Aval::new(dtype, [batch, rest].concat());
        match *self {
            Linalg::Cholesky => {
                let [a] = check::operands(name, inputs)?;
                square(a)?;
                Ok(vec![a.clone()])
            }
            Linalg::TriangularSolve { left_side, .. } => {
                let [a, b] = check::operands(name, inputs)?;
                let (batch, n) = square(a)?;
                let (b_batch, rows, cols) = matrix("the right-hand side", b)?;
                ensure!(batch == b_batch, Shape, "{name}: operands have different batch axes: {a} and {b}");
                let solved = if left_side { rows } else { cols };
                ensure!(n == solved, Shape, "{name}: the matrix {a} does not fit the right-hand side {b}");
                Ok(vec![b.clone()])
            }
            Linalg::Lu => {
                let [a] = check::operands(name, inputs)?;
                let (batch, m, n) = matrix("the operand", a)?;
                ensure!(i32::try_from(m).is_ok(), Shape, "{name}: {a} has more rows than an i32 can count");
                Ok(vec![a.clone(), of(DType::I32, &batch, &[m.min(n)]), of(DType::I32, &batch, &[m])])
            }
            Linalg::Qr { full_matrices } => {
                let [a] = check::operands(name, inputs)?;
                let (batch, m, n) = matrix("the operand", a)?;
                let k = if full_matrices { m } else { m.min(n) };
                Ok(vec![of(a.dtype, &batch, &[m, k]), of(a.dtype, &batch, &[k, n])])
            }
            Linalg::Geqrf => {
                let [a] = check::operands(name, inputs)?;
                let (batch, m, n) = matrix("the operand", a)?;
                Ok(vec![a.clone(), of(a.dtype, &batch, &[m.min(n)])])
            }
            Linalg::HouseholderProduct => {
                let [a, taus] = check::operands(name, inputs)?;
                let (batch, m, n) = matrix("the operand", a)?;
                ensure!(m >= n, Shape, "{name}: the operand must have at least as many rows as columns, found {a}");
                let fits = taus.rank() + 1 == a.rank() && taus.shape[..taus.rank() - 1] == batch[..];
                let fits = fits && taus.shape.last().is_some_and(|&k| k <= n);
                ensure!(fits, Shape, "{name}: the taus {taus} do not fit the reflectors {a}");
                Ok(vec![a.clone()])
            }
            Linalg::Eigh { .. } => {
                let [a] = check::operands(name, inputs)?;
                let (batch, n) = square(a)?;
                Ok(vec![a.clone(), of(a.dtype.real(), &batch, &[n])])
            }
            Linalg::Svd { full_matrices, compute_uv } => {
                let [a] = check::operands(name, inputs)?;
                let (batch, m, n) = matrix("the operand", a)?;
                let k = m.min(n);
                let mut outputs = vec![of(a.dtype.real(), &batch, &[k])];
                if compute_uv {
                    let (left, right) = if full_matrices { (m, n) } else { (k, k) };
                    outputs.push(of(a.dtype, &batch, &[m, left]));
                    outputs.push(of(a.dtype, &batch, &[right, n]));
                }
                Ok(outputs)
            }
            Linalg::Eig { left, right } => {
                let [a] = check::operands(name, inputs)?;
                let (batch, n) = square(a)?;
                let dtype = a.dtype.complex().expect("linear algebra has complex types");
                let mut outputs = vec![of(dtype, &batch, &[n])];
                outputs.extend((0..left as usize + right as usize).map(|_| of(dtype, &batch, &[n, n])));
                Ok(outputs)
            }
            Linalg::Schur { vectors } => {
                let [a] = check::operands(name, inputs)?;
                square(a)?;
                Ok(vec![a.clone(); 1 + vectors as usize])
            }
            Linalg::Hessenberg => {
                let [a] = check::operands(name, inputs)?;
                let (batch, n) = square(a)?;
                Ok(vec![a.clone(), of(a.dtype, &batch, &[n.saturating_sub(1)])])
            }
            Linalg::TridiagonalSolve => {
                let [below, diagonal, above, b] = check::operands(name, inputs)?;
                let (batch, n, _) = matrix("the right-hand side", b)?;
                for x in [below, diagonal, above] {
                    let fits = x.rank() + 1 == b.rank() && x.shape[..] == [&batch[..], &[n]].concat()[..];
                    ensure!(fits, Shape, "{name}: the diagonal {x} does not fit the right-hand side {b}");
                }
                Ok(vec![b.clone()])
            }
        }
    }

    pub(crate) fn eval(&self, x: &[Tensor], outputs: &[Aval]) -> Vec<Tensor> {
        super::numeric::eval(x, outputs, |inputs, outputs| self.run(inputs, outputs, &Plain))
    }

    /// Computes the op on operands that it accepts. Elements are in native byte order, row-major, and aligned as their dtype; an output
    /// may be the memory of no input.
    #[inline(always)]
    pub fn run<K: Kernels>(&self, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])], kernels: &K) {
        match inputs[0].0.dtype {
            DType::F32 => self.run_as::<f32, K>(inputs, outputs, kernels),
            DType::F64 => self.run_as::<f64, K>(inputs, outputs, kernels),
            DType::C64 => self.run_as::<Complex64, K>(inputs, outputs, kernels),
            DType::C128 => self.run_as::<Complex128, K>(inputs, outputs, kernels),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::Narrow(_) => unreachable!("verified: {} does not accept {}", self.name(), inputs[0].0),
        }
    }

    #[inline(always)]
    fn run_as<T: Lapack, K: Kernels>(
        &self,
        inputs: &[(&Aval, &[u8])],
        outputs: &mut [(&Aval, &mut [u8])],
        kernels: &K,
    ) {
        let input = |i: usize| -> &[T] { bytemuck::cast_slice(inputs[i].1) };
        match *self {
            Linalg::Cholesky => {
                let [batch, n, _] = extents(inputs[0].0);
                let l: &mut [T] = bytemuck::cast_slice_mut(outputs[0].1);
                let done = T::factor_lanes(kernels, n, input(0), l);
                l[done * n * n..].copy_from_slice(&input(0)[done * n * n..]);
                (done..batch).for_each(|i| cholesky(kernels, n, part_mut(l, i, n * n)));
            }
            Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } => {
                let [batch, n, _] = extents(inputs[0].0);
                let [_, rows, cols] = extents(inputs[1].0);
                let others = if left_side { cols } else { rows };
                let triangle = Triangle { lower, transpose: transpose_a, conjugate: conjugate_a, unit_diagonal };
                for group in groups(batch) {
                    if T::run_lanes(*self, group.clone(), inputs, outputs, kernels)[0] {
                        continue;
                    }
                    let x: &mut [T] = bytemuck::cast_slice_mut(outputs[0].1);
                    for i in group {
                        let (a, b) = (part(input(0), i, n * n), part(input(1), i, rows * cols));
                        let x = part_mut(x, i, rows * cols);
                        triangular_solve(kernels, triangle, left_side, [n, others], a, b, x);
                    }
                }
            }
            Linalg::Lu => {
                let [batch, m, n] = extents(inputs[0].0);
                for group in groups(batch) {
                    let together = T::run_lanes(*self, group.clone(), inputs, outputs, kernels)[0];
                    let [(_, lu), (_, pivots), (_, order)] = &mut *outputs else {
                        unreachable!("verified: three results")
                    };
                    let lu: &mut [T] = bytemuck::cast_slice_mut(lu);
                    let pivots: &mut [i32] = bytemuck::cast_slice_mut(pivots);
                    let order: &mut [i32] = bytemuck::cast_slice_mut(order);
                    for i in group {
                        let pivots = part_mut(pivots, i, m.min(n));
                        if !together {
                            let lu = part_mut(lu, i, m * n);
                            lu.copy_from_slice(part(input(0), i, m * n));
                            numeric::lu(kernels, m, n, lu, pivots);
                        }
                        numeric::permutation(pivots, part_mut(order, i, m));
                    }
                }
            }
            Linalg::Qr { .. } | Linalg::Geqrf | Linalg::HouseholderProduct | Linalg::Svd { .. } => {
                let batch = extents(inputs[0].0)[0];
                for group in groups(batch) {
                    let done = T::run_lanes(*self, group.clone(), inputs, outputs, kernels);
                    for (i, _) in group.zip(done).filter(|(_, done)| !done) {
                        self.run_in_double::<T, K>(i, inputs, outputs, kernels);
                    }
                }
            }
            Linalg::Eigh { .. } | Linalg::Eig { .. } | Linalg::Schur { .. } | Linalg::Hessenberg => {
                let batch = extents(inputs[0].0)[0];
                (0..batch).for_each(|i| self.run_in_double::<T, K>(i, inputs, outputs, kernels));
            }
            Linalg::TridiagonalSolve => {
                let [batch, n, others] = extents(inputs[3].0);
                let x: &mut [T] = bytemuck::cast_slice_mut(outputs[0].1);
                x.copy_from_slice(input(3));
                for i in 0..batch {
                    let [below, diagonal, above] = [0, 1, 2].map(|operand| part(input(operand), i, n));
                    numeric::tridiagonal_solve(below, diagonal, above, others, part_mut(x, i, n * others));
                }
            }
        }
    }

    /// The ops whose algorithms are written for double precision, on matrix `i` of the batch.
    fn run_in_double<T: Lapack, K: Kernels>(
        &self,
        i: usize,
        inputs: &[(&Aval, &[u8])],
        outputs: &mut [(&Aval, &mut [u8])],
        kernels: &K,
    ) {
        let [_, m, n] = extents(inputs[0].0);
        let a: &[T] = part(bytemuck::cast_slice(inputs[0].1), i, m * n);
        let columns = || Columns::from_rows(m, n, a);
        let batch = extents(inputs[0].0)[0].max(1);
        let mut out: Vec<&mut [u8]> =
            outputs.iter_mut().map(|(aval, bytes)| part_mut(bytes, i, aval.bytes() / batch)).collect();
        match *self {
            Linalg::Geqrf | Linalg::Hessenberg => {
                let mut a = columns();
                let taus = if *self == Linalg::Geqrf {
                    numeric::geqrf(kernels, &mut a)
                } else {
                    numeric::hessenberg(kernels, &mut a)
                };
                a.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[0]));
                narrow::<T>(&taus, &mut *out[1]);
            }
            Linalg::Qr { full_matrices } => {
                let mut a = columns();
                let taus = numeric::geqrf(kernels, &mut a);
                let k = if full_matrices { m } else { m.min(n) };
                let q = numeric::householder_product(kernels, &a, &taus, k);
                q.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[0]));
                let r = Columns::from_fn(k, n, |i, j| if i <= j { a.at(i, j) } else { Field::ZERO });
                r.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[1]));
            }
            Linalg::HouseholderProduct => {
                let k = inputs[1].0.shape.last().copied().unwrap_or(0);
                let taus: &[T] = part(bytemuck::cast_slice(inputs[1].1), i, k);
                let taus: Vec<T::Wide> = taus.iter().map(|tau| tau.widen()).collect();
                let q = numeric::householder_product(kernels, &columns(), &taus, n);
                q.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[0]));
            }
            Linalg::Eigh { lower } => {
                let a = Columns::from_fn(n, n, |i, j| {
                    let x = if (i >= j) == lower { a[i * n + j].widen() } else { a[j * n + i].widen().conj() };
                    if i == j { x.without_imaginary() } else { x }
                });
                let Some((values, vectors)) = numeric::eigh(kernels, a) else {
                    fill_with_nan::<T>(&mut *out[0]);
                    return fill_with_nan::<T::Real>(&mut *out[1]);
                };
                vectors.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[0]));
                narrow::<T::Real>(&values, &mut *out[1]);
            }
            Linalg::Svd { full_matrices, compute_uv } => {
                let vectors = match (compute_uv, full_matrices) {
                    (false, _) => Vectors::None,
                    (true, false) => Vectors::Thin,
                    (true, true) => Vectors::Full,
                };
                let Some(svd) = numeric::svd(kernels, columns(), vectors) else {
                    fill_with_nan::<T::Real>(&mut *out[0]);
                    if compute_uv {
                        fill_with_nan::<T>(&mut *out[1]);
                        fill_with_nan::<T>(&mut *out[2]);
                    }
                    return;
                };
                narrow::<T::Real>(&svd.values, &mut *out[0]);
                if compute_uv {
                    svd.left.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[1]));
                    svd.right.adjoint().to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[2]));
                }
            }
            Linalg::Eig { left, right } => {
                let Some(eigen) = numeric::eigen(kernels, columns(), left, right) else {
                    return (0..1 + left as usize + right as usize)
                        .for_each(|k| fill_with_nan::<T::Complex>(&mut *out[k]));
                };
                narrow::<T::Complex>(&eigen.values, &mut *out[0]);
                for (k, vectors) in [eigen.left, eigen.right].into_iter().flatten().enumerate() {
                    vectors.to_rows::<T::Complex>(bytemuck::cast_slice_mut(&mut *out[1 + k]));
                }
            }
            Linalg::Schur { vectors } => {
                let Some(schur) = T::Wide::schur(kernels, columns()) else {
                    return (0..1 + vectors as usize).for_each(|k| fill_with_nan::<T>(&mut *out[k]));
                };
                schur.form.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[0]));
                if vectors {
                    schur.vectors.to_rows::<T>(bytemuck::cast_slice_mut(&mut *out[1]));
                }
            }
            Linalg::Cholesky | Linalg::TriangularSolve { .. } | Linalg::Lu | Linalg::TridiagonalSolve => {
                unreachable!("{} works in the precision of its operands", self.name())
            }
        }
    }
}

/// The element types of linear algebra, with what differs between them.
trait Lapack: Field<Wide: SchurForm> {
    /// The complex type of this precision.
    type Complex: Field<Wide = Complex128>;

    /// Factors n × n matrices several at a time where that is possible and pays; returns how many are done.
    fn factor_lanes<K: Kernels>(kernels: &K, n: usize, from: &[Self], to: &mut [Self]) -> usize;

    /// Runs the op on at most [`LANES`] matrices of the batch at once where that is possible and pays; says which of them are done.
    fn run_lanes<K: Kernels>(
        op: Linalg,
        group: Range<usize>,
        inputs: &[(&Aval, &[u8])],
        outputs: &mut [(&Aval, &mut [u8])],
        kernels: &K,
    ) -> Mask;
}

/// Beyond this size blocks are faster than lanes.
const LANES_UP_TO: usize = 48;
/// Fewer matrices are factored one by one.
const LANES_FROM: usize = 4;

macro_rules! real_lapack {
    ($T:ty, $Complex:ty) => {
        impl Lapack for $T {
            type Complex = $Complex;

            #[inline(always)]
            fn run_lanes<K: Kernels>(
                op: Linalg,
                group: Range<usize>,
                inputs: &[(&Aval, &[u8])],
                outputs: &mut [(&Aval, &mut [u8])],
                kernels: &K,
            ) -> Mask {
                lanes::run::<$T, K>(op, group, inputs, outputs, kernels)
            }

            #[inline(always)]
            fn factor_lanes<K: Kernels>(kernels: &K, n: usize, from: &[$T], to: &mut [$T]) -> usize {
                let size = n * n;
                if size == 0 || n > LANES_UP_TO {
                    return 0;
                }
                let mut scratch = Vec::new();
                let mut done = 0;
                for (from, to) in from.chunks(LANES * size).zip(to.chunks_mut(LANES * size)) {
                    if from.len() >= LANES_FROM * size {
                        cholesky_lanes(kernels, n, from, to, &mut scratch);
                        done += from.len() / size;
                    }
                }
                done
            }
        }
    };
}

macro_rules! complex_lapack {
    ($T:ty) => {
        impl Lapack for $T {
            type Complex = $T;

            #[inline(always)]
            fn run_lanes<K: Kernels>(
                _op: Linalg,
                _group: Range<usize>,
                _inputs: &[(&Aval, &[u8])],
                _outputs: &mut [(&Aval, &mut [u8])],
                _kernels: &K,
            ) -> Mask {
                [false; LANES]
            }

            #[inline(always)]
            fn factor_lanes<K: Kernels>(_kernels: &K, _n: usize, _from: &[$T], _to: &mut [$T]) -> usize {
                0
            }
        }
    };
}

real_lapack!(f32, Complex64);
real_lapack!(f64, Complex128);
complex_lapack!(Complex64);
complex_lapack!(Complex128);

fn part<T>(x: &[T], i: usize, size: usize) -> &[T] {
    &x[i * size..][..size]
}

fn part_mut<T>(x: &mut [T], i: usize, size: usize) -> &mut [T] {
    &mut x[i * size..][..size]
}

/// Writes numbers of double precision as numbers of another.
fn narrow<T: Field>(values: &[T::Wide], output: &mut [u8]) {
    for (out, &x) in bytemuck::cast_slice_mut::<u8, T>(output).iter_mut().zip(values) {
        *out = T::narrow(x);
    }
}

fn fill_with_nan<T: Field>(output: &mut [u8]) {
    bytemuck::cast_slice_mut::<u8, T>(output).fill(T::NAN);
}
