//! Functions that StableHLO lacks, in elementary ones that it has.
//!
//! Formulas are those of the reference interpreter. Inverse and hyperbolic functions work in the operand's own type (in `f32` for
//! narrower ones); the special functions of narrower types are computed in `f64` and rounded once, as the
//! interpreter does. Series and continued fractions are loops that end when every element has converged.

mod bessel;
mod beta;
mod complex;
mod error_function;
mod gamma;
mod incomplete_gamma;

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Binary, Builder, Compare, DType, Op, Scalar, Shape, Unary, While};

pub(super) use beta::regularized_incomplete_beta;
pub(super) use complex::complex;
pub(super) use gamma::{polygamma, zeta};
pub(super) use incomplete_gamma::{igamma, igamma_grad_a, igammac};

/// Arithmetic on arrays of one shape and dtype, with numbers in place of either operand.
pub(super) struct Math<'b> {
    pub b: &'b mut Builder,
    pub dtype: DType,
    pub shape: Shape,
}

impl Math<'_> {
    pub fn num(&mut self, value: f64) -> Atom {
        let (shape, dtype) = (self.shape.clone(), self.dtype);
        self.b.full(&shape, Scalar::from_f64(dtype, value))
    }
    pub fn un(&mut self, op: Unary, x: Atom) -> Atom {
        self.b.unary(op, x)
    }
    pub fn add(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.add(x, y)
    }
    pub fn sub(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.sub(x, y)
    }
    pub fn mul(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.mul(x, y)
    }
    pub fn div(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.div(x, y)
    }
    pub fn addn(&mut self, x: Atom, y: f64) -> Atom {
        let y = self.num(y);
        self.b.add(x, y)
    }
    pub fn muln(&mut self, x: Atom, y: f64) -> Atom {
        let y = self.num(y);
        self.b.mul(x, y)
    }
    /// `x - y` for a number x.
    pub fn rsub(&mut self, x: f64, y: Atom) -> Atom {
        let x = self.num(x);
        self.b.sub(x, y)
    }
    /// `x / y` for a number x.
    pub fn rdiv(&mut self, x: f64, y: Atom) -> Atom {
        let x = self.num(x);
        self.b.div(x, y)
    }
    pub fn cmp(&mut self, op: Compare, x: Atom, y: Atom) -> Atom {
        self.b.compare(op, x, y)
    }
    pub fn cmpn(&mut self, op: Compare, x: Atom, y: f64) -> Atom {
        let y = self.num(y);
        self.b.compare(op, x, y)
    }
    pub fn and(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.binary(Binary::And, x, y)
    }
    pub fn or(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.binary(Binary::Or, x, y)
    }
    pub fn not(&mut self, x: Atom) -> Atom {
        self.b.unary(Unary::Not, x)
    }
    pub fn sel(&mut self, which: Atom, yes: Atom, no: Atom) -> Atom {
        self.b.select(which, yes, no)
    }
    pub fn seln(&mut self, which: Atom, yes: f64, no: Atom) -> Atom {
        let yes = self.num(yes);
        self.b.select(which, yes, no)
    }
    pub fn pow(&mut self, x: Atom, y: Atom) -> Atom {
        self.b.binary(Binary::Pow, x, y)
    }
    /// The magnitude of x with the sign of y, of a zero too.
    pub fn copysign(&mut self, x: Atom, y: Atom) -> Atom {
        let bits = if self.dtype == DType::F64 { DType::U64 } else { DType::U32 };
        let sign = Scalar::from_bits(bits, [1 << (bits.bits() - 1), 0]);
        let rest = Scalar::from_bits(bits, [(1 << (bits.bits() - 1)) - 1, 0]);
        let [x, y] = [x, y].map(|v| self.b.emit1(Op::Bitcast { dtype: bits }, &[v]));
        let (x, y) = (self.b.binary(Binary::And, x, rest.into()), self.b.binary(Binary::And, y, sign.into()));
        let joined = self.b.binary(Binary::Or, x, y);
        self.b.emit1(Op::Bitcast { dtype: self.dtype }, &[joined])
    }
    /// Coefficients from the highest power down.
    pub fn polynomial(&mut self, x: Atom, coefficients: &[f64]) -> Atom {
        let mut value = self.num(coefficients[0]);
        for &c in &coefficients[1..] {
            let product = self.mul(value, x);
            value = self.addn(product, c);
        }
        value
    }

    /// Repeats `step` on the state until no element is active any more, at most `limit` times. The state begins with the
    /// step's number; `step` returns the new state and which elements go on. Those that do not keep theirs.
    pub fn iterate(
        &mut self,
        consts: &[Atom],
        state: &[Atom],
        limit: f64,
        step: impl FnOnce(&mut Math<'_>, &[Atom], Atom, &[Atom]) -> (Vec<Atom>, Atom),
    ) -> Vec<Atom> {
        let avals: Vec<Aval> = state.iter().map(|&x| self.b.aval(x)).collect();
        let mask = Aval::new(DType::Bool, self.shape.clone());
        let number = Aval::scalar(self.dtype);
        let all_axes: Vec<usize> = (0..self.shape.rank()).collect();

        let mut cond = Builder::new();
        let k = cond.input(number.clone());
        let active = cond.input(mask.clone());
        for aval in &avals {
            cond.input(aval.clone());
        }
        let any = cond.reduce(rjax_ir::Reducer::Or, active, &all_axes);
        let more = cond.compare(Compare::Lt, k, Scalar::from_f64(self.dtype, limit).into());
        let go_on = cond.binary(Binary::And, any, more);
        let cond = cond.finish(vec![go_on]);

        let mut body = Builder::new();
        let given: Vec<Atom> = consts.iter().map(|&x| body.input(self.b.aval(x))).collect();
        let k = body.input(number);
        let active = body.input(mask);
        let before: Vec<Atom> = avals.iter().map(|aval| body.input(aval.clone())).collect();
        let mut math = Math { b: &mut body, dtype: self.dtype, shape: self.shape.clone() };
        let next_k = math.b.add(k, Scalar::one(self.dtype).into());
        let shape = math.shape.clone();
        let k_everywhere = math.b.broadcast_scalar(next_k, &shape);
        let (after, goes_on) = step(&mut math, &given, k_everywhere, &before);
        let still = math.and(active, goes_on);
        let kept: Vec<Atom> = after.iter().zip(&before).map(|(&new, &old)| math.sel(active, new, old)).collect();
        let body = body.finish([vec![next_k, still], kept].concat());

        let everywhere = self.b.full(&self.shape.clone(), Scalar::one(DType::Bool));
        let start = Atom::from(Scalar::zero(self.dtype));
        let inputs = [consts, &[start, everywhere], state].concat();
        let op = While { cond: Arc::new(cond), body: Arc::new(body), cond_nconsts: 0, body_nconsts: consts.len() };
        self.b.emit(Op::While(op), &inputs)[2..].to_vec()
    }
}

