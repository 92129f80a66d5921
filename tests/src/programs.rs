//! Random programs: well typed, of 5 to 60 equations over many ops, the same for the same seed on every machine.
//!
//! Values stay moderate (every op that can grow is followed by one that bounds), so that results can be compared between
//! forms that round differently.

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Binary, Builder, Compare, Cumulative, CumulativeKind, DType, Op, PadDim, Program, Reducer, Scalar,
    Scan, Shape, Slice, Sort, Tensor, Unary,
};

use crate::random::{Random, Values};

/// What a random program is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Floats, integers and booleans; any op.
    Mixed,
    /// `f64` and ops that are smooth everywhere.
    Smooth,
}

/// A random program and inputs for it.
pub fn random_program(seed: u64, style: Style) -> (Program, Vec<Tensor>) {
    let mut writer = Writer::new(seed, style);
    let equations = 5 + writer.random.below(56);
    while writer.b.program().eqns.len() < equations {
        writer.step();
    }
    let count = 1 + writer.random.below(3);
    let outputs = writer.values[writer.values.len() - count..].to_vec();
    let program = writer.b.finish(outputs);
    let inputs = (program.in_avals().iter())
        .map(|aval| {
            let values = if aval.dtype.is_inexact() { Values::Signed(0.1, 1.0) } else { Values::Uniform(-4.0, 5.0) };
            values.tensor(aval, &mut writer.random)
        })
        .collect();
    (program, inputs)
}

struct Writer {
    b: Builder,
    random: Random,
    style: Style,
    values: Vec<Atom>,
}

impl Writer {
    fn new(seed: u64, style: Style) -> Writer {
        let mut random = Random::new(seed);
        let mut b = Builder::new();
        let inputs = 1 + random.below(4);
        let mut values = Vec::new();
        for _ in 0..inputs {
            let aval = Aval::new(dtype(&mut random, style), shape(&mut random));
            values.push(b.input(aval));
        }
        // There is always something to differentiate.
        values.push(b.input(Aval::new(DType::F64, [2, 3])));
        Writer { b, random, style, values }
    }

    fn pick(&mut self) -> Atom {
        *self.random.pick(&self.values)
    }

    fn pick_where(&mut self, wanted: impl Fn(&Aval) -> bool) -> Option<Atom> {
        let fitting: Vec<Atom> = self.values.iter().copied().filter(|&x| wanted(&self.b.aval(x))).collect();
        (!fitting.is_empty()).then(|| *self.random.pick(&fitting))
    }

    /// Adds an equation or a few.
    fn step(&mut self) {
        let value = match self.random.below(12) {
            0..=2 => self.unary(),
            3..=5 => self.binary(),
            6 => self.choice(),
            7 | 8 => self.movement(),
            9 => self.reduction(),
            10 => self.along_axis(),
            _ => self.program(),
        };
        if let Some(value) = value {
            self.values.push(value);
        }
    }

    fn unary(&mut self) -> Option<Atom> {
        let x = self.pick();
        let dtype = self.b.dtype(x);
        if dtype == DType::Bool {
            return Some(self.b.unary(Unary::Not, x));
        }
        if dtype.is_integer() {
            let op = *self.random.pick(&[Unary::Neg, Unary::Not, Unary::Abs, Unary::Sign, Unary::PopulationCount]);
            return Some(self.b.unary(op, x));
        }
        let smooth = [Unary::Sin, Unary::Cos, Unary::Tanh, Unary::Logistic, Unary::Neg, Unary::Atan, Unary::Erf];
        let rough = [Unary::Abs, Unary::Floor, Unary::Sign, Unary::RoundEven];
        let ops = if self.style == Style::Smooth { smooth.to_vec() } else { [&smooth[..], &rough].concat() };
        Some(match self.random.below(8) {
            0 => {
                let sine = self.b.unary(Unary::Sin, x);
                self.b.unary(Unary::Exp, sine)
            }
            1 => {
                let square = self.b.mul(x, x);
                let positive = self.b.add_scalar(square, 0.5);
                let op = *self.random.pick(&[Unary::Log, Unary::Sqrt, Unary::Rsqrt, Unary::Log1p]);
                self.b.unary(op, positive)
            }
            2 => self.b.emit1(Op::IntegerPow { exponent: 2 }, &[x]),
            _ => {
                let op = *self.random.pick(&ops);
                self.b.unary(op, x)
            }
        })
    }

