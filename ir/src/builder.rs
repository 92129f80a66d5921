//! Building programs equation by equation.
//!
//! [`Builder::try_emit`] checks what a user wrote and returns an error. The other methods are for passes and rules, whose
//! equations are well typed by construction: there an error is a bug in rjax and panics.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType};
//! let mut b = Builder::new();
//! let x = b.input(Aval::new(DType::F32, [2, 3]));
//! let total = b.reduce_sum(x, &[0, 1]);
//! let mean = b.mul_scalar(total, 1.0 / 6.0);
//! assert_eq!(b.aval(mean), Aval::scalar(DType::F32));
//! let program = b.finish(vec![mean]);
//! assert_eq!(program.eqns.len(), 2);
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use crate::infer::infer;
use crate::op::{Compare, DotGeneral, PadDim, Precision, Slice};
use crate::widen::{Widened, widen};
use crate::{
    Atom, Aval, Binary, DType, Eqn, Location, Op, Program, Reducer, Result, Scalar, Shape, Tensor, Unary, Var,
};

/// A program under construction.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    program: Program,
    /// The location given to new equations.
    pub location: Location,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// What has been built so far; its `outvars` are empty.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A new variable that nothing defines yet.
    fn fresh(&mut self, aval: Aval) -> Var {
        self.program.avals.push(aval);
        Var((self.program.avals.len() - 1) as u32)
    }

    /// Adds an input.
    pub fn input(&mut self, aval: Aval) -> Atom {
        let v = self.fresh(aval);
        self.program.invars.push(v);
        v.into()
    }

    /// Adds a constant array; scalars become literals. Only for programs that stay at top level.
    pub fn constant(&mut self, value: Tensor) -> Atom {
        if value.shape().rank() == 0 {
            return value.get(0).into();
        }
        let v = self.fresh(value.aval());
        self.program.consts.push((v, value));
        v.into()
    }

    /// The type of an operand.
    pub fn aval(&self, x: Atom) -> Aval {
        self.program.aval(x)
    }

    /// The shape of an operand.
    pub fn shape(&self, x: Atom) -> Shape {
        self.program.aval(x).shape
    }

    /// The dtype of an operand.
    pub fn dtype(&self, x: Atom) -> DType {
        match x {
            Atom::Var(v) => self.program.avals[v.index()].dtype,
            Atom::Lit(s) => s.dtype(),
        }
    }

    /// Adds an equation after checking it; errors say what does not fit and carry the builder's location. Arithmetic on narrow
    /// types is done on wide ones and rounded.
    pub fn try_emit(&mut self, op: Op, inputs: &[Atom]) -> Result<Vec<Atom>> {
        let avals: Vec<Aval> = inputs.iter().map(|&x| self.aval(x)).collect();
        if let Some(Widened { op, results }) = widen(&op, &avals) {
            let inputs: Vec<Atom> = inputs.iter().map(|&x| self.convert(x, self.dtype(x).wide())).collect();
            let wide = self.try_emit(op, &inputs)?;
            let rounded = wide.into_iter().zip(results);
            return Ok(rounded.map(|(x, narrow)| narrow.map_or(x, |dtype| self.convert(x, dtype))).collect());
        }
        let outputs = infer(&op, &avals).map_err(|e| e.at(&self.location))?;
        let outputs: Vec<Var> = outputs.into_iter().map(|aval| self.fresh(aval)).collect();
        let atoms = outputs.iter().map(|&v| v.into()).collect();
        self.program.eqns.push(Eqn { op, inputs: inputs.to_vec(), outputs, location: self.location.clone() });
        Ok(atoms)
    }

    /// Adds an equation that is well typed by construction.
    #[track_caller]
    pub fn emit(&mut self, op: Op, inputs: &[Atom]) -> Vec<Atom> {
        match self.try_emit(op, inputs) {
            Ok(outputs) => outputs,
            Err(e) => panic!("a rule built an ill-typed equation: {e}"),
        }
    }

    /// Adds an equation with one result.
    #[track_caller]
    pub fn emit1(&mut self, op: Op, inputs: &[Atom]) -> Atom {
        self.emit(op, inputs)[0]
    }

    /// Copies another program's equations in with its inputs replaced, and returns its outputs. Its constants are added here.
    #[track_caller]
    pub fn inline(&mut self, program: &Program, inputs: &[Atom]) -> Vec<Atom> {
        assert_eq!(program.invars.len(), inputs.len(), "inline: wrong number of inputs");
        let mut map: HashMap<Var, Atom> = program.invars.iter().copied().zip(inputs.iter().copied()).collect();
        for (v, value) in &program.consts {
            let atom = self.constant(value.clone());
            map.insert(*v, atom);
        }
        let lookup = |map: &HashMap<Var, Atom>, a: Atom| match a {
            Atom::Var(v) => map[&v],
            Atom::Lit(_) => a,
        };
        for eqn in &program.eqns {
            let inputs = eqn.inputs.iter().map(|&a| lookup(&map, a)).collect();
            let outputs: Vec<Var> = eqn.outputs.iter().map(|&v| self.fresh(program.avals[v.index()].clone())).collect();
            for (&old, &new) in eqn.outputs.iter().zip(&outputs) {
                map.insert(old, new.into());
            }
            self.program.eqns.push(Eqn { op: eqn.op.clone(), inputs, outputs, location: eqn.location.clone() });
        }
        program.outvars.iter().map(|&a| lookup(&map, a)).collect()
    }

    /// Ends the program with these outputs.
    pub fn finish(mut self, outputs: Vec<Atom>) -> Program {
        self.program.outvars = outputs;
        self.program
    }

    // Elementwise.

    /// An elementwise op of one operand.
    #[track_caller]
    pub fn unary(&mut self, op: Unary, x: Atom) -> Atom {
        self.emit1(Op::Unary(op), &[x])
    }

    /// An elementwise op of two operands; a scalar literal (and only that) is broadcast to the other's shape.
    #[track_caller]
    pub fn binary(&mut self, op: Binary, x: Atom, y: Atom) -> Atom {
        let (x, y) = self.match_literal(x, y);
        self.emit1(Op::Binary(op), &[x, y])
    }

    /// A comparison; a scalar literal is broadcast to the other's shape.
    #[track_caller]
    pub fn compare(&mut self, op: Compare, x: Atom, y: Atom) -> Atom {
        let (x, y) = self.match_literal(x, y);
        self.emit1(Op::Compare(op), &[x, y])
    }

    fn match_literal(&mut self, x: Atom, y: Atom) -> (Atom, Atom) {
        match (x, y) {
            (Atom::Lit(_), Atom::Var(_)) => {
                let shape = self.shape(y);
                (self.broadcast_scalar(x, &shape), y)
            }
            (Atom::Var(_), Atom::Lit(_)) => {
                let shape = self.shape(x);
                (x, self.broadcast_scalar(y, &shape))
            }
            (Atom::Var(_), Atom::Var(_)) | (Atom::Lit(_), Atom::Lit(_)) => (x, y),
        }
    }

    /// `x + y`.
    #[track_caller]
    pub fn add(&mut self, x: Atom, y: Atom) -> Atom {
        self.binary(Binary::Add, x, y)
    }

    /// `x - y`.
    #[track_caller]
    pub fn sub(&mut self, x: Atom, y: Atom) -> Atom {
        self.binary(Binary::Sub, x, y)
    }

    /// `x * y`.
    #[track_caller]
    pub fn mul(&mut self, x: Atom, y: Atom) -> Atom {
        self.binary(Binary::Mul, x, y)
    }

    /// `x / y`.
    #[track_caller]
    pub fn div(&mut self, x: Atom, y: Atom) -> Atom {
        self.binary(Binary::Div, x, y)
    }

    /// `-x`.
    #[track_caller]
    pub fn neg(&mut self, x: Atom) -> Atom {
        self.unary(Unary::Neg, x)
    }

    /// `x * value`, with the value rounded to x's dtype.
    #[track_caller]
    pub fn mul_scalar(&mut self, x: Atom, value: f64) -> Atom {
        let value = Scalar::from_f64(self.dtype(x), value);
        self.mul(x, value.into())
    }

    /// `x + value`, with the value rounded to x's dtype.
    #[track_caller]
    pub fn add_scalar(&mut self, x: Atom, value: f64) -> Atom {
        let value = Scalar::from_f64(self.dtype(x), value);
        self.add(x, value.into())
    }

    /// `which ? on_true : on_false` for a `bool` predicate.
    #[track_caller]
    pub fn select(&mut self, which: Atom, on_true: Atom, on_false: Atom) -> Atom {
        let (on_false, on_true) = self.match_literal(on_false, on_true);
        self.emit1(Op::Select, &[which, on_false, on_true])
    }

    /// The elements converted to another dtype; the operand itself if it has that dtype already.
    #[track_caller]
    pub fn convert(&mut self, x: Atom, dtype: DType) -> Atom {
        if self.dtype(x) == dtype { x } else { self.emit1(Op::Convert { dtype }, &[x]) }
    }

    // Values.

    /// An array with one value everywhere; a literal for a scalar.
    #[track_caller]
    pub fn full(&mut self, shape: &Shape, value: Scalar) -> Atom {
        self.broadcast_scalar(value.into(), shape)
    }

    /// Zeros of a type.
    #[track_caller]
    pub fn zeros(&mut self, aval: &Aval) -> Atom {
        self.full(&aval.shape, Scalar::zero(aval.dtype))
    }

    /// Ones of a type.
    #[track_caller]
    pub fn ones(&mut self, aval: &Aval) -> Atom {
        self.full(&aval.shape, Scalar::one(aval.dtype))
    }

    /// 0, 1, 2, … along an axis.
    #[track_caller]
    pub fn iota(&mut self, dtype: DType, shape: &Shape, axis: usize) -> Atom {
        self.emit1(Op::Iota { dtype, shape: shape.clone(), axis }, &[])
    }

    // Shape.

    /// A scalar repeated over a shape.
    #[track_caller]
    pub fn broadcast_scalar(&mut self, x: Atom, shape: &Shape) -> Atom {
        if shape.rank() == 0 { x } else { self.broadcast_in_dim(x, shape, &[]) }
    }

    /// `broadcast_in_dim`; the operand itself where nothing changes.
    #[track_caller]
    pub fn broadcast_in_dim(&mut self, x: Atom, shape: &Shape, dims: &[usize]) -> Atom {
        if self.shape(x) == *shape && dims.iter().enumerate().all(|(i, &d)| i == d) {
            return x;
        }
        self.emit1(Op::BroadcastInDim { shape: shape.clone(), dims: dims.to_vec() }, &[x])
    }

    /// The same elements under another shape; the operand itself where nothing changes.
    #[track_caller]
    pub fn reshape(&mut self, x: Atom, shape: &Shape) -> Atom {
        if self.shape(x) == *shape { x } else { self.emit1(Op::Reshape { shape: shape.clone() }, &[x]) }
    }

    /// Axes permuted; the operand itself for the identity.
    #[track_caller]
    pub fn transpose(&mut self, x: Atom, permutation: &[usize]) -> Atom {
        if permutation.iter().enumerate().all(|(i, &p)| i == p) {
            return x;
        }
        self.emit1(Op::Transpose { permutation: permutation.to_vec() }, &[x])
    }

    /// Moves one axis to another place, the others keeping their order.
    #[track_caller]
    pub fn move_axis(&mut self, x: Atom, from: usize, to: usize) -> Atom {
        let mut permutation: Vec<usize> = (0..self.shape(x).rank()).filter(|&a| a != from).collect();
        permutation.insert(to, from);
        self.transpose(x, &permutation)
    }

    /// Inserts an axis of extent 1.
    #[track_caller]
    pub fn expand_dims(&mut self, x: Atom, axis: usize) -> Atom {
        let shape = self.shape(x).with_axis(axis, 1);
        self.reshape(x, &shape)
    }

    /// Inserts an axis along which the operand is repeated.
    #[track_caller]
    pub fn broadcast_axis(&mut self, x: Atom, axis: usize, extent: usize) -> Atom {
        let shape = self.shape(x).with_axis(axis, extent);
        let dims: Vec<usize> = (0..shape.rank()).filter(|&a| a != axis).collect();
        self.broadcast_in_dim(x, &shape, &dims)
    }

    /// Elements `start..limit` along an axis.
    #[track_caller]
    pub fn slice_axis(&mut self, x: Atom, axis: usize, start: usize, limit: usize) -> Atom {
        let shape = self.shape(x);
        if start == 0 && limit == shape[axis] {
            return x;
        }
        let (mut starts, mut limits) = (vec![0; shape.rank()], shape.to_vec());
        (starts[axis], limits[axis]) = (start, limit);
        self.emit1(Op::Slice(Slice { starts, limits, strides: vec![1; shape.rank()] }), &[x])
    }

    /// Element `index` along an axis, which goes away.
    #[track_caller]
    pub fn index_axis(&mut self, x: Atom, axis: usize, index: usize) -> Atom {
        let x = self.slice_axis(x, axis, index, index + 1);
        let shape = self.shape(x).without(&[axis]);
        self.reshape(x, &shape)
    }

    /// One after the other along an axis.
    #[track_caller]
    pub fn concatenate(&mut self, xs: &[Atom], axis: usize) -> Atom {
        if let [x] = xs { *x } else { self.emit1(Op::Concatenate { axis }, xs) }
    }

    /// Pads with a scalar.
    #[track_caller]
    pub fn pad(&mut self, x: Atom, value: Atom, padding: &[PadDim]) -> Atom {
        if padding.iter().all(|p| *p == PadDim::default()) {
            return x;
        }
        self.emit1(Op::Pad { padding: padding.to_vec() }, &[x, value])
    }

    /// Reverses along axes.
    #[track_caller]
    pub fn reverse(&mut self, x: Atom, axes: &[usize]) -> Atom {
        if axes.is_empty() { x } else { self.emit1(Op::Reverse { axes: axes.to_vec() }, &[x]) }
    }

    // Reductions and dots.

    /// A reduction; the operand itself where no axis is reduced.
    #[track_caller]
    pub fn reduce(&mut self, reducer: Reducer, x: Atom, axes: &[usize]) -> Atom {
        if axes.is_empty() { x } else { self.emit1(Op::Reduce { reducer, axes: axes.to_vec() }, &[x]) }
    }

    /// `reduce_sum`.
    #[track_caller]
    pub fn reduce_sum(&mut self, x: Atom, axes: &[usize]) -> Atom {
        self.reduce(Reducer::Sum, x, axes)
    }

    /// `dot_general` at default precision with the given result dtype.
    #[track_caller]
    pub fn dot_general(
        &mut self,
        lhs: Atom,
        rhs: Atom,
        contracting: (&[usize], &[usize]),
        batch: (&[usize], &[usize]),
        preferred: DType,
    ) -> Atom {
        let dot = DotGeneral {
            lhs_contracting: contracting.0.to_vec(),
            rhs_contracting: contracting.1.to_vec(),
            lhs_batch: batch.0.to_vec(),
            rhs_batch: batch.1.to_vec(),
            precision: Precision::Default,
            preferred,
        };
        self.emit1(Op::DotGeneral(dot), &[lhs, rhs])
    }

    /// A call of a named program.
    #[track_caller]
    pub fn call(&mut self, name: &str, program: Arc<Program>, inputs: &[Atom]) -> Vec<Atom> {
        self.emit(Op::Call { name: name.into(), program }, inputs)
    }
}
