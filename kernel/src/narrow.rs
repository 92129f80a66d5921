//! Programs with narrow types as programs on bytes: what moves narrow values moves `u8`, and conversions are arithmetic on bits.
//!
//! It runs before everything else here, so that neither fusion nor a code generator knows of narrow types, and conversions
//! are fused and vectorised as any other arithmetic.

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::{
    Atom, Binary, Builder, Compare, DType, Eqn, Gather, Narrow, NarrowFormat, Op, Program, Result, Scalar, Special,
    Tensor, Unary, Var,
};

/// The program on bytes; none if no narrow type is in it.
pub(crate) fn on_bytes(program: &Program) -> Result<Option<Program>> {
    if has_narrow(program) { rewrite(program).map(Some) } else { Ok(None) }
}

fn has_narrow(program: &Program) -> bool {
    let literal = |atom: &Atom| matches!(atom, Atom::Lit(value) if value.dtype().narrow().is_some());
    program.avals.iter().any(|aval| aval.dtype.narrow().is_some())
        || program.outvars.iter().any(literal)
        || program
            .eqns
            .iter()
            .any(|eqn| eqn.inputs.iter().any(literal) || eqn.op.subprograms().iter().any(|program| has_narrow(program)))
}

fn rewrite(program: &Program) -> Result<Program> {
    let mut b = Builder::new();
    let mut map = HashMap::new();
    for &v in &program.invars {
        let aval = &program.avals[v.index()];
        map.insert(v, b.input(aval.with_dtype(aval.dtype.storage())));
    }
    for (v, value) in &program.consts {
        let aval = value.aval();
        let bytes = Tensor::from_bytes(&aval.with_dtype(aval.dtype.storage()), &value.to_bytes());
        map.insert(*v, b.constant(bytes));
    }
    for eqn in &program.eqns {
        let outputs = equation(&mut b, program, eqn, &map)?;
        map.extend(eqn.outputs.iter().copied().zip(outputs));
    }
    let outputs = program.outvars.iter().map(|&atom| stored(&map, atom)).collect();
    Ok(b.finish(outputs))
}

fn stored(map: &HashMap<Var, Atom>, atom: Atom) -> Atom {
    match atom {
        Atom::Var(v) => map[&v],
        Atom::Lit(value) => Scalar::from_bits(value.dtype().storage(), value.bits()).into(),
    }
}

fn equation(b: &mut Builder, program: &Program, eqn: &Eqn, map: &HashMap<Var, Atom>) -> Result<Vec<Atom>> {
    b.location = eqn.location.clone();
    let inputs: Vec<Atom> = eqn.inputs.iter().map(|&atom| stored(map, atom)).collect();
    let dtypes: Vec<DType> = eqn.inputs.iter().map(|&atom| program.aval(atom).dtype).collect();
    if let Op::Convert { dtype } = eqn.op {
        let wide = decode(b, dtypes[0], inputs[0]);
        return Ok(vec![encode(b, wide, dtype)]);
    }
    if let Op::DebugPrint(_) = eqn.op {
        let wide: Vec<Atom> = inputs.iter().zip(&dtypes).map(|(&x, &dtype)| decode(b, dtype, x)).collect();
        return b.try_emit(eqn.op.clone(), &wide);
    }
    let mut failed = Ok(());
    let mut op = eqn.op.map_subprograms(|body| match rewrite(body) {
        Ok(body) => Arc::new(body),
        Err(error) => {
            failed = Err(error);
            body.clone()
        }
    });
    failed?;
    if let Op::Bitcast { dtype } = &mut op {
        *dtype = dtype.storage();
    }
    if let (Op::Gather(gather), Some(narrow)) = (&mut op, dtypes.first().and_then(|dtype| dtype.narrow())) {
        let fill = gather.fill(DType::Narrow(narrow));
        *gather = Gather { fill_value: Some(Scalar::from_bits(DType::U8, fill.bits())), ..gather.clone() };
    }
    b.try_emit(op, &inputs)
}

/// The values that bytes stand for, as the wide type; what is not narrow as it is.
fn decode(b: &mut Builder, dtype: DType, x: Atom) -> Atom {
    let Some(narrow) = dtype.narrow() else { return x };
    if let Some(format) = narrow.format() {
        return decode_float(b, format, x);
    }
    let x = b.convert(x, DType::I32);
    if narrow.is_unsigned_integer() {
        return x;
    }
    let unused = Scalar::new(32 - narrow.bits() as i32).into();
    let high = b.binary(Binary::ShiftLeft, x, unused);
    b.binary(Binary::ShiftRightArithmetic, high, unused)
}

