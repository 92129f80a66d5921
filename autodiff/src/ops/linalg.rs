//! Derivatives of linear algebra. The formulas are JAX's, written for matrices; all axes but the last two are batch axes.
//!
//! Where a matrix is read in one triangle only, the tangent is used as it is given, not made symmetric.

use rjax_ir::{
    Atom, Binary, Builder, Compare, DType, DotGeneral, Linalg, Op, PadDim, Precision, Result, Scalar, Unary, bail,
};

use super::sort::take_along_axis;
use crate::jvp::{Dual, Tangent, add_tangents, instantiate};

/// Equations on batches of matrices.
struct Matrices<'b>(&'b mut Builder);

impl Matrices<'_> {
    fn rank(&self, x: Atom) -> usize {
        self.0.shape(x).rank()
    }

    fn rows(&self, x: Atom) -> usize {
        self.0.shape(x)[self.rank(x) - 2]
    }

    fn cols(&self, x: Atom) -> usize {
        self.0.shape(x)[self.rank(x) - 1]
    }

    fn times(&mut self, x: Atom, y: Atom) -> Atom {
        let rank = self.rank(x);
        let batch: Vec<usize> = (0..rank - 2).collect();
        let dot = DotGeneral {
            lhs_contracting: vec![rank - 1],
            rhs_contracting: vec![rank - 2],
            lhs_batch: batch.clone(),
            rhs_batch: batch,
            precision: Precision::Highest,
            preferred: self.0.dtype(x),
        };
        self.0.emit1(Op::DotGeneral(dot), &[x, y])
    }

    fn transpose(&mut self, x: Atom) -> Atom {
        let rank = self.rank(x);
        self.0.move_axis(x, rank - 1, rank - 2)
    }

    fn conj(&mut self, x: Atom) -> Atom {
        if self.0.dtype(x).is_complex() { self.0.unary(Unary::Conj, x) } else { x }
    }

    fn adjoint(&mut self, x: Atom) -> Atom {
        let x = self.transpose(x);
        self.conj(x)
    }

    /// Whether row and column number, the row moved down by `offset`, compare so.
    fn mask(&mut self, like: Atom, op: Compare, offset: i64) -> Atom {
        let (shape, rank) = (self.0.shape(like), self.rank(like));
        let row = self.0.iota(DType::I32, &shape, rank - 2);
        let column = self.0.iota(DType::I32, &shape, rank - 1);
        let row = self.0.add_scalar(row, offset as f64);
        self.0.compare(op, row, column)
    }

    fn keep(&mut self, mask: Atom, x: Atom) -> Atom {
        let zero = self.0.zeros(&self.0.aval(x));
        self.0.select(mask, x, zero)
    }

    /// The elements on and below the diagonal `offset` places above the main one.
    fn lower(&mut self, x: Atom, offset: i64) -> Atom {
        let mask = self.mask(x, Compare::Ge, offset);
        self.keep(mask, x)
    }

    fn upper(&mut self, x: Atom, offset: i64) -> Atom {
        let mask = self.mask(x, Compare::Le, offset);
        self.keep(mask, x)
    }

    fn diagonal_only(&mut self, x: Atom) -> Atom {
        let mask = self.mask(x, Compare::Eq, 0);
        self.keep(mask, x)
    }

    /// The diagonals of square matrices.
    fn diagonal(&mut self, x: Atom) -> Atom {
        let only = self.diagonal_only(x);
        let rank = self.rank(x);
        self.0.reduce_sum(only, &[rank - 2])
    }

    fn identity(&mut self, like: Atom) -> Atom {
        let mask = self.mask(like, Compare::Eq, 0);
        let dtype = self.0.dtype(like);
        self.0.convert(mask, dtype)
    }

    fn solve(&mut self, solve: Linalg, a: Atom, b: Atom) -> Atom {
        self.0.emit1(Op::Linalg(solve), &[a, b])
    }

    fn real(&mut self, x: Atom) -> Atom {
        if self.0.dtype(x).is_complex() { self.0.unary(Unary::Real, x) } else { x }
    }

    /// A vector for each matrix, as a row of as many rows as `like` has.
    fn as_rows(&mut self, x: Atom, like: Atom) -> Atom {
        let rows = self.rows(like);
        let axis = self.0.shape(x).rank() - 1;
        self.0.broadcast_axis(x, axis, rows)
    }

    fn as_columns(&mut self, x: Atom, like: Atom) -> Atom {
        let cols = self.cols(like);
        let axis = self.0.shape(x).rank();
        self.0.broadcast_axis(x, axis, cols)
    }

    /// `1 / x` where x is not zero, 0 elsewhere.
    fn reciprocal_or_zero(&mut self, x: Atom) -> Atom {
        let aval = self.0.aval(x);
        let (zero, one) = (self.0.zeros(&aval), self.0.ones(&aval));
        let is_zero = self.0.compare(Compare::Eq, x, zero);
        let divisor = self.0.select(is_zero, one, x);
        let reciprocal = self.0.div(one, divisor);
        self.0.select(is_zero, zero, reciprocal)
    }
}

