//! Transposes of the ops that move elements around, all of which are linear.

use rjax_ir::{Atom, Aval, Builder, Op, PadDim, Scalar, Shape, Slice};

/// Sums over the axes along which the operand was repeated.
pub(crate) fn transpose_broadcast_in_dim(b: &mut Builder, ct: Atom, dims: &[usize], x: &Aval) -> Atom {
    let shape = b.shape(ct);
    let repeated = |axis: &usize| match dims.iter().position(|d| d == axis) {
        Some(i) => x.shape[i] != shape[*axis],
        None => true,
    };
    let axes: Vec<usize> = (0..shape.rank()).filter(repeated).collect();
    let sum = b.reduce_sum(ct, &axes);
    b.reshape(sum, &x.shape)
}

/// The elements go back where they were, among zeros.
pub(crate) fn transpose_slice(b: &mut Builder, ct: Atom, slice: &Slice, x: &Aval) -> Atom {
    let shape = b.shape(ct);
    if shape.size() == 0 {
        return b.zeros(x);
    }
    let padding: Vec<PadDim> = (0..x.rank())
        .map(|axis| {
            let (start, stride) = (slice.starts[axis], slice.strides[axis]);
            let end = start + (shape[axis] - 1) * stride + 1;
            PadDim { low: start as i64, high: (x.shape[axis] - end) as i64, interior: stride - 1 }
        })
        .collect();
    let zero = Scalar::zero(x.dtype);
    b.pad(ct, zero.into(), &padding)
}

/// The cotangent of the padded operand: the padding is taken away, or put back where it removed elements.
pub(crate) fn transpose_pad(b: &mut Builder, ct: Atom, padding: &[PadDim], x: &Aval) -> Atom {
    // More may have been taken away than there was.
    if x.size() == 0 || b.shape(ct).size() == 0 {
        return b.zeros(x);
    }
    let edges: Vec<PadDim> = padding.iter().map(|p| PadDim { low: -p.low, high: -p.high, interior: 0 }).collect();
    let zero = Scalar::zero(x.dtype);
    let ct = b.pad(ct, zero.into(), &edges);
    if padding.iter().all(|p| p.interior == 0) {
        return ct;
    }
    let limits = b.shape(ct).to_vec();
    let strides = padding.iter().map(|p| p.interior + 1).collect();
    b.emit1(Op::Slice(Slice { starts: vec![0; limits.len()], limits, strides }), &[ct])
}

/// The cotangent of the padding value: the sum over the positions that hold it.
pub(crate) fn transpose_padding_value(b: &mut Builder, ct: Atom, padding: &[PadDim], x: &Shape) -> Atom {
    let aval = b.aval(ct);
    let inside = b.full(x, Scalar::new(false));
    let outside = b.pad(inside, Scalar::new(true).into(), padding);
    let part = b.select(outside, ct, Scalar::zero(aval.dtype).into());
    b.reduce_sum(part, &(0..aval.rank()).collect::<Vec<_>>())
}
