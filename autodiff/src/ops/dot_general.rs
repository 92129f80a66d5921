//! Derivatives of `dot_general`, which is linear in each operand.

use rjax_ir::{Atom, Aval, Builder, DType, DotGeneral, Op};

use crate::jvp::{Dual, Tangent, add_tangents};

pub(crate) fn jvp(b: &mut Builder, dot: &DotGeneral, x: &[Atom], t: &[Tangent]) -> Dual {
    let op = Op::DotGeneral(dot.clone());
    let y = b.emit1(op.clone(), x);
    let from_lhs = t[0].map(|t| b.emit1(op.clone(), &[t, x[1]]));
    let from_rhs = t[1].map(|t| b.emit1(op.clone(), &[x[0], t]));
    (vec![y], vec![add_tangents(b, from_lhs, from_rhs)])
}

/// The least dtype that holds the values of both, for products of a cotangent with an operand of another precision.
pub(crate) fn common_dtype(x: DType, y: DType) -> DType {
    if x == y {
        return x;
    }
    let double = x.real() == DType::F64 || y.real() == DType::F64;
    match (x.is_complex() || y.is_complex(), double) {
        (false, false) => DType::F32,
        (false, true) => DType::F64,
        (true, false) => DType::C64,
        (true, true) => DType::C128,
    }
}

/// The cotangent of the lhs: the cotangent's axes that come from the rhs are contracted with those of the rhs.
pub(crate) fn transpose_lhs(b: &mut Builder, dot: &DotGeneral, ct: Atom, lhs: &Aval, rhs: Atom) -> Atom {
    let (batch, lhs_free) = (dot.lhs_batch.len(), dot.lhs_free(lhs.rank()));
    let rhs_free = dot.rhs_free(b.shape(rhs).rank());
    let ct_contracting = (0..rhs_free.len()).map(|i| batch + lhs_free.len() + i).collect();
    let from_ct = [&dot.lhs_batch[..], &lhs_free].concat();
    let pairs = dot.rhs_contracting.iter().copied().zip(dot.lhs_contracting.iter().copied());
    contract(
        b,
        dot,
        [(ct, ct_contracting, (0..batch).collect()), (rhs, rhs_free, dot.rhs_batch.clone())],
        from_ct,
        pairs,
        lhs,
    )
}

/// The cotangent of the rhs: the cotangent's axes that come from the lhs are contracted with those of the lhs.
pub(crate) fn transpose_rhs(b: &mut Builder, dot: &DotGeneral, ct: Atom, lhs: Atom, rhs: &Aval) -> Atom {
    let (batch, rhs_free) = (dot.lhs_batch.len(), dot.rhs_free(rhs.rank()));
    let lhs_free = dot.lhs_free(b.shape(lhs).rank());
    let ct_contracting = (0..lhs_free.len()).map(|i| batch + i).collect();
    let from_ct = [&dot.rhs_batch[..], &rhs_free].concat();
    let pairs = dot.lhs_contracting.iter().copied().zip(dot.rhs_contracting.iter().copied());
    contract(
        b,
        dot,
        [(ct, ct_contracting, (0..batch).collect()), (lhs, lhs_free, dot.lhs_batch.clone())],
        from_ct,
        pairs,
        rhs,
    )
}

/// Contracts the cotangent with the known operand (each with its contracting and batch axes). `from_ct` lists the target's
/// axes that the cotangent's remaining axes are, batch axes first; `pairs` matches the known operand's remaining axes with
/// the target's. The operands stand in the order that needs no transposition of the product, if there is one.
fn contract(
    b: &mut Builder,
    dot: &DotGeneral,
    [ct, known]: [(Atom, Vec<usize>, Vec<usize>); 2],
    from_ct: Vec<usize>,
    pairs: impl Iterator<Item = (usize, usize)>,
    target: &Aval,
) -> Atom {
    let mut pairs: Vec<(usize, usize)> = pairs.collect();
    pairs.sort_unstable();
    let from_known: Vec<usize> = pairs.into_iter().map(|(_, axis)| axis).collect();
    let (batch, free) = from_ct.split_at(dot.lhs_batch.len());
    let (ct_first, known_first) = ([batch, free, &from_known].concat(), [batch, &from_known, free].concat());
    let (order, axes) = if known_first.is_sorted() { ([known, ct], known_first) } else { ([ct, known], ct_first) };
    let [(x, x_contracting, x_batch), (y, y_contracting, y_batch)] = order;
    let common = common_dtype(b.dtype(x), b.dtype(y));
    let (x, y) = (b.convert(x, common), b.convert(y, common));
    let transposed = DotGeneral {
        lhs_contracting: x_contracting,
        rhs_contracting: y_contracting,
        lhs_batch: x_batch,
        rhs_batch: y_batch,
        precision: dot.precision,
        preferred: common,
    };
    let product = b.emit1(Op::DotGeneral(transposed), &[x, y]);
    let product = b.transpose(product, &inverse(&axes));
    b.convert(product, target.dtype)
}

/// The permutation that undoes another.
pub(crate) fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (i, &p) in permutation.iter().enumerate() {
        inverse[p] = i;
    }
    inverse
}