const fn solve_with(left_side: bool, lower: bool, adjoint: bool, unit_diagonal: bool) -> Linalg {
    Linalg::TriangularSolve { left_side, lower, transpose_a: adjoint, conjugate_a: adjoint, unit_diagonal }
}

pub(crate) fn jvp(b: &mut Builder, op: Linalg, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let emit = |b: &mut Builder| b.emit(Op::Linalg(op), x);
    let one = t.first().copied().flatten();
    Ok(match (op, one) {
        (Linalg::Cholesky, Some(t)) => {
            let y = emit(b);
            let ty = cholesky(&mut Matrices(b), y[0], t);
            (y, vec![Some(ty)])
        }
        (Linalg::TriangularSolve { .. }, _) => {
            let y = emit(b);
            let from_b = t[1].map(|t| b.emit1(Op::Linalg(op), &[x[0], t]));
            let from_a = t[0].map(|t| triangular_solve(&mut Matrices(b), op, x[0], y[0], t));
            (y, vec![add_tangents(b, from_a, from_b)])
        }
        (Linalg::Lu, Some(t)) => {
            let y = emit(b);
            let ty = lu(&mut Matrices(b), &y, t);
            (y, vec![Some(ty), None, None])
        }
        (Linalg::Qr { full_matrices }, Some(t)) => qr(b, full_matrices, x[0], t)?,
        (Linalg::Eigh { .. }, Some(t)) => {
            let y = emit(b);
            let ty = eigh(&mut Matrices(b), y[0], y[1], t);
            (y, ty)
        }
        (Linalg::Svd { full_matrices, compute_uv }, Some(t)) => svd(b, full_matrices, compute_uv, x[0], t)?,
        (Linalg::Eig { left, right }, Some(t)) => eig(b, left, right, x[0], t)?,
        (Linalg::TridiagonalSolve, _) => {
            let y = emit(b);
            let ty = tridiagonal_solve(b, x, y[0], t);
            (y, vec![Some(ty)])
        }
        (Linalg::Geqrf | Linalg::HouseholderProduct | Linalg::Schur { .. } | Linalg::Hessenberg, _)
        | (
            Linalg::Cholesky
            | Linalg::Lu
            | Linalg::Qr { .. }
            | Linalg::Eigh { .. }
            | Linalg::Svd { .. }
            | Linalg::Eig { .. },
            None,
        ) => bail!(NotDifferentiable, "{}: has no derivative", op.name()),
    })
}

/// `dL = L phi(L^-1 dA L^-H)`, where phi takes the lower triangle with half of the diagonal.
fn cholesky(m: &mut Matrices, l: Atom, t: Atom) -> Atom {
    let inner = m.solve(solve_with(false, true, true, false), l, t);
    let inner = m.solve(solve_with(true, true, false, false), l, inner);
    let (below, diagonal) = (m.lower(inner, -1), m.diagonal_only(inner));
    let half = m.0.mul_scalar(diagonal, 0.5);
    let phi = m.0.add(below, half);
    m.times(l, phi)
}

