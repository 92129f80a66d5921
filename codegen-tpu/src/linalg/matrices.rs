//! Batches of matrices in programs: the vocabulary in which the decompositions are written.
//!
//! Every array has the batch axes first; *extents* are those of the axes after them, and axes are counted from there. Sums of
//! products are written as products and sums, never as dots, whose operands a TPU would round to `bf16`.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Binary, Builder, Compare, DType, Op, Reducer, Scalar, Scan, Shape, Unary};

/// A builder with the dtype and the batch axes of the matrices in question.
pub struct Matrices<'b> {
    pub b: &'b mut Builder,
    pub dtype: DType,
    pub batch: Vec<usize>,
}

/// Starts of a window that begins at an index along one axis, and at zero along the others.
fn starts(rank: usize, axis: usize, index: Atom) -> impl Iterator<Item = Atom> {
    let zero = Atom::from(Scalar::zero(DType::I32));
    (0..rank).map(move |other| if other == axis { index } else { zero })
}

impl Matrices<'_> {
    pub fn shape(&self, extents: &[usize]) -> Shape {
        [&self.batch[..], extents].concat().into()
    }

    /// One value everywhere.
    pub fn fill(&mut self, dtype: DType, extents: &[usize], value: f64) -> Atom {
        let shape = self.shape(extents);
        self.b.full(&shape, Scalar::from_f64(dtype, value))
    }

    /// Positions along an axis.
    pub fn positions(&mut self, extents: &[usize], axis: usize) -> Atom {
        let (shape, axis) = (self.shape(extents), self.batch.len() + axis);
        self.b.iota(DType::I32, &shape, axis)
    }

    /// An array that has only some of the axes, repeated along the others.
    pub fn spread(&mut self, x: Atom, axes: &[usize], extents: &[usize]) -> Atom {
        let rank = self.batch.len();
        let dims: Vec<usize> = (0..rank).chain(axes.iter().map(|axis| rank + axis)).collect();
        let shape = self.shape(extents);
        self.b.broadcast_in_dim(x, &shape, &dims)
    }

    /// A scalar, the same for the whole batch, repeated.
    pub fn everywhere(&mut self, x: Atom, extents: &[usize]) -> Atom {
        let shape = self.shape(extents);
        self.b.broadcast_scalar(x, &shape)
    }

    /// Element `index` along an axis, which goes away.
    pub fn at(&mut self, x: Atom, axis: usize, index: Atom) -> Atom {
        let one = self.window(x, axis, index, 1);
        let shape = self.b.shape(x).without(&[self.batch.len() + axis]);
        self.b.reshape(one, &shape)
    }

    /// Some elements along an axis, from `start` on.
    pub fn window(&mut self, x: Atom, axis: usize, start: Atom, count: usize) -> Atom {
        let (shape, axis) = (self.b.shape(x), self.batch.len() + axis);
        let operands: Vec<Atom> = std::iter::once(x).chain(starts(shape.rank(), axis, start)).collect();
        self.b.emit1(Op::DynamicSlice { sizes: shape.with_extent(axis, count) }, &operands)
    }

    /// Others in their place.
    pub fn replace(&mut self, x: Atom, axis: usize, start: Atom, by: Atom) -> Atom {
        let (rank, axis) = (self.b.shape(x).rank(), self.batch.len() + axis);
        let operands: Vec<Atom> = [x, by].into_iter().chain(starts(rank, axis, start)).collect();
        self.b.emit1(Op::DynamicUpdateSlice, &operands)
    }

    /// Elements `start..limit` along an axis.
    pub fn part(&mut self, x: Atom, axis: usize, start: usize, limit: usize) -> Atom {
        let axis = self.batch.len() + axis;
        self.b.slice_axis(x, axis, start, limit)
    }

    pub fn join(&mut self, parts: &[Atom], axis: usize) -> Atom {
        let axis = self.batch.len() + axis;
        self.b.concatenate(parts, axis)
    }

    /// Rows as columns.
    pub fn flip(&mut self, x: Atom) -> Atom {
        let rank = self.b.shape(x).rank();
        self.b.move_axis(x, rank - 1, rank - 2)
    }

    pub fn conj(&mut self, x: Atom) -> Atom {
        if self.b.dtype(x).is_complex() { self.b.unary(Unary::Conj, x) } else { x }
    }

    /// The conjugate transpose.
    pub fn adjoint(&mut self, x: Atom) -> Atom {
        let flipped = self.flip(x);
        self.conj(flipped)
    }

    pub fn re(&mut self, x: Atom) -> Atom {
        if self.b.dtype(x).is_complex() { self.b.unary(Unary::Real, x) } else { x }
    }

    /// A number of the matrices' dtype from its parts, of which real matrices drop the second.
    pub fn number(&mut self, re: Atom, im: Option<Atom>) -> Atom {
        if !self.dtype.is_complex() {
            return re;
        }
        let im = im.unwrap_or_else(|| {
            let aval = self.b.aval(re);
            self.b.zeros(&aval)
        });
        self.b.binary(Binary::Complex, re, im)
    }

    /// The sum of the absolute values of the parts, by which LAPACK chooses pivots.
    pub fn size(&mut self, x: Atom) -> Atom {
        if !self.dtype.is_complex() {
            return self.b.unary(Unary::Abs, x);
        }
        let [re, im] = [Unary::Real, Unary::Imag].map(|part| {
            let part = self.b.unary(part, x);
            self.b.unary(Unary::Abs, part)
        });
        self.b.add(re, im)
    }

    pub fn reduce(&mut self, reducer: Reducer, x: Atom, axes: &[usize]) -> Atom {
        let rank = self.batch.len();
        let axes: Vec<usize> = axes.iter().map(|axis| rank + axis).collect();
        self.b.reduce(reducer, x, &axes)
    }

    /// The sum of the squares of the absolute values.
    pub fn squares(&mut self, x: Atom, axes: &[usize]) -> Atom {
        let other = self.conj(x);
        let product = self.b.mul(x, other);
        let product = self.re(product);
        self.reduce(Reducer::Sum, product, axes)
    }

    /// The greatest absolute value, one where all are zero: what to divide by before squares are formed.
    pub fn scale(&mut self, x: Atom, axes: &[usize]) -> Atom {
        let size = self.size(x);
        let greatest = self.reduce(Reducer::Max, size, axes);
        let zero = self.is_zero(greatest);
        let aval = self.b.aval(greatest);
        let one = self.b.ones(&aval);
        self.b.select(zero, one, greatest)
    }

    pub fn is_zero(&mut self, x: Atom) -> Atom {
        let zero = Scalar::zero(self.b.dtype(x));
        self.b.compare(Compare::Eq, x, zero.into())
    }

    pub fn and(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.binary(Binary::And, x, y)
    }

    /// `u vᵀ`: no conjugate is taken.
    pub fn outer(&mut self, u: Atom, rows: usize, v: Atom, cols: usize) -> Atom {
        let (u, v) = (self.spread(u, &[0], &[rows, cols]), self.spread(v, &[1], &[rows, cols]));
        self.b.mul(u, v)
    }

    pub fn identity(&mut self, rows: usize, cols: usize) -> Atom {
        let (row, column) = (self.positions(&[rows, cols], 0), self.positions(&[rows, cols], 1));
        let diagonal = self.b.compare(Compare::Eq, row, column);
        self.b.convert(diagonal, self.dtype)
    }

    /// The elements on the diagonal of square matrices, and zeros instead of them.
    pub fn diagonal(&mut self, x: Atom, n: usize) -> Atom {
        let (row, column) = (self.positions(&[n, n], 0), self.positions(&[n, n], 1));
        let diagonal = self.b.compare(Compare::Eq, row, column);
        let aval = self.b.aval(x);
        let zeros = self.b.zeros(&aval);
        let kept = self.b.select(diagonal, x, zeros);
        self.reduce(Reducer::Sum, kept, &[1])
    }

    /// NaN for the matrices of which the predicate does not hold.
    pub fn or_nan(&mut self, holds: Atom, x: Atom, extents: &[usize]) -> Atom {
        let axes: Vec<usize> = vec![];
        let holds = self.spread(holds, &axes, extents);
        let nan = Scalar::from_f64(self.b.dtype(x), f64::NAN);
        let shape = self.shape(extents);
        let nan = self.b.full(&shape, nan);
        self.b.select(holds, x, nan)
    }

    /// A loop of `length` steps. The body gets the number of its step, the constants, what is carried and its rows of `xs`; it returns
    /// what is carried and rows of results, which come after it.
    pub fn steps(
        &mut self,
        length: usize,
        reverse: bool,
        [consts, carry, xs]: [&[Atom]; 3],
        body: impl FnOnce(&mut Matrices<'_>, Atom, [&[Atom]; 3]) -> [Vec<Atom>; 2],
    ) -> Vec<Atom> {
        let mut b = Builder::new();
        let mut inputs = |atoms: &[Atom], row: bool| -> Vec<Atom> {
            let aval = |&x: &Atom| if row { self.b.aval(x).with_shape(&self.b.shape(x)[1..]) } else { self.b.aval(x) };
            atoms.iter().map(|x| b.input(aval(x))).collect()
        };
        let (inner_consts, inner_carry) = (inputs(consts, false), inputs(carry, false));
        let inner_xs = inputs(xs, true);
        let number = b.input(Aval::scalar(DType::I32));
        let mut inner = Matrices { b: &mut b, dtype: self.dtype, batch: self.batch.clone() };
        let outputs = body(&mut inner, number, [&inner_consts, &inner_carry, &inner_xs]);
        let scan = Scan {
            body: Arc::new(b.finish(outputs.concat())),
            length,
            reverse,
            num_consts: consts.len(),
            num_carry: carry.len(),
        };
        let numbers = self.b.iota(DType::I32, &[length].into(), 0);
        self.b.emit(Op::Scan(scan), &[consts, carry, xs, &[numbers]].concat())
    }
}