/// A function of arrays computed in `f64` and rounded to the operands' dtype.
pub(super) fn wide(b: &mut Builder, x: &[Atom], f: impl FnOnce(&mut Math<'_>, &[Atom]) -> Atom) -> Atom {
    in_dtype(b, x, DType::F64, f)
}

fn in_dtype(b: &mut Builder, x: &[Atom], dtype: DType, f: impl FnOnce(&mut Math<'_>, &[Atom]) -> Atom) -> Atom {
    let result = b.dtype(x[0]);
    let shape = super::expand::shape_of(b, x[0]);
    let given: Vec<Atom> = x.iter().map(|&x| b.convert(x, dtype)).collect();
    let y = f(&mut Math { b, dtype, shape }, &given);
    b.convert(y, result)
}

/// A unary function of real numbers.
pub(super) fn real(b: &mut Builder, op: Unary, x: Atom) -> Atom {
    let own = super::reduce::accumulator(b.dtype(x));
    let (dtype, f): (DType, fn(&mut Math<'_>, Atom) -> Atom) = match op {
        Unary::Exp2 => (own, |m, x| {
            let two = m.num(2.0);
            m.pow(two, x)
        }),
        Unary::Sinh => (own, sinh),
        Unary::Cosh => (own, cosh),
        Unary::Asin => (own, asin),
        Unary::Acos => (own, acos),
        Unary::Atan => (own, |m, x| {
            let one = m.num(1.0);
            m.b.binary(Binary::Atan2, x, one)
        }),
        Unary::Asinh => (own, asinh),
        Unary::Acosh => (own, acosh),
        Unary::Atanh => (own, atanh),
        Unary::Erf if own == DType::F32 => (own, error_function::erf_f32),
        Unary::Erf => (DType::F64, error_function::erf),
        Unary::Erfc => (DType::F64, error_function::erfc),
        Unary::ErfInv if b.dtype(x) == DType::F32 => (own, error_function::erf_inv_f32),
        Unary::ErfInv => (DType::F64, error_function::erf_inv),
        Unary::Lgamma => (DType::F64, gamma::lgamma),
        Unary::Digamma => (DType::F64, gamma::digamma),
        Unary::BesselI0e => (DType::F64, bessel::bessel_i0e),
        Unary::BesselI1e => (DType::F64, bessel::bessel_i1e),
        Unary::Neg
        | Unary::Sign
        | Unary::Abs
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz
        | Unary::Exp
        | Unary::Expm1
        | Unary::Log
        | Unary::Log1p
        | Unary::Logistic
        | Unary::Sqrt
        | Unary::Rsqrt
        | Unary::Cbrt
        | Unary::Sin
        | Unary::Cos
        | Unary::Tan
        | Unary::Tanh
        | Unary::Real
        | Unary::Imag
        | Unary::Conj => unreachable!("{} is not expanded", op.name()),
    };
    in_dtype(b, &[x], dtype, |m, x| f(m, x[0]))
}

/// With e = exp(|x|) - 1 it is (e + e/(e+1)) / 2; far out the square of half the exponential, which overflows where sinh does.
fn sinh(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let e = m.un(Unary::Expm1, a);
    let e1 = m.addn(e, 1.0);
    let quotient = m.div(e, e1);
    let sum = m.add(e, quotient);
    let near = m.muln(sum, 0.5);
    let far = half_exp(m, a);
    let is_far = m.cmpn(Compare::Gt, a, 20.0);
    let magnitude = m.sel(is_far, far, near);
    m.copysign(magnitude, x)
}

fn cosh(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let e = m.un(Unary::Exp, a);
    let inverse = m.rdiv(1.0, e);
    let sum = m.add(e, inverse);
    let near = m.muln(sum, 0.5);
    let far = half_exp(m, a);
    let is_far = m.cmpn(Compare::Gt, a, 20.0);
    m.sel(is_far, far, near)
}

/// exp(x) / 2 where exp(x) may overflow.
fn half_exp(m: &mut Math, x: Atom) -> Atom {
    let half = m.muln(x, 0.5);
    let root = m.un(Unary::Exp, half);
    let first = m.muln(root, 0.5);
    m.mul(first, root)
}

/// sqrt(1 - x²) without cancellation.
fn other_leg(m: &mut Math, x: Atom) -> Atom {
    let (minus, plus) = (m.rsub(1.0, x), m.addn(x, 1.0));
    let product = m.mul(minus, plus);
    m.un(Unary::Sqrt, product)
}

fn asin(m: &mut Math, x: Atom) -> Atom {
    let leg = other_leg(m, x);
    m.b.binary(Binary::Atan2, x, leg)
}

fn acos(m: &mut Math, x: Atom) -> Atom {
    let leg = other_leg(m, x);
    m.b.binary(Binary::Atan2, leg, x)
}

/// log1p(a + a²/(1 + sqrt(a² + 1))) of the magnitude a; log(2a) where the square might overflow.
fn asinh(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let square = m.mul(a, a);
    let next = m.addn(square, 1.0);
    let root = m.un(Unary::Sqrt, next);
    let below = m.addn(root, 1.0);
    let quotient = m.div(square, below);
    let sum = m.add(a, quotient);
    let near = m.un(Unary::Log1p, sum);
    let magnitude = far_logarithm(m, a, near);
    m.copysign(magnitude, x)
}

/// log1p(t + sqrt(2t + t²)) with t = x - 1.
fn acosh(m: &mut Math, x: Atom) -> Atom {
    let t = m.addn(x, -1.0);
    let two_more = m.addn(t, 2.0);
    let product = m.mul(t, two_more);
    let root = m.un(Unary::Sqrt, product);
    let sum = m.add(t, root);
    let near = m.un(Unary::Log1p, sum);
    let far = far_logarithm(m, x, near);
    let outside = m.cmpn(Compare::Lt, x, 1.0);
    m.seln(outside, f64::NAN, far)
}

/// log(2x) where x is so large that 1 no longer counts beside x², `near` elsewhere.
fn far_logarithm(m: &mut Math, x: Atom, near: Atom) -> Atom {
    let log = m.un(Unary::Log, x);
    let far = m.addn(log, std::f64::consts::LN_2);
    let is_far = m.cmpn(Compare::Gt, x, if m.dtype == DType::F64 { 1e9 } else { 1e5 });
    m.sel(is_far, far, near)
}

/// log1p(2a / (1 - a)) / 2 of the magnitude a.
fn atanh(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let (twice, rest) = (m.muln(a, 2.0), m.rsub(1.0, a));
    let quotient = m.div(twice, rest);
    let log = m.un(Unary::Log1p, quotient);
    let magnitude = m.muln(log, 0.5);
    m.copysign(magnitude, x)
}