fn word(value: u32) -> Atom {
    Scalar::new(value).into()
}

/// Exponent and mantissa moved to their places in f32 are the number up to a power of two, subnormal numbers included.
fn decode_float(b: &mut Builder, format: NarrowFormat, x: Atom) -> Atom {
    const NAN: u32 = 0x7fc0_0000;
    let x = b.convert(x, DType::U32);
    if format.special == Special::Fnu {
        let power = b.binary(Binary::ShiftLeft, x, word(23));
        let power = choose(b, Compare::Eq, x, word(0), word(0x0040_0000), power);
        let bits = choose(b, Compare::Eq, x, word(format.nan() as u32), word(NAN), power);
        return bitcast(b, bits, DType::F32);
    }
    let magnitude = b.binary(Binary::And, x, word(0x7f));
    let moved = b.binary(Binary::ShiftLeft, magnitude, word(23 - format.mantissa_bits));
    let number = bitcast(b, moved, DType::F32);
    let number = b.mul(number, Scalar::new(2f32.powi(127 - format.bias)).into());
    let number = bitcast(b, number, DType::U32);
    let nan = word(format.nan() as u32);
    let absolute = match format.special {
        Special::Ieee => {
            let infinity = word(format.infinity() as u32);
            let number = choose(b, Compare::Eq, magnitude, infinity, word(f32::INFINITY.to_bits()), number);
            choose(b, Compare::Gt, magnitude, infinity, word(NAN), number)
        }
        Special::Fn => choose(b, Compare::Eq, magnitude, nan, word(NAN), number),
        Special::Fnuz | Special::Fnu => choose(b, Compare::Eq, x, nan, word(NAN), number),
    };
    let sign = b.binary(Binary::And, x, word(0x80));
    let sign = b.binary(Binary::ShiftLeft, sign, word(24));
    let bits = b.binary(Binary::Or, sign, absolute);
    bitcast(b, bits, DType::F32)
}

/// A value that is not narrow converted to any type; narrow ones as bytes.
fn encode(b: &mut Builder, x: Atom, dtype: DType) -> Atom {
    let Some(narrow) = dtype.narrow() else { return b.convert(x, dtype) };
    let x = if b.dtype(x).is_complex() { b.unary(Unary::Real, x) } else { x };
    match narrow.format() {
        Some(format) => encode_float(b, format, x),
        None => encode_integer(b, narrow, x),
    }
}

fn encode_integer(b: &mut Builder, narrow: Narrow, x: Atom) -> Atom {
    let integer = if b.dtype(x).is_float() {
        let least = if narrow.is_signed_integer() { -1 << (narrow.bits() - 1) } else { 0 };
        let greatest = least + narrow.mask() as i32;
        let x = b.convert(x, DType::I32);
        b.emit1(Op::Clamp, &[Scalar::new(least).into(), x, Scalar::new(greatest).into()])
    } else {
        x
    };
    let byte = b.convert(integer, DType::U8);
    b.binary(Binary::And, byte, Scalar::new(narrow.mask()).into())
}

