//! What can be written as StableHLO, and when its results are as good as the interpreter's.

use rjax_ir::{Atom, Complex128, Linalg, Op, Program, Tensor, Unary, eval};

use crate::compare::{epsilon, same};
use crate::report::Outcome;

/// Units of the last place, times the number of rows, that products of factors may differ from the matrix.
const FACTORS: f64 = 64.0;

/// Whether every op of a program can be written as StableHLO. Printing cannot, and the tangent of a `custom_vjp` exists between two
/// transformations only.
pub fn is_exported(program: &Program) -> bool {
    let here = |op: &Op| match op {
        Op::DebugPrint(_) | Op::CustomLinear(_) | Op::Collective(_) => false,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::Bitcast { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Gather(_)
        | Op::Scatter(_)
        | Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Threefry2x32
        | Op::Cond { .. }
        | Op::While(_)
        | Op::Scan(_)
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::Linalg(_)
        | Op::Fft(_) => true,
    };
    program.eqns.iter().all(|eqn| here(&eqn.op) && eqn.op.subprograms().iter().all(|program| is_exported(program)))
}

/// How far, in units of the last place of the greatest element, the elementary functions that an op is written with may
/// take the result away from its own.
pub fn distance(program: &Program, own: f64) -> f64 {
    // lgamma is exact to 1e-14 absolute near its zeros, which is many units where nothing greater is in the array.
    let is_lgamma = |op: &Op| matches!(op, Op::Unary(Unary::Lgamma));
    if program.eqns.iter().any(|eqn| is_lgamma(&eqn.op)) {
        return own.max(2048.0);
    }
    let special = |op: &Op| matches!(op, Op::Unary(_) | Op::Binary(_) | Op::RegularizedIncompleteBeta);
    if program.eqns.iter().any(|eqn| special(&eqn.op)) { own.max(64.0) } else { own.max(8.0) }
}

/// Whether factors that are unique only up to signs and phases are as good as the expected ones: they satisfy the equations that define
/// them. `None` for programs without such factors among their results.
pub fn agree(program: &Program, inputs: &[Tensor], found: &[Tensor], expected: &[Tensor]) -> Option<Outcome> {
    let (place, linalg) = program.eqns.iter().enumerate().find_map(|(place, eqn)| {
        let Op::Linalg(linalg) = eqn.op else { return None };
        let only_phases = matches!(linalg, Linalg::Eigh { .. } | Linalg::Svd { compute_uv: true, .. });
        let general = matches!(linalg, Linalg::Eig { .. } | Linalg::Schur { .. });
        (only_phases || general).then_some((place, linalg))
    })?;
    let eqn = &program.eqns[place];
    // Where each factor is among the outputs; programs that drop one have nothing to multiply.
    let outputs: Option<Vec<usize>> =
        eqn.outputs.iter().map(|&v| program.outvars.iter().position(|&out| out == Atom::Var(v))).collect();
    let outputs = outputs?;
    let mut before = program.clone();
    before.eqns.truncate(place);
    before.outvars = vec![eqn.inputs[0]];
    let matrix = match eval(&before, inputs) {
        Ok(outputs) => outputs[0].clone(),
        Err(e) => return Some(Err(e.to_string())),
    };
    let a = Matrices::new(&matrix);
    let ulps = FACTORS * a.rows.max(a.cols).max(1) as f64;
    let allowed = ulps * epsilon(matrix.dtype());
    let result = |result: usize| &found[outputs[result]];
    let factor = |index: usize| Matrices::new(result(index));
    let unitary = |factor: &Matrices| {
        factor.adjoint().times(factor).near(&Matrices::identity(factor.batch, factor.cols), allowed)
    };
    let same_values = |index: usize| same(result(index), &expected[outputs[index]], ulps);
    let mut checks = vec![];
    if let Linalg::Eig { left, right } = linalg {
        let value = |i: usize| result(0).get(i).to_c128();
        checks.push(("the values", same_set(result(0), &expected[outputs[0]], allowed)));
        if left {
            let vectors = factor(1);
            let scaled = vectors.scaled(vectors.cols, |i| value(i).conj());
            checks.push(("the left vectors", a.adjoint().times(&vectors).near(&scaled, allowed)));
            checks.push(("their lengths", vectors.has_unit_columns(allowed)));
        }
        if right {
            let vectors = factor(1 + left as usize);
            checks.push(("the right vectors", a.times(&vectors).near(&vectors.scaled(vectors.cols, value), allowed)));
            checks.push(("their lengths", vectors.has_unit_columns(allowed)));
        }
    } else if let Linalg::Schur { vectors } = linalg {
        let form = factor(0);
        let blocks = !matrix.dtype().is_complex();
        checks.push(("the form", form.is_triangular(blocks)));
        if vectors {
            let vectors = factor(1);
            checks.push(("the product", vectors.times(&form).times(&vectors.adjoint()).near(&a, allowed)));
            checks.push(("the vectors", unitary(&vectors)));
        } else {
            // For the same order of eigenvalues, which small matrices have, elements differ by phases only.
            let expected = Matrices::new(&expected[outputs[0]]);
            checks.push(("the elements", form.absolute().near(&expected.absolute(), allowed)));
        }
    } else {
        let is_eigh = matches!(linalg, Linalg::Eigh { .. });
        let (u, values, vh) = if is_eigh { (factor(0), 1, factor(0).adjoint()) } else { (factor(1), 0, factor(2)) };
        let count = result(values).shape().last().copied().unwrap_or(0);
        let product =
            u.scaled(count, |i| result(values).get(i).to_c128()).first_columns(count).times(&vh.first_rows(count));
        checks.push(("the values", same_values(values)));
        checks.push(("the product", product.near(&a, allowed)));
        checks.push(("the left factor", unitary(&u)));
        checks.push(("the right factor", unitary(&vh.adjoint())));
    }
    let wrong = checks.into_iter().find_map(|(what, outcome)| outcome.err().map(|e| format!("{what}: {e}")));
    Some(wrong.map_or(Ok(()), Err))
}

/// Whether lines of numbers are the same in some order, up to a distance relative to the greatest one.
fn same_set(found: &Tensor, expected: &Tensor, allowed: f64) -> Outcome {
    let count = found.shape().last().copied().unwrap_or(1);
    let value = |tensor: &Tensor, i: usize| tensor.get(i).to_c128();
    for line in 0..found.shape().size() / count.max(1) {
        let positions = line * count..(line + 1) * count;
        let mut rest: Vec<Complex128> = positions.clone().map(|i| value(expected, i)).collect();
        let limit = allowed * rest.iter().map(|x| x.norm()).fold(0.0, f64::max);
        for x in positions.map(|i| value(found, i)) {
            let Some(place) = rest.iter().position(|y| (x - y).norm() <= limit) else {
                return Err(format!("{x} is not among {rest:?}"));
            };
            rest.swap_remove(place);
        }
    }
    Ok(())
}

/// A batch of matrices in double precision.
struct Matrices {
    batch: usize,
    rows: usize,
    cols: usize,
    values: Vec<Complex128>,
}

impl Matrices {
    fn new(tensor: &Tensor) -> Matrices {
        let (batch, matrix) = tensor.shape().split_at(tensor.shape().rank() - 2);
        let values = (0..tensor.shape().size()).map(|i| tensor.get(i).to_c128()).collect();
        Matrices { batch: batch.iter().product(), rows: matrix[0], cols: matrix[1], values }
    }

    fn from_fn(batch: usize, rows: usize, cols: usize, at: impl Fn(usize, usize, usize) -> Complex128) -> Matrices {
        let all = (0..batch * rows * cols).map(|i| at(i / (rows * cols), i / cols % rows, i % cols));
        Matrices { batch, rows, cols, values: all.collect() }
    }

    fn identity(batch: usize, n: usize) -> Matrices {
        Matrices::from_fn(batch, n, n, |_, i, j| Complex128::new((i == j) as u8 as f64, 0.0))
    }

    fn at(&self, matrix: usize, row: usize, column: usize) -> Complex128 {
        self.values[(matrix * self.rows + row) * self.cols + column]
    }

    fn adjoint(&self) -> Matrices {
        Matrices::from_fn(self.batch, self.cols, self.rows, |k, i, j| self.at(k, j, i).conj())
    }

    fn first_columns(&self, count: usize) -> Matrices {
        Matrices::from_fn(self.batch, self.rows, count, |k, i, j| self.at(k, i, j))
    }

    fn first_rows(&self, count: usize) -> Matrices {
        Matrices::from_fn(self.batch, count, self.cols, |k, i, j| self.at(k, i, j))
    }

    /// Columns times values, of which each matrix has `count`; columns beyond the values are left.
    fn scaled(&self, count: usize, value: impl Fn(usize) -> Complex128) -> Matrices {
        Matrices::from_fn(self.batch, self.rows, self.cols, |k, i, j| {
            let factor = if j < count { value(k * count + j) } else { Complex128::new(1.0, 0.0) };
            self.at(k, i, j) * factor
        })
    }

    /// The absolute values of the elements.
    fn absolute(&self) -> Matrices {
        Matrices::from_fn(self.batch, self.rows, self.cols, |k, i, j| Complex128::new(self.at(k, i, j).norm(), 0.0))
    }

    /// Whether nothing is below the diagonal, or nothing but elements of 2 × 2 blocks.
    fn is_triangular(&self, blocks: bool) -> Outcome {
        let is_zero = |k, i, j| self.at(k, i, j) == Complex128::ZERO;
        let below = |i: usize| (0..i).filter(move |j| !blocks || j + 1 < i);
        let holds = (0..self.batch).all(|k| {
            let clear = (0..self.rows).all(|i| below(i).all(|j| is_zero(k, i, j)));
            clear && (2..self.rows).all(|i| is_zero(k, i, i - 1) || is_zero(k, i - 1, i - 2))
        });
        if holds { Ok(()) } else { Err("it is no triangle".into()) }
    }

    fn has_unit_columns(&self, allowed: f64) -> Outcome {
        let lengths = Matrices::from_fn(self.batch, 1, self.cols, |k, _, j| {
            Complex128::new((0..self.rows).map(|i| self.at(k, i, j).norm_sqr()).sum(), 0.0)
        });
        lengths.near(&Matrices::from_fn(self.batch, 1, self.cols, |_, _, _| Complex128::new(1.0, 0.0)), allowed)
    }

    fn times(&self, other: &Matrices) -> Matrices {
        Matrices::from_fn(self.batch, self.rows, other.cols, |k, i, j| {
            (0..self.cols).map(|l| self.at(k, i, l) * other.at(k, l, j)).sum()
        })
    }

    /// Whether all elements are within a distance, relative to the greatest one of the other.
    fn near(&self, other: &Matrices, allowed: f64) -> Outcome {
        let size = |values: &[Complex128]| values.iter().map(|x| x.norm()).fold(0.0, f64::max);
        let distances: Vec<Complex128> = self.values.iter().zip(&other.values).map(|(x, y)| x - y).collect();
        let (worst, limit) = (size(&distances), allowed * size(&other.values));
        let is_number = distances.iter().all(|x| x.norm().is_finite());
        if is_number && worst <= limit { Ok(()) } else { Err(format!("off by {worst:e}, allowed is {limit:e}")) }
    }
}
