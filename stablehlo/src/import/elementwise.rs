//! Elementwise operations, by name.

use rjax_ir::{Atom, Binary, Compare, Eqn, Op, Result, Scalar, Unary};

use super::{Importer, malformed, unsupported};
use crate::mlir::Operation;

/// How far back the operations are looked for that JAX writes for one of its own, so that the search stays linear.
const NEARBY: usize = 256;

/// The unary op of a StableHLO or CHLO name.
fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        "stablehlo.abs" => Unary::Abs,
        "stablehlo.cbrt" => Unary::Cbrt,
        "stablehlo.ceil" => Unary::Ceil,
        "stablehlo.cosine" => Unary::Cos,
        "stablehlo.count_leading_zeros" => Unary::Clz,
        "stablehlo.exponential" => Unary::Exp,
        "stablehlo.exponential_minus_one" => Unary::Expm1,
        "stablehlo.floor" => Unary::Floor,
        "stablehlo.is_finite" => Unary::IsFinite,
        "stablehlo.log" => Unary::Log,
        "stablehlo.log_plus_one" => Unary::Log1p,
        "stablehlo.logistic" => Unary::Logistic,
        "stablehlo.negate" => Unary::Neg,
        "stablehlo.not" => Unary::Not,
        "stablehlo.popcnt" => Unary::PopulationCount,
        "stablehlo.round_nearest_afz" => Unary::Round,
        "stablehlo.round_nearest_even" => Unary::RoundEven,
        "stablehlo.rsqrt" => Unary::Rsqrt,
        "stablehlo.sign" => Unary::Sign,
        "stablehlo.sine" => Unary::Sin,
        "stablehlo.sqrt" => Unary::Sqrt,
        "stablehlo.tan" | "chlo.tan" => Unary::Tan,
        "stablehlo.tanh" => Unary::Tanh,
        "chlo.acos" => Unary::Acos,
        "chlo.acosh" => Unary::Acosh,
        "chlo.asin" => Unary::Asin,
        "chlo.asinh" => Unary::Asinh,
        "chlo.atan" => Unary::Atan,
        "chlo.atanh" => Unary::Atanh,
        "chlo.bessel_i1e" => Unary::BesselI1e,
        "chlo.conj" => Unary::Conj,
        "chlo.cosh" => Unary::Cosh,
        "chlo.digamma" => Unary::Digamma,
        "chlo.erf" => Unary::Erf,
        "chlo.erf_inv" => Unary::ErfInv,
        "chlo.erfc" => Unary::Erfc,
        "chlo.lgamma" => Unary::Lgamma,
        "chlo.sinh" => Unary::Sinh,
        _ => return None,
    })
}

/// The binary op of a StableHLO or CHLO name.
fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "stablehlo.add" => Binary::Add,
        "stablehlo.and" => Binary::And,
        "stablehlo.atan2" => Binary::Atan2,
        "stablehlo.complex" => Binary::Complex,
        "stablehlo.maximum" => Binary::Max,
        "stablehlo.minimum" => Binary::Min,
        "stablehlo.multiply" => Binary::Mul,
        "stablehlo.or" => Binary::Or,
        "stablehlo.remainder" => Binary::Rem,
        "stablehlo.shift_left" => Binary::ShiftLeft,
        "stablehlo.shift_right_arithmetic" => Binary::ShiftRightArithmetic,
        "stablehlo.shift_right_logical" => Binary::ShiftRightLogical,
        "stablehlo.subtract" => Binary::Sub,
        "stablehlo.xor" => Binary::Xor,
        "chlo.next_after" => Binary::NextAfter,
        "chlo.polygamma" => Binary::Polygamma,
        "chlo.zeta" => Binary::Zeta,
        _ => return None,
    })
}