    /// A second operand of the same type: an array that is there, or one made of a scalar.
    fn partner(&mut self, x: Atom) -> Atom {
        let aval = self.b.aval(x);
        if self.random.below(4) == 0 {
            let scalar = Scalar::from_f64(aval.dtype, self.random.uniform(-1.5, 1.5));
            return self.b.full(&aval.shape, scalar);
        }
        self.pick_where(|other| *other == aval).expect("x itself has its type")
    }

    fn binary(&mut self) -> Option<Atom> {
        let x = self.pick();
        let y = self.partner(x);
        let dtype = self.b.dtype(x);
        if !dtype.is_inexact() {
            let bits = [Binary::And, Binary::Or, Binary::Xor, Binary::Max, Binary::Min, Binary::Add, Binary::Mul];
            return Some(self.b.binary(*self.random.pick(&bits), x, y));
        }
        let mut ops = vec![Binary::Add, Binary::Sub, Binary::Mul];
        if self.style == Style::Mixed {
            ops.extend([Binary::Max, Binary::Min]);
        }
        if self.random.below(5) == 0 {
            let square = self.b.mul(y, y);
            let positive = self.b.add_scalar(square, 1.0);
            return Some(self.b.div(x, positive));
        }
        let op = *self.random.pick(&ops);
        let z = self.b.binary(op, x, y);
        Some(self.bounded(z))
    }

    /// Keeps products and sums from growing without limit.
    fn bounded(&mut self, x: Atom) -> Atom {
        if self.random.below(3) == 0 { self.b.unary(Unary::Tanh, x) } else { x }
    }

    fn choice(&mut self) -> Option<Atom> {
        let x = self.pick();
        let y = self.partner(x);
        if self.style == Style::Smooth {
            return Some(self.b.add(x, y));
        }
        let shape = self.b.shape(x);
        let which = self.pick_where(|aval| aval.dtype == DType::Bool && (aval.rank() == 0 || aval.shape == shape));
        match which {
            Some(which) => Some(self.b.emit1(Op::Select, &[which, x, y])),
            None => {
                let compare = *self.random.pick(&[Compare::Lt, Compare::Ge, Compare::Eq, Compare::Ne]);
                Some(self.b.compare(compare, x, y))
            }
        }
    }

    fn movement(&mut self) -> Option<Atom> {
        let x = self.pick();
        let shape = self.b.shape(x);
        let rank = shape.rank();
        if rank == 0 {
            let shape = self::shape(&mut self.random);
            return Some(self.b.broadcast_scalar(x, &shape));
        }
        let axis = self.random.below(rank);
        Some(match self.random.below(8) {
            0 => {
                let mut permutation: Vec<usize> = (0..rank).collect();
                self.random.shuffle(&mut permutation);
                self.b.transpose(x, &permutation)
            }
            1 => self.b.reverse(x, &[axis]),
            2 => self.b.reshape(x, &[shape.size()].into()),
            3 => {
                let start = self.random.below(shape[axis]);
                let mut slice = Slice { starts: vec![0; rank], limits: shape.to_vec(), strides: vec![1; rank] };
                (slice.starts[axis], slice.strides[axis]) = (start, 1 + self.random.below(2));
                self.b.emit1(Op::Slice(slice), &[x])
            }
            4 if shape.size() < 64 => {
                let mut padding = vec![PadDim::default(); rank];
                padding[axis] =
                    PadDim { low: 1, high: self.random.below(2) as i64 - 1, interior: self.random.below(2) };
                let zero = Scalar::zero(self.b.dtype(x));
                self.b.pad(x, zero.into(), &padding)
            }
            5 if shape.size() < 64 => {
                let y = self.partner(x);
                self.b.concatenate(&[x, y], axis)
            }
            6 if rank < 4 && shape.size() < 64 => self.b.broadcast_axis(x, axis, 2),
            _ => {
                let index = Aval::scalar(DType::I32);
                let start = self.pick_where(|aval| *aval == index).unwrap_or(Scalar::new(1i32).into());
                let mut starts = vec![Scalar::zero(DType::I32).into(); rank];
                starts[axis] = start;
                let sizes = shape.with_extent(axis, shape[axis].div_ceil(2));
                self.b.emit1(Op::DynamicSlice { sizes }, &[vec![x], starts].concat())
            }
        })
    }

