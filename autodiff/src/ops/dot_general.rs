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

/// The cotangent of the lhs: the cotangent's rhs axes contracted with those of the rhs.
pub(crate) fn transpose_lhs(b: &mut Builder, dot: &DotGeneral, ct: Atom, lhs: &Aval, rhs: Atom) -> Atom {
    let rhs_rank = b.shape(rhs).rank();
    let (batch, lhs_free, rhs_free) = (dot.lhs_batch.len(), dot.lhs_free(lhs.rank()), dot.rhs_free(rhs_rank));
    let common = common_dtype(b.dtype(ct), b.dtype(rhs));
    let (ct, rhs) = (b.convert(ct, common), b.convert(rhs, common));
    let transposed = DotGeneral {
        lhs_contracting: (0..rhs_free.len()).map(|i| batch + lhs_free.len() + i).collect(),
        rhs_contracting: rhs_free,
        lhs_batch: (0..batch).collect(),
        rhs_batch: dot.rhs_batch.clone(),
        precision: dot.precision,
        preferred: common,
    };
    // The axes of the product: batch, free axes of the lhs, then its contracted axes in the order of the rhs.
    let mut contracted: Vec<(usize, usize)> =
        dot.rhs_contracting.iter().copied().zip(dot.lhs_contracting.iter().copied()).collect();
    contracted.sort_unstable();
    let axes: Vec<usize> =
        dot.lhs_batch.iter().copied().chain(lhs_free).chain(contracted.into_iter().map(|(_, lhs)| lhs)).collect();
    let product = b.emit1(Op::DotGeneral(transposed), &[ct, rhs]);
    let product = b.transpose(product, &inverse(&axes));
    b.convert(product, lhs.dtype)
}

/// The cotangent of the rhs, as the lhs of the dot with its operands exchanged.
pub(crate) fn transpose_rhs(b: &mut Builder, dot: &DotGeneral, ct: Atom, lhs: Atom, rhs: &Aval) -> Atom {
    let lhs_rank = b.shape(lhs).rank();
    let (batch, lhs_free, rhs_free) =
        (dot.lhs_batch.len(), dot.lhs_free(lhs_rank).len(), dot.rhs_free(rhs.rank()).len());
    let exchanged = DotGeneral {
        lhs_contracting: dot.rhs_contracting.clone(),
        rhs_contracting: dot.lhs_contracting.clone(),
        lhs_batch: dot.rhs_batch.clone(),
        rhs_batch: dot.lhs_batch.clone(),
        ..dot.clone()
    };
    let permutation: Vec<usize> =
        (0..batch).chain((0..rhs_free).map(|i| batch + lhs_free + i)).chain((0..lhs_free).map(|i| batch + i)).collect();
    let ct = b.transpose(ct, &permutation);
    transpose_lhs(b, &exchanged, ct, rhs, lhs)
}

/// The permutation that undoes another.
pub(crate) fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (i, &p) in permutation.iter().enumerate() {
        inverse[p] = i;
    }
    inverse
}
