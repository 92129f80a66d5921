//! `select_and_scatter_add` by other ops.

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Binary, Builder, Combiner, Compare, DType, IndexMode, Op, Scalar, Scatter, SelectAndScatterAdd,
};

/// Adds each element of the source at the place of the element that its window selects, which a window reduction finds. The elements
/// are integers and may be of another dtype than the source.
pub fn scatter_selected(b: &mut Builder, select: &SelectAndScatterAdd, source: Atom, elements: Atom) -> Atom {
    let Aval { dtype, shape } = b.aval(elements);
    let flat = [shape.size()].into();
    let places = b.iota(DType::I64, &flat, 0);
    let places = b.reshape(places, &shape);
    let mut body = Builder::new();
    let avals = [Aval::scalar(dtype), Aval::scalar(DType::I64)];
    let inputs: Vec<Atom> = avals.iter().chain(&avals).map(|aval| body.input(aval.clone())).collect();
    let order = if select.largest { Compare::Ge } else { Compare::Le };
    let better = body.compare(order, inputs[0], inputs[2]);
    // Padding has no place, and an element wins against it whatever its value is.
    let none = Atom::from(Scalar::new(-1i64));
    let (here, there) = (body.compare(Compare::Ne, inputs[1], none), body.compare(Compare::Eq, inputs[3], none));
    let wins = body.binary(Binary::Or, better, there);
    let keep = body.binary(Binary::And, here, wins);
    let outputs = (0..2).map(|i| body.select(keep, inputs[i], inputs[i + 2])).collect();
    let op = Op::GeneralReduceWindow { body: Arc::new(body.finish(outputs)), window: select.window() };
    let chosen = b.emit(op, &[elements, places, Scalar::zero(dtype).into(), none])[1];
    let windows = b.shape(chosen).size();
    let (chosen, source) = (b.reshape(chosen, &[windows, 1].into()), b.reshape(source, &[windows].into()));
    let scatter = Scatter {
        combiner: Combiner::Add,
        update_window_dims: vec![],
        inserted_window_dims: vec![0],
        operand_batching_dims: vec![],
        scatter_indices_batching_dims: vec![],
        scatter_dims_to_operand_dims: vec![0],
        mode: IndexMode::FillOrDrop,
        unique_indices: false,
        indices_are_sorted: false,
    };
    let zeros = Aval::new(b.dtype(source), flat);
    let zeros = b.zeros(&zeros);
    let scattered = b.emit1(Op::Scatter(scatter), &[zeros, chosen, source]);
    b.reshape(scattered, &shape)
}

/// Floats as signed integers of the same width that are ordered as the total order has the floats: -NaN, -inf, …, -0, 0, …, inf, NaN.
pub(crate) fn total_order_keys(b: &mut Builder, x: Atom) -> Atom {
    let bits = match b.dtype(x).bits() {
        16 => DType::I16,
        32 => DType::I32,
        _ => DType::I64,
    };
    let x = b.emit1(Op::Bitcast { dtype: bits }, &[x]);
    // The magnitudes of negative numbers grow downwards.
    let negative = b.compare(Compare::Lt, x, Scalar::zero(bits).into());
    let flipped = b.binary(Binary::Xor, x, Scalar::greatest(bits).into());
    b.select(negative, flipped, x)
}