/// `d(A^-1 B) = -A^-1 dA X` in the triangle that counts.
fn triangular_solve(m: &mut Matrices, op: Linalg, a: Atom, x: Atom, t: Atom) -> Atom {
    let Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } = op else {
        unreachable!("the rule of triangular_solve")
    };
    let offset = unit_diagonal as i64;
    let mut t = if lower { m.lower(t, -offset) } else { m.upper(t, offset) };
    if transpose_a {
        t = m.transpose(t);
    }
    if conjugate_a {
        t = m.conj(t);
    }
    let product = if left_side { m.times(t, x) } else { m.times(x, t) };
    let negative = m.0.neg(product);
    m.solve(op, a, negative)
}

/// With `P A = L U`: `L^-1 P dA U^-1` splits into the strict lower part, which L takes, and the rest, which U takes.
fn lu(m: &mut Matrices, y: &[Atom], t: Atom) -> Atom {
    let (lu, permutation) = (y[0], y[2]);
    let (rows, cols, rank) = (m.rows(lu), m.cols(lu), m.rank(lu));
    let k = rows.min(cols);
    let positions = m.as_columns(permutation, lu);
    let t = take_along_axis(m.0, t, positions, rank - 2);
    // Both factors are completed to square ones by parts of the identity.
    let pad = |m: &mut Matrices, x: Atom, axis: usize, amount: usize| {
        let mut padding = vec![PadDim::default(); rank];
        padding[axis].high = amount as i64;
        let zero = Scalar::zero(m.0.dtype(x));
        m.0.pad(x, zero.into(), &padding)
    };
    let left = m.0.slice_axis(lu, rank - 1, 0, k);
    let left = m.lower(left, -1);
    let left = pad(m, left, rank - 1, rows - k);
    let identity = m.identity(left);
    let l = m.0.add(left, identity);
    let upper = m.0.slice_axis(lu, rank - 2, 0, k);
    let upper = m.upper(upper, 0);
    let upper = pad(m, upper, rank - 2, cols - k);
    let completed = {
        let identity = m.identity(upper);
        let row = m.0.iota(DType::I32, &m.0.shape(upper), rank - 2);
        let first = Scalar::from_i64(DType::I32, k as i64);
        let beyond = m.0.compare(Compare::Ge, row, first.into());
        m.keep(beyond, identity)
    };
    let u = m.0.add(upper, completed);
    let solved = m.solve(solve_with(true, true, false, true), l, t);
    let solved = m.solve(solve_with(false, false, false, false), u, solved);
    let (below, above) = (m.lower(solved, -1), m.upper(solved, 0));
    // Both are rows × cols; each factor multiplies from its side.
    let (dl, du) = (m.times(l, below), m.times(above, u));
    m.0.add(dl, du)
}

fn qr(b: &mut Builder, full_matrices: bool, x: Atom, t: Atom) -> Result<Dual> {
    let mut m = Matrices(b);
    let (rows, cols) = (m.rows(x), m.cols(x));
    if rows < cols || full_matrices && rows != cols {
        bail!(
            NotDifferentiable,
            "qr: the derivative exists for matrices with at least as many rows as columns, and for full_matrices only where \
             they are square; found {}",
            m.0.aval(x)
        );
    }
    let y = m.0.emit(Op::Linalg(Linalg::Qr { full_matrices }), &[x]);
    let (q, r) = (y[0], y[1]);
    let over_r = m.solve(solve_with(false, false, false, false), r, t);
    let adjoint = m.adjoint(q);
    let inner = m.times(adjoint, over_r);
    // The skew-Hermitian matrix with the strict lower part and the imaginary diagonal of `inner`.
    let below = m.lower(inner, -1);
    let above = m.adjoint(below);
    let mut skew = m.0.sub(below, above);
    if m.0.dtype(inner).is_complex() {
        let diagonal = m.diagonal_only(inner);
        let imaginary = m.0.unary(Unary::Imag, diagonal);
        let zero = m.0.zeros(&m.0.aval(imaginary));
        let imaginary = m.0.binary(Binary::Complex, zero, imaginary);
        skew = m.0.add(skew, imaginary);
    }
    let difference = m.0.sub(skew, inner);
    let turned = m.times(q, difference);
    let dq = m.0.add(turned, over_r);
    let rest = m.0.neg(difference);
    let dr = m.times(rest, r);
    Ok((y, vec![Some(dq), Some(dr)]))
}