impl Importer<'_> {
    /// Imports an elementwise operation; `None` if it is not one.
    pub(super) fn elementwise(&mut self, operation: &Operation) -> Result<Option<Vec<Atom>>> {
        let name = operation.name.as_str();
        if let Some(output) = self.by_table(name, operation)? {
            return Ok(Some(output));
        }
        let inputs = |importer: &mut Self| importer.values(&operation.operands);
        let output = match name {
            "stablehlo.power" => self.power(operation)?,
            // Real and imaginary part of a real number are the number and zero.
            "stablehlo.real" | "stablehlo.imag" => {
                let x = self.operand(operation)?;
                match (self.builder().dtype(x).is_complex(), name == "stablehlo.real") {
                    (true, true) => self.builder().unary(Unary::Real, x),
                    (true, false) => self.builder().unary(Unary::Imag, x),
                    (false, true) => x,
                    (false, false) => {
                        let aval = self.aval(x);
                        self.builder().zeros(&aval)
                    }
                }
            }
            "stablehlo.compare" => {
                let total = matches!(operation.string("compare_type"), Ok("TOTALORDER"));
                let inputs = inputs(self)?;
                let &[x, y] = &inputs[..] else { return Err(malformed(operation, "expected two operands".into())) };
                let total = total && self.builder().dtype(x).is_float();
                self.compare(operation, total, [x, y])?
            }
            "stablehlo.select" => {
                let inputs = inputs(self)?;
                let [pred, on_true, on_false] = inputs[..] else {
                    return Err(malformed(operation, "expected three operands".into()));
                };
                match self.complex_extreme(pred, on_true, on_false) {
                    Some(op) => self.builder().try_emit(Op::Binary(op), &[on_true, on_false])?[0],
                    None => self.builder().try_emit(Op::Select, &[pred, on_false, on_true])?[0],
                }
            }
            "stablehlo.divide" => self.divide(operation)?,
            "stablehlo.clamp" => {
                let inputs = inputs(self)?;
                self.builder().try_emit(Op::Clamp, &inputs)?[0]
            }
            "stablehlo.convert" => {
                let x = self.operand(operation)?;
                let dtype = self.result_aval(operation)?.dtype;
                self.builder().convert(x, dtype)
            }
            "stablehlo.bitcast_convert" => {
                let x = self.operand(operation)?;
                let dtype = self.result_aval(operation)?.dtype;
                // The bits of a number do not move with it, also where the dtype stays.
                if self.builder().dtype(x) == dtype && dtype.is_complex() {
                    self.builder().emit1(Op::StopGradient, &[x])
                } else if self.builder().dtype(x) == dtype && !dtype.is_float() {
                    x
                } else {
                    self.builder().try_emit(Op::Bitcast { dtype }, &[x])?[0]
                }
            }
            "stablehlo.reduce_precision" => {
                let inputs = inputs(self)?;
                let op = Op::ReducePrecision {
                    exponent_bits: operation.index("exponent_bits")? as u32,
                    mantissa_bits: operation.index("mantissa_bits")? as u32,
                };
                self.builder().try_emit(op, &inputs)?[0]
            }
            _ if name.starts_with("chlo.") => return self.chlo(name, operation),
            _ => return Ok(None),
        };
        Ok(Some(vec![output]))
    }

    fn by_table(&mut self, name: &str, operation: &Operation) -> Result<Option<Vec<Atom>>> {
        let op = match (unary(name), binary(name)) {
            (Some(op), _) => Op::Unary(op),
            (None, Some(op)) => Op::Binary(op),
            (None, None) => return Ok(None),
        };
        let inputs = self.values(&operation.operands)?;
        // JAX writes sign and abs of unsigned integers and conj of reals only in generated tests; all are in the tables.
        Ok(Some(self.builder().try_emit(op, &inputs)?))
    }

    /// A quotient; the reciprocal of a product of equal factors is a power, whose derivative overflows later.
    fn divide(&mut self, operation: &Operation) -> Result<Atom> {
        let inputs = self.values(&operation.operands)?;
        let &[x, y] = &inputs[..] else { return Err(malformed(operation, "expected two operands".into())) };
        if self.is_float_one(x)
            && let Some((base, exponent)) = self.factor_power(y, 0)
            && exponent > 1
        {
            return Ok(self.builder().try_emit(Op::IntegerPow { exponent: -exponent }, &[base])?[0]);
        }
        Ok(self.builder().try_emit(Op::Binary(Binary::Div), &[x, y])?[0])
    }

    /// Whether the value is the number one, perhaps repeated.
    fn is_float_one(&mut self, x: Atom) -> bool {
        let one = |atom: Atom| matches!(atom, Atom::Lit(value) if value.dtype().is_float() && value == Scalar::one(value.dtype()));
        one(x) || self.defining(x).is_some_and(|eqn| matches!(eqn.op, Op::BroadcastInDim { .. }) && one(eqn.inputs[0]))
    }

    /// The equation of the current frame that defines a value.
    fn defining(&mut self, x: Atom) -> Option<&Eqn> {
        let v = x.var()?;
        self.builder().program().eqns.iter().rev().take(NEARBY).find(|eqn| eqn.outputs.contains(&v))
    }

    /// A product of equal factors as one of them and their number, if it is multiplied as `integer_pow` does; `depth` bounds the search.
    fn factor_power(&mut self, x: Atom, depth: usize) -> Option<(Atom, i32)> {
        const DEEPEST: usize = 6;
        let product =
            self.defining(x).filter(|eqn| eqn.op == Op::Binary(Binary::Mul)).map(|eqn| (eqn.inputs[0], eqn.inputs[1]));
        let Some((left, right)) = product.filter(|_| depth < DEEPEST) else { return Some((x, 1)) };
        let (base, m) = self.factor_power(left, depth + 1)?;
        let (other, n) = self.factor_power(right, depth + 1)?;
        (base == other).then_some((base, m + n))
    }

    /// The maximum or minimum of complex numbers that JAX writes as a selection by a lexicographic comparison.
    fn complex_extreme(&mut self, pred: Atom, x: Atom, y: Atom) -> Option<Binary> {
        if !self.builder().dtype(x).is_complex() {
            return None;
        }
        let choice = self.defining(pred).filter(|eqn| eqn.op == Op::Select)?.inputs.clone();
        let [equal, by_real, by_imaginary] = choice[..] else { return None };
        let mut parts_compared = |atom: Atom, part: Unary| -> Option<Compare> {
            let eqn = self.defining(atom)?;
            let Op::Compare(op) = eqn.op else { return None };
            let (a, b) = (eqn.inputs[0], eqn.inputs[1]);
            let mut is_part = |atom: Atom, of: Atom| {
                self.defining(atom).is_some_and(|eqn| eqn.op == Op::Unary(part) && eqn.inputs[0] == of)
            };
            (is_part(a, x) && is_part(b, y)).then_some(op)
        };
        let equal = parts_compared(equal, Unary::Real)?;
        let order = (parts_compared(by_real, Unary::Real)?, parts_compared(by_imaginary, Unary::Imag)?);
        match (equal, order) {
            (Compare::Eq, (Compare::Lt, Compare::Lt)) => Some(Binary::Min),
            (Compare::Eq, (Compare::Gt, Compare::Gt)) => Some(Binary::Max),
            _ => None,
        }
    }

    fn compare(&mut self, operation: &Operation, total: bool, [x, y]: [Atom; 2]) -> Result<Atom> {
        let direction = operation.string("comparison_direction")?;
        let plain = |op| (op, x, y, false);
        // In the total order the missing directions are the others with operands swapped or the result negated.
        let (op, x, y, negate) = match (direction, total) {
            ("EQ", false) => plain(Compare::Eq),
            ("NE", false) => plain(Compare::Ne),
            ("LT", false) => plain(Compare::Lt),
            ("LE", false) => plain(Compare::Le),
            ("GT", false) => plain(Compare::Gt),
            ("GE", false) => plain(Compare::Ge),
            ("EQ", true) => plain(Compare::EqTo),
            ("LT", true) => plain(Compare::LtTo),
            ("LE", true) => plain(Compare::LeTo),
            ("GT", true) => (Compare::LtTo, y, x, false),
            ("GE", true) => (Compare::LeTo, y, x, false),
            ("NE", true) => (Compare::EqTo, x, y, true),
            (other, _) => return Err(malformed(operation, format!("comparison direction {other} is not known"))),
        };
        let result = self.builder().try_emit(Op::Compare(op), &[x, y])?[0];
        Ok(if negate { self.builder().unary(Unary::Not, result) } else { result })
    }

    /// Integer powers are a square-and-multiply loop over the bits of the exponent; a negative exponent of an integer gives the
    /// truncated reciprocal.
    fn power(&mut self, operation: &Operation) -> Result<Atom> {
        let inputs = self.values(&operation.operands)?;
        let &[x, y] = &inputs[..] else { return Err(malformed(operation, "expected two operands".into())) };
        let aval = self.aval(x);
        if aval.dtype.is_inexact() {
            return Ok(self.builder().try_emit(Op::Binary(Binary::Pow), &[x, y])?[0]);
        }
        if !aval.dtype.is_integer() {
            return Err(unsupported(operation, "power of bool"));
        }
        let exponents = self.aval(y);
        if exponents != aval {
            return Err(malformed(operation, format!("expected exponents of type {aval}, found {exponents}")));
        }
        let b = self.builder();
        let (zero, one) = (b.zeros(&aval), b.ones(&aval));
        let (mut result, mut square, mut rest) = (one, x, y);
        let bits = aval.dtype.bits();
        for bit in 0..bits {
            let lowest = b.binary(Binary::And, rest, one);
            let odd = b.compare(Compare::Ne, lowest, zero);
            let product = b.mul(result, square);
            result = b.select(odd, product, result);
            if bit + 1 < bits {
                square = b.mul(square, square);
                rest = b.binary(Binary::ShiftRightLogical, rest, one);
            }
        }
        if aval.dtype.is_signed_integer() {
            let minus_one = b.neg(one);
            let (is_one, is_minus_one) = (b.compare(Compare::Eq, x, one), b.compare(Compare::Eq, x, minus_one));
            let parity = b.binary(Binary::And, y, one);
            let odd = b.compare(Compare::Ne, parity, zero);
            let of_minus_one = b.select(odd, minus_one, one);
            let reciprocal = b.select(is_minus_one, of_minus_one, zero);
            let reciprocal = b.select(is_one, one, reciprocal);
            let negative = b.compare(Compare::Lt, y, zero);
            result = b.select(negative, reciprocal, result);
        }
        Ok(result)
    }

    /// Imports a CHLO operation or a composite of that name; `None` where its decomposition is to be used.
    pub(super) fn chlo(&mut self, name: &str, operation: &Operation) -> Result<Option<Vec<Atom>>> {
        if let Some(outputs) = self.by_table(name, operation)? {
            return Ok(Some(outputs));
        }
        let inputs = self.values(&operation.operands)?;
        match name {
            "chlo.square" => Ok(Some(vec![self.builder().try_emit(Op::IntegerPow { exponent: 2 }, &inputs)?[0]])),
            "chlo.top_k" => {
                let k = match operation.attributes.get("composite_attributes") {
                    Some(crate::mlir::Attribute::Dict(attributes)) => match attributes.get("k") {
                        Some(crate::mlir::Attribute::Int(k)) => *k,
                        _ => return Ok(None),
                    },
                    _ => operation.int("k")?,
                };
                let k = usize::try_from(k).map_err(|_| malformed(operation, format!("k is {k}")))?;
                Ok(Some(self.builder().try_emit(Op::TopK { k }, &inputs)?))
            }
            _ => Ok(None),
        }
    }
}
