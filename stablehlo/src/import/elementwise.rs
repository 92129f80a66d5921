//! Elementwise operations, by name.

use rjax_ir::{Atom, Binary, Compare, Op, Result, Unary};

use super::{Importer, malformed, unsupported};
use crate::mlir::Operation;

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
        "stablehlo.divide" => Binary::Div,
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
                let x = inputs(self)?[0];
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
                let total = total && self.builder().dtype(inputs[0]).is_float();
                self.compare(operation, total, &inputs)?
            }
            "stablehlo.select" => {
                let inputs = inputs(self)?;
                let [pred, on_true, on_false] = inputs[..] else {
                    return Err(malformed(operation, "expected three operands".into()));
                };
                self.builder().try_emit(Op::Select, &[pred, on_false, on_true])?[0]
            }
            "stablehlo.clamp" => {
                let inputs = inputs(self)?;
                self.builder().try_emit(Op::Clamp, &inputs)?[0]
            }
            "stablehlo.convert" => {
                let x = inputs(self)?[0];
                let dtype = self.result_aval(operation)?.dtype;
                self.builder().convert(x, dtype)
            }
            "stablehlo.bitcast_convert" => {
                let x = inputs(self)?[0];
                let dtype = self.result_aval(operation)?.dtype;
                if self.builder().dtype(x) == dtype {
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

    fn compare(&mut self, operation: &Operation, total: bool, inputs: &[Atom]) -> Result<Atom> {
        let &[x, y] = inputs else { return Err(malformed(operation, "expected two operands".into())) };
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