/// `dw = diag(V^H dA V)` and `dV = V (F * V^H dA V)` with `F[i, j] = 1 / (w[j] - w[i])` off the diagonal.
fn eigh(m: &mut Matrices, v: Atom, w: Atom, t: Atom) -> Vec<Tangent> {
    let adjoint = m.adjoint(v);
    let inner = m.times(adjoint, t);
    let inner = m.times(inner, v);
    let diagonal = m.diagonal(inner);
    let dw = m.real(diagonal);
    let dtype = m.0.dtype(v);
    let w = m.0.convert(w, dtype);
    let (columns, rows) = (m.as_rows(w, v), m.as_columns(w, v));
    let difference = m.0.sub(columns, rows);
    let identity = m.identity(difference);
    let shifted = m.0.add(identity, difference);
    let ones = m.0.ones(&m.0.aval(shifted));
    let reciprocal = m.0.div(ones, shifted);
    let factor = m.0.sub(reciprocal, identity);
    let product = m.0.mul(factor, inner);
    vec![Some(m.times(v, product)), Some(dw)]
}

fn svd(b: &mut Builder, full_matrices: bool, compute_uv: bool, x: Atom, t: Atom) -> Result<Dual> {
    let mut m = Matrices(b);
    let (rows, cols) = (m.rows(x), m.cols(x));
    if compute_uv && full_matrices && rows != cols {
        bail!(
            NotDifferentiable,
            "svd: has no derivative of full_matrices unless they are square, found {}",
            m.0.aval(x)
        );
    }
    let y = m.0.emit(Op::Linalg(Linalg::Svd { full_matrices: false, compute_uv: true }), &[x]);
    let (s, u, vt) = (y[0], y[1], y[2]);
    let (ut, v) = (m.adjoint(u), m.adjoint(vt));
    let inner = m.times(ut, t);
    let inner = m.times(inner, v);
    let diagonal = m.diagonal(inner);
    let ds = m.real(diagonal);
    if !compute_uv {
        return Ok((vec![s], vec![Some(ds)]));
    }
    let dtype = m.0.dtype(x);
    let (across, down) = (m.as_rows(s, inner), m.as_columns(s, inner));
    // F[i, j] = 1 / (s[j]² - s[i]²), 0 where they are equal.
    let (sum, difference) = (m.0.add(across, down), m.0.sub(across, down));
    let squares = m.0.mul(sum, difference);
    let factor = m.reciprocal_or_zero(squares);
    let factor = m.0.convert(factor, dtype);
    let (across, down) = (m.0.convert(across, dtype), m.0.convert(down, dtype));
    let (right, left) = (m.0.mul(across, inner), m.0.mul(down, inner));
    let hermitian = |m: &mut Matrices, x: Atom| {
        let adjoint = m.adjoint(x);
        m.0.add(x, adjoint)
    };
    let (right, left) = (hermitian(&mut m, right), hermitian(&mut m, left));
    // The diagonal of `inner` is imaginary up to ds; U takes that part of the phase.
    let adjoint = m.adjoint(inner);
    let skew = m.0.sub(inner, adjoint);
    let skew = m.0.mul_scalar(skew, 0.5);
    let inverse = m.reciprocal_or_zero(down);
    let inverse = m.diagonal_only(inverse);
    let phase = m.0.mul(skew, inverse);
    let du = m.0.mul(factor, right);
    let du = m.0.add(du, phase);
    let mut du = m.times(u, du);
    let dv = m.0.mul(factor, left);
    let mut dv = m.times(v, dv);
    // What leaves the space of the singular vectors.
    let outside = |m: &mut Matrices, moved: Atom, basis: Atom, adjoint: Atom| {
        let inside = m.times(adjoint, moved);
        let inside = m.times(basis, inside);
        let outside = m.0.sub(moved, inside);
        let s = m.0.convert(s, dtype);
        let s = m.as_rows(s, outside);
        m.0.div(outside, s)
    };
    if rows > cols {
        let moved = m.times(t, v);
        let rest = outside(&mut m, moved, u, ut);
        du = m.0.add(du, rest);
    }
    if cols > rows {
        let adjoint = m.adjoint(t);
        let moved = m.times(adjoint, u);
        let rest = outside(&mut m, moved, v, vt);
        dv = m.0.add(dv, rest);
    }
    let dvt = m.adjoint(dv);
    Ok((y, vec![Some(ds), Some(du), Some(dvt)]))
}