fn encode_float(b: &mut Builder, format: NarrowFormat, x: Atom) -> Atom {
    // What f32 does not hold exactly goes through f64, except for powers of two, which are rounded from f32.
    let through_f32 = match b.dtype(x) {
        DType::Bool | DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::F16 | DType::BF16 | DType::F32 => true,
        DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F64 => false,
        DType::C64 | DType::C128 | DType::Narrow(_) => unreachable!("real parts, widened"),
    };
    let source = if through_f32 { Source::F32 } else { Source::F64 };
    let x = b.convert(x, source.dtype);
    if format.special == Special::Fnu {
        let x = b.convert(x, DType::F32);
        return encode_power(b, format, x);
    }
    let shifted = |b: &mut Builder, x: Atom, by: u32| {
        let by = source.word(by as u64);
        b.binary(Binary::ShiftRightLogical, x, by)
    };
    let bits = bitcast(b, x, source.bits);
    let magnitude = b.binary(Binary::And, bits, source.word(u64::MAX >> (65 - source.width)));
    let dropped = source.mantissa_bits - format.mantissa_bits;
    let rebias = ((source.bias - format.bias) as u64) << source.mantissa_bits;

    // Exponent and mantissa are one integer, so that a carry out of the mantissa is right by itself; ties go to even.
    let number = b.sub(magnitude, source.word(rebias));
    let last = shifted(b, number, dropped);
    let last = b.binary(Binary::And, last, source.word(1));
    let number = b.add(number, source.word((1 << (dropped - 1)) - 1));
    let number = b.add(number, last);
    let normal = shifted(b, number, dropped);

    // Adding a number whose last bit is the format's least number rounds to a multiple of that.
    let anchor = 2f64.powi(source.mantissa_bits as i32 + 1 - format.bias - format.mantissa_bits as i32);
    let anchor = Scalar::from_f64(source.dtype, anchor);
    let absolute = bitcast(b, magnitude, source.dtype);
    let sum = b.add(absolute, anchor.into());
    let sum = bitcast(b, sum, source.bits);
    let subnormal = b.sub(sum, source.word(anchor.bits()[0]));

    let least_normal = source.word(rebias + (1 << source.mantissa_bits));
    let code = choose(b, Compare::Lt, magnitude, least_normal, subnormal, normal);
    let infinity = source.word(((1 << (source.width - 1 - source.mantissa_bits)) - 1) << source.mantissa_bits);
    let overflow = if format.special == Special::Ieee { format.infinity() } else { format.nan() };
    let code = choose(b, Compare::Gt, code, source.word(format.greatest() as u64), source.word(overflow as u64), code);
    let code = choose(b, Compare::Gt, magnitude, infinity, source.word(format.nan() as u64), code);
    let sign = shifted(b, bits, source.width - 8);
    let sign = b.binary(Binary::And, sign, source.word(0x80));
    let sign = match format.special {
        Special::Fnuz => choose(b, Compare::Eq, code, source.word(0), source.word(0), sign),
        Special::Ieee | Special::Fn | Special::Fnu => sign,
    };
    let code = b.binary(Binary::Or, sign, code);
    b.convert(code, DType::U8)
}

/// Half of the last place is added: half an exponent, or, below the least normal f32, what leads there.
fn encode_power(b: &mut Builder, format: NarrowFormat, x: Atom) -> Atom {
    let bits = bitcast(b, x, DType::U32);
    let half = choose(b, Compare::Lt, bits, word(0x0080_0000), word(0x003f_ffff), word(0x0040_0000));
    let sum = b.add(bits, half);
    let code = b.binary(Binary::ShiftRightLogical, sum, word(23));
    let nan = word(format.nan() as u32);
    // NaN, infinity and negative numbers have greater bits than the greatest number; zero has none.
    let code = choose(b, Compare::Ge, bits, word(f32::INFINITY.to_bits()), nan, code);
    let code = choose(b, Compare::Eq, bits, word(0), nan, code);
    b.convert(code, DType::U8)
}

/// The layout of a float that is wide enough to round from.
#[derive(Clone, Copy)]
struct Source {
    dtype: DType,
    bits: DType,
    width: u32,
    mantissa_bits: u32,
    bias: i32,
}

impl Source {
    const F32: Source = Source { dtype: DType::F32, bits: DType::U32, width: 32, mantissa_bits: 23, bias: 127 };
    const F64: Source = Source { dtype: DType::F64, bits: DType::U64, width: 64, mantissa_bits: 52, bias: 1023 };

    fn word(self, value: u64) -> Atom {
        Scalar::from_bits(self.bits, [value, 0]).into()
    }
}

/// `if x op y { yes } else { no }` for each element; the choices may be literals.
fn choose(b: &mut Builder, op: Compare, x: Atom, y: Atom, yes: Atom, no: Atom) -> Atom {
    let which = b.compare(op, x, y);
    let shape = b.shape(which);
    let whole = |b: &mut Builder, x: Atom| if b.shape(x) == shape { x } else { b.broadcast_scalar(x, &shape) };
    let (yes, no) = (whole(b, yes), whole(b, no));
    b.select(which, yes, no)
}

fn bitcast(b: &mut Builder, x: Atom, dtype: DType) -> Atom {
    b.emit1(Op::Bitcast { dtype }, &[x])
}
