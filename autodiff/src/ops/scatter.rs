//! Derivatives of the scatters.
//!
//! With `S(u)` for adding updates at their windows and `G(y)` for gathering the windows back, each rule is written with
//! those two. An update that is dropped has zeros in its window of `G`.

use rjax_ir::{Atom, Aval, Builder, Combiner, Compare, DType, Gather, IndexMode, Op, Result, Scalar, Scatter, Shape};

use crate::jvp::{Dual, Tangent, add_tangents, instantiate};

pub(crate) fn jvp(b: &mut Builder, scatter: &Scatter, operands: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let (x, indices, updates) = (operands[0], operands[1], operands[2]);
    let y = b.emit1(Op::Scatter(scatter.clone()), operands);
    let (x_aval, updates_aval) = (b.aval(x), b.aval(updates));
    let ty = match scatter.combiner {
        // Linear in both together; what an update overwrites loses its tangent.
        Combiner::Replace | Combiner::Add => {
            let tx = instantiate(b, t[0], &x_aval);
            let tu = instantiate(b, t[2], &updates_aval);
            Some(b.emit1(Op::Scatter(scatter.clone()), &[tx, indices, tu]))
        }
        Combiner::Mul => {
            let from_x = t[0].map(|t| b.emit1(Op::Scatter(scatter.clone()), &[t, indices, updates]));
            let from_updates = t[2].map(|t| {
                let slope = other_factors(b, scatter, x, indices, updates);
                let part = b.mul(t, slope);
                add_windows(b, scatter, &x_aval, indices, part)
            });
            add_tangents(b, from_x, from_updates)
        }
        Combiner::Min | Combiner::Max => extreme(b, scatter, [x, indices, updates], y, [t[0], t[2]]),
    };
    Ok((vec![y], vec![ty]))
}

/// `S(updates)`: zeros of a type with the updates added at their windows.
fn add_windows(b: &mut Builder, scatter: &Scatter, x: &Aval, indices: Atom, updates: Atom) -> Atom {
    let zeros = b.zeros(&x.with_dtype(b.dtype(updates)));
    b.emit1(Op::Scatter(Scatter { combiner: Combiner::Add, ..scatter.clone() }), &[zeros, indices, updates])
}

/// `G(y)`: the windows of y at the places of updates with shape `updates`.
fn gather_windows(b: &mut Builder, scatter: &Scatter, y: Atom, indices: Atom, updates: &Shape) -> Atom {
    let y_aval = b.aval(y);
    let mut slice_sizes = vec![1; y_aval.rank()];
    for (&axis, &update_axis) in scatter.window_axes(y_aval.rank()).iter().zip(&scatter.update_window_dims) {
        slice_sizes[axis] = updates[update_axis];
    }
    if slice_sizes.iter().zip(y_aval.shape.iter()).any(|(size, extent)| size > extent) {
        // A window of extent 1 in an array without elements: every update is dropped.
        return b.zeros(&y_aval.with_shape(updates.clone()));
    }
    let gather = Gather {
        offset_dims: scatter.update_window_dims.clone(),
        collapsed_slice_dims: scatter.inserted_window_dims.clone(),
        operand_batching_dims: scatter.operand_batching_dims.clone(),
        start_indices_batching_dims: scatter.scatter_indices_batching_dims.clone(),
        start_index_map: scatter.scatter_dims_to_operand_dims.clone(),
        slice_sizes,
        // Scatter drops updates for which a promise was not kept.
        mode: match scatter.mode {
            IndexMode::Clip => IndexMode::Clip,
            IndexMode::FillOrDrop | IndexMode::PromiseInBounds => IndexMode::FillOrDrop,
        },
        fill_value: Some(Scalar::zero(y_aval.dtype)),
        unique_indices: scatter.unique_indices,
        indices_are_sorted: scatter.indices_are_sorted,
    };
    b.emit1(Op::Gather(gather), &[y, indices])
}

