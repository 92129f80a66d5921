//! Products that the matrix routines do not have as products that they have.
//!
//! One of complex numbers is four of their parts. One of integers of 8 bits is one of `bf16`, which holds them exactly, and so does an `f32` every
//! sum of products up to 2^24: longer sums are made of such pieces, as integers. Small products stay loops, which fuse with what is around them.

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::{Atom, Binary, Builder, DType, DotGeneral, Eqn, Op, Program, Result, Unary, Var};

/// So many multiplications are worth a routine and the conversions.
const LEAST: usize = 1 << 13;
/// Sums up to here, all multiples of 1, are exact in `f32`.
const EXACT: usize = 1 << 24;

/// The program with such products; none if it has none.
pub(crate) fn of_routines(program: &Program) -> Result<Option<Program>> {
    if has_any(program) { rewrite(program).map(Some) } else { Ok(None) }
}

fn has_any(program: &Program) -> bool {
    program.eqns.iter().any(|eqn| kind(program, eqn).is_some() || eqn.op.subprograms().iter().any(|body| has_any(body)))
}

/// What a product is made of.
enum Kind<'a> {
    Parts(&'a DotGeneral),
    /// Of integers whose products are at most so great.
    Bytes(&'a DotGeneral, usize),
}

fn kind<'a>(program: &Program, eqn: &'a Eqn) -> Option<Kind<'a>> {
    let Op::DotGeneral(dot) = &eqn.op else { return None };
    let [lhs, rhs] = [0, 1].map(|i| program.aval(eqn.inputs[i]));
    let result = &program.avals[eqn.outputs[0].index()];
    let summed: usize = dot.lhs_contracting.iter().map(|&axis| lhs.shape[axis]).product();
    if lhs.dtype != rhs.dtype || result.size() * summed < LEAST {
        return None;
    }
    let greatest = match lhs.dtype {
        DType::C64 | DType::C128 => return (dot.preferred == lhs.dtype).then_some(Kind::Parts(dot)),
        DType::I8 => 128 * 128,
        DType::U8 => 255 * 255,
        DType::Bool
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::F64
        | DType::Narrow(_) => return None,
    };
    // One summed axis is cut.
    let longest = dot.lhs_contracting.iter().map(|&axis| lhs.shape[axis]).max()?;
    (dot.preferred.is_integer() && summed / longest * greatest <= EXACT).then_some(Kind::Bytes(dot, greatest))
}

fn rewrite(program: &Program) -> Result<Program> {
    let mut b = Builder::new();
    let mut map: HashMap<Var, Atom> = HashMap::new();
    map.extend(program.invars.iter().map(|&v| (v, b.input(program.avals[v.index()].clone()))));
    for (v, value) in &program.consts {
        map.insert(*v, b.constant(value.clone()));
    }
    let at = |map: &HashMap<Var, Atom>, atom: Atom| match atom {
        Atom::Var(v) => map[&v],
        Atom::Lit(_) => atom,
    };
    for eqn in &program.eqns {
        b.location = eqn.location.clone();
        let inputs: Vec<Atom> = eqn.inputs.iter().map(|&atom| at(&map, atom)).collect();
        let outputs = match kind(program, eqn) {
            Some(Kind::Parts(dot)) => vec![of_parts(&mut b, dot, inputs[0], inputs[1])],
            Some(Kind::Bytes(dot, greatest)) => {
                vec![of_bytes(&mut b, dot, inputs[0], inputs[1], greatest)]
            }
            None => {
                let mut failed = Ok(());
                let op = eqn.op.map_subprograms(|body| match rewrite(body) {
                    Ok(body) => Arc::new(body),
                    Err(error) => {
                        failed = Err(error);
                        body.clone()
                    }
                });
                failed?;
                b.try_emit(op, &inputs)?
            }
        };
        map.extend(eqn.outputs.iter().copied().zip(outputs));
    }
    let outputs = program.outvars.iter().map(|&atom| at(&map, atom)).collect();
    Ok(b.finish(outputs))
}

/// `(a + b i) (c + d i) = ac - bd + (ad + bc) i`.
fn of_parts(b: &mut Builder, dot: &DotGeneral, x: Atom, y: Atom) -> Atom {
    let [x, y] = [x, y].map(|z| [Unary::Real, Unary::Imag].map(|part| b.unary(part, z)));
    let real = Op::DotGeneral(DotGeneral { preferred: dot.preferred.real(), ..dot.clone() });
    let mut product = |i: usize, j: usize| b.emit1(real.clone(), &[x[i], y[j]]);
    let [ac, bd, ad, bc] = [product(0, 0), product(1, 1), product(0, 1), product(1, 0)];
    let (re, im) = (b.sub(ac, bd), b.add(ad, bc));
    b.binary(Binary::Complex, re, im)
}

fn of_bytes(b: &mut Builder, dot: &DotGeneral, x: Atom, y: Atom, greatest: usize) -> Atom {
    let shape = b.shape(x);
    let extent = |&axis: &usize| shape[axis];
    let summed: usize = dot.lhs_contracting.iter().map(extent).product();
    let exact = Op::DotGeneral(DotGeneral { preferred: DType::F32, ..dot.clone() });
    let longest = (0..dot.lhs_contracting.len()).max_by_key(|&i| shape[dot.lhs_contracting[i]]);
    let Some(longest) = longest.filter(|_| summed * greatest > EXACT) else {
        return piece(b, &exact, x, y, dot.preferred);
    };
    let (left, right) = (dot.lhs_contracting[longest], dot.rhs_contracting[longest]);
    let step = EXACT / (greatest * (summed / shape[left]));
    let pieces: Vec<Atom> = (0..shape[left])
        .step_by(step)
        .map(|first| {
            let limit = shape[left].min(first + step);
            let (x, y) = (b.slice_axis(x, left, first, limit), b.slice_axis(y, right, first, limit));
            piece(b, &exact, x, y, dot.preferred)
        })
        .collect();
    pieces.into_iter().reduce(|sum, piece| b.add(sum, piece)).expect("a sum of pieces has some")
}

/// A product whose sums are exact.
fn piece(b: &mut Builder, exact: &Op, x: Atom, y: Atom, to: DType) -> Atom {
    let [x, y] = [x, y].map(|bytes| b.convert(bytes, DType::BF16));
    let product = b.emit1(exact.clone(), &[x, y]);
    // Shorter integers wrap.
    let whole = b.convert(product, DType::I32);
    b.convert(whole, to)
}