    fn reduction(&mut self) -> Option<Atom> {
        let x = self.pick_where(|aval| aval.rank() > 0 && aval.dtype.is_inexact())?;
        let shape = self.b.shape(x);
        let axis = self.random.below(shape.rank());
        if self.random.below(3) == 0 {
            let dtype = self.b.dtype(x);
            let matching = |aval: &Aval| aval.dtype == dtype && aval.shape.first() == Some(&shape[axis]);
            if let Some(y) = self.pick_where(matching)
                && shape.rank() + self.b.shape(y).rank() <= 5
            {
                let dot = self.b.dot_general(x, y, (&[axis], &[0]), (&[], &[]), dtype);
                return Some(self.b.unary(Unary::Tanh, dot));
            }
        }
        let reducers = if self.style == Style::Smooth {
            vec![Reducer::Sum]
        } else {
            vec![Reducer::Sum, Reducer::Max, Reducer::Min]
        };
        let reducer = *self.random.pick(&reducers);
        let axes: Vec<usize> = if self.random.below(3) == 0 { (0..shape.rank()).collect() } else { vec![axis] };
        let reduced = self.b.reduce(reducer, x, &axes);
        Some(self.bounded(reduced))
    }

    fn along_axis(&mut self) -> Option<Atom> {
        let x = self.pick_where(|aval| aval.rank() > 0 && aval.dtype != DType::Bool)?;
        let axis = self.random.below(self.b.shape(x).rank());
        let rough = self.style == Style::Mixed;
        if rough && self.random.below(3) == 0 {
            return Some(self.b.emit1(Op::Sort(Sort { axis, stable: true, num_keys: 1 }), &[x]));
        }
        let kinds = [CumulativeKind::Sum, CumulativeKind::Max, CumulativeKind::Min];
        let kind = if rough { *self.random.pick(&kinds) } else { CumulativeKind::Sum };
        let reverse = self.random.below(2) == 0;
        Some(self.b.emit1(Op::Cumulative(Cumulative { kind, axis, reverse }), &[x]))
    }

    /// A call, a branch or a loop, in a body of the same random kind.
    fn program(&mut self) -> Option<Atom> {
        let x = self.pick_where(|aval| aval.dtype.is_inexact())?;
        let y = self.partner(x);
        let aval = self.b.aval(x);
        let signature = [aval.clone(), aval.clone()];
        match self.random.below(4) {
            0 => {
                let callee = self.body(&signature);
                Some(self.b.call("f", callee, &[x, y])[0])
            }
            1 => {
                let branches = vec![self.body(&signature), self.body(&signature)];
                let index = Aval::scalar(DType::I32);
                let index = self.pick_where(|aval| *aval == index).unwrap_or(Scalar::new(1i32).into());
                Some(self.b.emit1(Op::Cond { branches }, &[index, x, y]))
            }
            2 => {
                let step = Scan {
                    body: self.body(&signature),
                    length: 3,
                    reverse: self.random.below(2) == 0,
                    num_consts: 1,
                    num_carry: 1,
                };
                Some(self.b.emit1(Op::Scan(step), &[x, y]))
            }
            _ if aval.rank() > 0 => {
                let row = aval.with_shape(&aval.shape[1..]);
                let step = Scan {
                    body: self.body(&[row.clone(), row.clone()]),
                    length: aval.shape[0],
                    reverse: self.random.below(2) == 0,
                    num_consts: 0,
                    num_carry: 0,
                };
                Some(self.b.emit1(Op::Scan(step), &[x, y]))
            }
            _ => None,
        }
    }

    /// A small program with one result of the type of its inputs, which are alike.
    fn body(&mut self, signature: &[Aval]) -> Arc<Program> {
        let mut b = Builder::new();
        let inputs: Vec<Atom> = signature.iter().map(|aval| b.input(aval.clone())).collect();
        let mut value = inputs[0];
        for _ in 0..1 + self.random.below(4) {
            let other = *self.random.pick(&inputs);
            value = match self.random.below(4) {
                0 => b.unary(Unary::Sin, value),
                1 => b.add(value, other),
                2 => b.mul(value, other),
                _ => b.mul_scalar(value, 0.5),
            };
        }
        Arc::new(b.finish(vec![value]))
    }
}

fn dtype(random: &mut Random, style: Style) -> DType {
    match style {
        Style::Smooth => DType::F64,
        Style::Mixed => *random.pick(&[DType::F32, DType::F32, DType::F64, DType::I32, DType::Bool]),
    }
}

fn shape(random: &mut Random) -> Shape {
    let shapes: [&[usize]; 7] = [&[], &[3], &[2, 3], &[2, 3], &[3, 2], &[1], &[2, 2, 3]];
    (*random.pick(&shapes)).into()
}