/// For each element of the updates of `scatter-mul`, the product of everything else that is multiplied into its place.
///
/// Zeros among the updates are counted apart from the product of the others: no other zero, and the product without this
/// update is that product divided by this update (if it is not zero itself); another zero, and it is zero.
fn other_factors(b: &mut Builder, scatter: &Scatter, x: Atom, indices: Atom, updates: Atom) -> Atom {
    let updates_aval = b.aval(updates);
    if scatter.unique_indices {
        return gather_windows(b, scatter, x, indices, &updates_aval.shape);
    }
    let dtype = updates_aval.dtype;
    let (zero, one): (Atom, Atom) = (Scalar::zero(dtype).into(), Scalar::one(dtype).into());
    let is_zero = b.compare(Compare::Eq, updates, zero);
    let factors = b.select(is_zero, one, updates);
    let product = b.emit1(Op::Scatter(Scatter { combiner: Combiner::Mul, ..scatter.clone() }), &[x, indices, factors]);
    let zeros = b.convert(is_zero, DType::I32);
    let x_aval = b.aval(x);
    let counts = add_windows(b, scatter, &x_aval, indices, zeros);
    let counts = gather_windows(b, scatter, counts, indices, &updates_aval.shape);
    let alone = b.compare(Compare::Eq, counts, zeros);
    let product = gather_windows(b, scatter, product, indices, &updates_aval.shape);
    let others = b.div(product, factors);
    let none = b.zeros(&updates_aval);
    b.select(alone, others, none)
}

/// The tangent of `scatter-min` and `scatter-max`: the mean of the tangents of whatever attains the extreme.
fn extreme(b: &mut Builder, scatter: &Scatter, [x, indices, u]: [Atom; 3], y: Atom, t: [Tangent; 2]) -> Tangent {
    let (x_aval, u_shape) = (b.aval(x), b.shape(u));
    let dtype = x_aval.dtype;
    let kept = b.compare(Compare::Eq, x, y);
    let kept = b.convert(kept, dtype);
    let reached = gather_windows(b, scatter, y, indices, &u_shape);
    let attains = b.compare(Compare::Eq, u, reached);
    let attains = b.convert(attains, dtype);
    let winners = add_windows(b, scatter, &x_aval, indices, attains);
    let count = b.add(kept, winners);
    let from_x = t[0].map(|t| b.mul(t, kept));
    let from_u = t[1].map(|t| {
        let part = b.mul(t, attains);
        add_windows(b, scatter, &x_aval, indices, part)
    });
    let sum = add_tangents(b, from_x, from_u);
    sum.map(|sum| b.div(sum, count))
}

/// The cotangents of x and the updates, as far as they are wanted, of a scatter that is linear in them.
pub(crate) fn transpose(
    b: &mut Builder,
    scatter: &Scatter,
    ct: Atom,
    indices: Atom,
    updates: &Shape,
    [want_x, want_updates]: [bool; 2],
) -> [Tangent; 2] {
    let replaces = match scatter.combiner {
        Combiner::Add => false,
        Combiner::Replace => true,
        Combiner::Mul | Combiner::Min | Combiner::Max => unreachable!("not linear in x and updates together"),
    };
    let from_x = want_x.then(|| {
        if !replaces {
            return ct;
        }
        let zeros = b.zeros(&b.aval(ct).with_shape(updates.clone()));
        b.emit1(Op::Scatter(scatter.clone()), &[ct, indices, zeros])
    });
    let from_updates = want_updates.then(|| {
        let windows = gather_windows(b, scatter, ct, indices, updates);
        if !replaces || scatter.unique_indices {
            return windows;
        }
        let won = winners(b, scatter, &b.aval(ct), indices, updates);
        b.select(won, windows, Scalar::zero(b.dtype(ct)).into())
    });
    [from_x, from_updates]
}

/// Which elements of the updates are still there after a replacing scatter: number the updates from 1, scatter the numbers
/// and see whether each finds its own.
fn winners(b: &mut Builder, scatter: &Scatter, y: &Aval, indices: Atom, updates: &Shape) -> Atom {
    let batch = updates.without(&scatter.update_window_dims);
    let numbers = b.iota(DType::I32, &Shape::from([batch.size()]), 0);
    let numbers = b.add_scalar(numbers, 1.0);
    let numbers = b.reshape(numbers, &batch);
    let batch_dims: Vec<usize> = (0..updates.rank()).filter(|a| !scatter.update_window_dims.contains(a)).collect();
    let numbers = b.broadcast_in_dim(numbers, updates, &batch_dims);
    let none = b.zeros(&y.with_dtype(DType::I32));
    let scattered = b.emit1(Op::Scatter(scatter.clone()), &[none, indices, numbers]);
    let found = gather_windows(b, scatter, scattered, indices, updates);
    b.compare(Compare::Eq, numbers, found)
}