/// `dw = diag(V^-1 dA V)`; the vectors have no derivative, as in JAX.
fn eig(b: &mut Builder, left: bool, right: bool, x: Atom, t: Atom) -> Result<Dual> {
    if left || right {
        bail!(NotDifferentiable, "eig: the derivatives of eigenvectors are not implemented; only eigenvalues have one");
    }
    let mut m = Matrices(b);
    let y = m.0.emit(Op::Linalg(Linalg::Eig { left: false, right: true }), &[x]);
    let (w, v) = (y[0], y[1]);
    let dtype = m.0.dtype(v);
    let t = m.0.convert(t, dtype);
    let moved = m.times(t, v);
    let factors = m.0.emit(Op::Linalg(Linalg::Lu), &[v]);
    let positions = m.as_columns(factors[2], moved);
    let rank = m.rank(moved);
    let permuted = take_along_axis(m.0, moved, positions, rank - 2);
    let solved = m.solve(solve_with(true, true, false, true), factors[0], permuted);
    let solved = m.solve(solve_with(true, false, false, false), factors[0], solved);
    let dw = m.diagonal(solved);
    Ok((vec![w], vec![Some(dw)]))
}

/// `T dx = db - dT x`.
fn tridiagonal_solve(b: &mut Builder, x: &[Atom], solution: Atom, t: &[Tangent]) -> Atom {
    let mut m = Matrices(b);
    let aval = m.0.aval(solution);
    let mut rest = instantiate(m.0, t[3], &aval);
    for (which, t) in t.iter().enumerate().take(3) {
        let Some(t) = *t else { continue };
        // Row i takes the neighbour above, itself or the neighbour below; beyond the ends there are zeros.
        let neighbour = match which {
            0 => shifted(&mut m, solution, 1),
            1 => solution,
            _ => shifted(&mut m, solution, -1),
        };
        let factor = m.as_columns(t, solution);
        let product = m.0.mul(factor, neighbour);
        rest = m.0.sub(rest, product);
    }
    m.0.emit1(Op::Linalg(Linalg::TridiagonalSolve), &[x[0], x[1], x[2], rest])
}

/// Rows moved down by `by`, zeros coming in.
fn shifted(m: &mut Matrices, x: Atom, by: i64) -> Atom {
    let rank = m.rank(x);
    moved(m.0, x, rank - 2, by)
}

fn moved(b: &mut Builder, x: Atom, axis: usize, by: i64) -> Atom {
    let mut padding = vec![PadDim::default(); b.shape(x).rank()];
    if b.shape(x)[axis] == 0 {
        return x;
    }
    (padding[axis].low, padding[axis].high) = (by, -by);
    let zero = Scalar::zero(b.dtype(x));
    b.pad(x, zero.into(), &padding)
}

/// The cotangent of the right-hand side of a solve, which is linear in it.
pub(crate) fn transpose_solve(b: &mut Builder, op: Linalg, known: &[Atom], ct: Atom) -> Result<Atom> {
    match op {
        Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } => {
            let transpose_a = !transpose_a;
            let op = Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal };
            Ok(b.emit1(Op::Linalg(op), &[known[0], ct]))
        }
        Linalg::TridiagonalSolve => {
            let axis = b.shape(known[0]).rank() - 1;
            let (below, above) = (moved(b, known[2], axis, 1), moved(b, known[0], axis, -1));
            Ok(b.emit1(Op::Linalg(op), &[below, known[1], above, ct]))
        }
        Linalg::Cholesky
        | Linalg::Lu
        | Linalg::Qr { .. }
        | Linalg::Geqrf
        | Linalg::HouseholderProduct
        | Linalg::Eigh { .. }
        | Linalg::Svd { .. }
        | Linalg::Eig { .. }
        | Linalg::Schur { .. }
        | Linalg::Hessenberg => bail!(NotDifferentiable, "transpose: {} is not linear", op.name()),
    }
}
