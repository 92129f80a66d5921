//! Ops that StableHLO lacks, as programs of ops that it has.

use std::sync::Arc;

use rjax_ir::{
    ArgReduce, Atom, Aval, Binary, Builder, Compare, DType, DotGeneral, Gather, IndexMode, Op, PadDim, Program,
    Reducer, Result, Scalar, Scan, Scatter, Shape, Unary,
};
use rjax_stablehlo::scatter_selected;

use super::{elementwise, linalg, special, windows};

/// The program that computes an op; `None` where StableHLO has the op itself.
pub(super) fn expand(op: &Op, inputs: &[Aval], results: &[Aval]) -> Result<Option<Program>> {
    let mut b = Builder::new();
    let x: Vec<Atom> = inputs.iter().map(|aval| b.input(aval.clone())).collect();
    let outputs = match op {
        Op::Unary(unary) => match expand_unary(&mut b, *unary, x[0]) {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        Op::Binary(binary) => match expand_binary(&mut b, *binary, &x) {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        Op::Compare(compare) if inputs[0].dtype.is_complex() => match compare {
            // The parts in the total order; the other comparisons are those of StableHLO or not of complex numbers.
            Compare::EqTo => {
                let [re, im] = [Unary::Real, Unary::Imag].map(|part| {
                    let (u, v) = (b.unary(part, x[0]), b.unary(part, x[1]));
                    b.compare(Compare::EqTo, u, v)
                });
                vec![b.binary(Binary::And, re, im)]
            }
            Compare::Eq
            | Compare::Ne
            | Compare::Lt
            | Compare::Le
            | Compare::Gt
            | Compare::Ge
            | Compare::LtTo
            | Compare::LeTo => return Ok(None),
        },
        Op::Select if x.len() == 2 => vec![x[1]],
        Op::Convert { dtype } => match expand_convert(&mut b, *dtype, x[0]) {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        Op::Bitcast { dtype } if *dtype == inputs[0].dtype => vec![x[0]],
        Op::IntegerPow { exponent } => vec![integer_pow(&mut b, *exponent, x[0])],
        Op::RegularizedIncompleteBeta => vec![special::wide(&mut b, &x, special::regularized_incomplete_beta)],
        Op::Gather(gather) => match expand_gather(&mut b, gather, &x, &results[0])? {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        Op::Scatter(scatter) => match expand_scatter(&mut b, scatter, &x)? {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        // StableHLO has no padding that takes away more than there is.
        Op::Pad { padding } if results[0].size() == 0 && takes_too_much(padding, &inputs[0]) => {
            vec![b.zeros(&results[0])]
        }
        // TPUs have no clamp of booleans.
        Op::Clamp if results[0].dtype == DType::Bool => {
            let shape = &results[0].shape;
            let [low, high] =
                [0, 2].map(|i| if inputs[i].shape == *shape { x[i] } else { b.broadcast_scalar(x[i], shape) });
            let raised = b.binary(Binary::Or, x[1], low);
            vec![b.binary(Binary::And, raised, high)]
        }
        // XLA ends the process at concatenated integers of fewer than 8 bits.
        Op::Concatenate { axis } if results[0].dtype.bits() < 8 => {
            let dtype = results[0].dtype;
            let wide = if dtype.is_signed_integer() { DType::I8 } else { DType::U8 };
            let parts: Vec<Atom> = x.iter().map(|&part| b.convert(part, wide)).collect();
            let joined = b.concatenate(&parts, *axis);
            vec![b.convert(joined, dtype)]
        }
        Op::Reduce { axes, .. } if axes.is_empty() => vec![x[0]],
        // XLA takes initial values to be neutral and leaves them out where there is nothing to combine.
        Op::GeneralReduce { body, axes } if axes.iter().all(|&axis| inputs[0].shape[axis] == 1) => {
            let (operands, inits) = x.split_at(x.len() / 2);
            one_by_one(&mut b, body, inits, operands, &results[0].shape)
        }
        // XLA gives up on windows without axes. There is one window, and it holds the one element.
        Op::SelectAndScatterAdd(_) if results[0].rank() == 0 => vec![x[0]],
        // StableHLO pads with a value, and every integer may be an element.
        Op::SelectAndScatterAdd(select)
            if results[0].dtype.is_integer() && select.padding.iter().any(|p| *p != (0, 0)) =>
        {
            vec![scatter_selected(&mut b, select, x[0], x[1])]
        }
        Op::GeneralReduceWindow { body, .. } if results[0].rank() == 0 => {
            let (operands, inits) = x.split_at(x.len() / 2);
            b.inline(body, &[inits, operands].concat())
        }
        Op::ArgReduce(arg) => vec![arg_reduce(&mut b, arg, x[0])],
        Op::Cumulative(cumulative) => vec![windows::cumulative(&mut b, cumulative, x[0])],
        Op::DotGeneral(dot) => match expand_dot(&mut b, dot, &x) {
            Some(y) => vec![y],
            None => return Ok(None),
        },
        Op::Conv(conv) if inputs[0].dtype.is_inexact() && conv.preferred.size() < inputs[0].dtype.size() => {
            let mut wide = conv.clone();
            wide.preferred = inputs[0].dtype;
            let y = b.emit1(Op::Conv(wide), &x);
            vec![b.convert(y, conv.preferred)]
        }
        Op::SelectAndGatherAdd(select) => vec![windows::select_and_gather(&mut b, select, &x)],
        Op::Threefry2x32 => threefry(&mut b, &x),
        Op::Linalg(linalg) => match linalg::decompose(&mut b, *linalg, &x, inputs, results) {
            Some(results) => results,
            None => return Ok(None),
        },
        Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::Bitcast { .. }
        | Op::ReducePrecision { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Cond { .. }
        | Op::While(_)
        | Op::Scan(_)
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Fft(_)
        | Op::Collective(_) => return Ok(None),
    };
    Ok(Some(b.finish(outputs)))
}

/// What a program of scalars makes of these scalars and each element of these arrays in turn.
fn one_by_one(b: &mut Builder, body: &Arc<Program>, scalars: &[Atom], arrays: &[Atom], shape: &Shape) -> Vec<Atom> {
    let length = shape.size();
    let lines: Vec<Atom> = arrays.iter().map(|&x| b.reshape(x, &[length].into())).collect();
    let scan = Scan { body: body.clone(), length, reverse: false, num_consts: scalars.len(), num_carry: 0 };
    let results = b.emit(Op::Scan(scan), &[scalars, &lines].concat());
    results.into_iter().map(|y| b.reshape(y, shape)).collect()
}

fn takes_too_much(padding: &[PadDim], x: &Aval) -> bool {
    let left = |(pad, &extent): (&PadDim, &usize)| {
        let extent = extent as i64;
        extent + (extent - 1).max(0) * pad.interior as i64 + pad.low + pad.high
    };
    padding.iter().zip(x.shape.iter()).any(|entry| left(entry) < 0)
}

fn expand_unary(b: &mut Builder, op: Unary, x: Atom) -> Option<Atom> {
    let dtype = b.dtype(x);
    if op == Unary::Sign && dtype.is_unsigned_integer() {
        let positive = b.compare(Compare::Ne, x, Scalar::zero(dtype).into());
        return Some(b.convert(positive, dtype));
    }
    if elementwise::unary(op).is_some() {
        return None;
    }
    if op == Unary::Conj {
        let (re, im) = (b.unary(Unary::Real, x), b.unary(Unary::Imag, x));
        let im = b.neg(im);
        return Some(b.binary(Binary::Complex, re, im));
    }
    Some(if dtype.is_complex() { special::complex(b, op, x) } else { special::real(b, op, x) })
}

fn expand_binary(b: &mut Builder, op: Binary, x: &[Atom]) -> Option<Atom> {
    Some(match op {
        Binary::NextAfter => next_after(b, x[0], x[1]),
        Binary::Igamma => special::wide(b, x, special::igamma),
        Binary::Igammac => special::wide(b, x, special::igammac),
        Binary::IgammaGradA => special::wide(b, x, special::igamma_grad_a),
        Binary::Polygamma => special::wide(b, x, special::polygamma),
        Binary::Zeta => special::wide(b, x, special::zeta),
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Div
        | Binary::Rem
        | Binary::Pow
        | Binary::Atan2
        | Binary::Max
        | Binary::Min
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::ShiftLeft
        | Binary::ShiftRightArithmetic
        | Binary::ShiftRightLogical
        | Binary::Complex => return None,
    })
}

/// To `bool` is a comparison with zero; a complex number loses its imaginary part first.
fn expand_convert(b: &mut Builder, dtype: DType, x: Atom) -> Option<Atom> {
    let from = b.dtype(x);
    if from == dtype {
        return Some(x);
    }
    if dtype == DType::Bool {
        // Some of the narrow types have no zero to compare with.
        let (x, from) =
            if matches!(from, DType::Narrow(_)) { (b.convert(x, DType::F32), DType::F32) } else { (x, from) };
        return Some(b.compare(Compare::Ne, x, Scalar::zero(from).into()));
    }
    if from.is_complex() && !dtype.is_complex() {
        let re = b.unary(Unary::Real, x);
        return Some(b.convert(re, dtype));
    }
    None
}

/// The same products in the same order as the interpreter's.
fn integer_pow(b: &mut Builder, exponent: i32, x: Atom) -> Atom {
    let aval = b.aval(x);
    let (mut bits, mut square, mut product) = (exponent.unsigned_abs(), x, None);
    while bits > 0 {
        if bits & 1 == 1 {
            product = Some(match product {
                Some(product) => b.mul(product, square),
                None => square,
            });
        }
        bits >>= 1;
        if bits > 0 {
            square = b.mul(square, square);
        }
    }
    let one = b.ones(&aval);
    let product = product.unwrap_or(one);
    if exponent < 0 { b.div(one, product) } else { product }
}

/// Steps in the integers that order floats of one sign.
fn next_after(b: &mut Builder, x: Atom, y: Atom) -> Atom {
    let Aval { dtype, shape } = b.aval(x);
    let bits = match dtype.bits() {
        16 => DType::U16,
        32 => DType::U32,
        _ => DType::U64,
    };
    let int = |v: i64| Atom::from(Scalar::from_i64(bits, v));
    let sign_bit = Atom::from(Scalar::from_bits(bits, [1 << (dtype.bits() - 1), 0]));
    let zero = b.full(&shape, Scalar::zero(dtype));
    let [x_bits, y_bits] = [x, y].map(|v| b.emit1(Op::Bitcast { dtype: bits }, &[v]));
    let (up, down) = (b.add(x_bits, int(1)), b.sub(x_bits, int(1)));
    let positive = b.compare(Compare::Gt, x, zero);
    let rising = b.compare(Compare::Gt, y, x);
    let away = b.compare(Compare::Eq, positive, rising);
    let stepped = b.select(away, up, down);
    // From zero the smallest number with the sign of y.
    let sign = b.binary(Binary::And, y_bits, sign_bit);
    let smallest = b.binary(Binary::Or, sign, int(1));
    let x_is_zero = b.compare(Compare::Eq, x, zero);
    let stepped = b.select(x_is_zero, smallest, stepped);
    let result = b.emit1(Op::Bitcast { dtype }, &[stepped]);
    let equal = b.compare(Compare::Eq, x, y);
    let result = b.select(equal, y, result);
    let (x_nan, y_nan) = (b.compare(Compare::Ne, x, x), b.compare(Compare::Ne, y, y));
    let nan = b.binary(Binary::Or, x_nan, y_nan);
    b.select(nan, Scalar::from_f64(dtype, f64::NAN).into(), result)
}

/// Indices of a type in which every bound can be written.
fn wide_indices(b: &mut Builder, indices: Atom) -> Atom {
    match b.dtype(indices) {
        DType::I8 | DType::I16 | DType::U8 | DType::U16 => b.convert(indices, DType::I32),
        DType::U32 | DType::U64 => {
            // What does not fit into an i64 is beyond every array.
            let dtype = b.dtype(indices);
            if dtype == DType::U64 {
                let greatest = Scalar::from_i64(DType::U64, i64::MAX);
                let shape = b.shape(indices);
                let greatest = b.full(&shape, greatest);
                let limited = b.binary(Binary::Min, indices, greatest);
                b.convert(limited, DType::I64)
            } else {
                b.convert(indices, DType::I64)
            }
        }
        DType::I32
        | DType::I64
        | DType::Bool
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::F64
        | DType::C64
        | DType::C128
        | DType::Narrow(_) => indices,
    }
}

/// For each component of the index vectors the greatest start at which the window fits, in the shape of the indices.
fn greatest_starts(b: &mut Builder, indices: Atom, greatest: &[i64]) -> Atom {
    let Aval { dtype, shape } = b.aval(indices);
    let last = shape.rank() - 1;
    let limits: Vec<Atom> =
        greatest.iter().map(|&limit| b.full(&shape.with_extent(last, 1), Scalar::from_i64(dtype, limit))).collect();
    if limits.is_empty() { b.full(&shape, Scalar::zero(dtype)) } else { b.concatenate(&limits, last) }
}

fn expand_gather(b: &mut Builder, gather: &Gather, x: &[Atom], result: &Aval) -> Result<Option<Atom>> {
    let narrow = b.dtype(x[1]).bits() < 32;
    if gather.mode != IndexMode::FillOrDrop && !narrow {
        return Ok(None);
    }
    let indices = wide_indices(b, x[1]);
    let clamped = Gather { mode: IndexMode::Clip, fill_value: None, ..gather.clone() };
    let found = b.emit1(Op::Gather(clamped), &[x[0], indices]);
    if gather.mode != IndexMode::FillOrDrop {
        return Ok(Some(found));
    }
    let shape = b.shape(x[0]);
    let limits: Vec<i64> =
        gather.start_index_map.iter().map(|&axis| shape[axis] as i64 - gather.slice_sizes[axis] as i64).collect();
    let limits = greatest_starts(b, indices, &limits);
    let dtype = b.dtype(indices);
    let low = b.compare(Compare::Ge, indices, Scalar::zero(dtype).into());
    let high = b.compare(Compare::Le, indices, limits);
    let inside = b.binary(Binary::And, low, high);
    let last = b.shape(indices).rank() - 1;
    let inside = b.reduce(Reducer::And, inside, &[last]);
    let batch: Vec<usize> = (0..result.rank()).filter(|axis| !gather.offset_dims.contains(axis)).collect();
    let inside = b.broadcast_in_dim(inside, &result.shape, &batch);
    let dtype = result.dtype;
    let fill = gather.fill_value.unwrap_or_else(|| {
        if dtype.is_signed_integer() {
            Scalar::least(dtype)
        } else if dtype.is_inexact() {
            Scalar::from_f64(dtype, f64::NAN)
        } else {
            Scalar::greatest(dtype)
        }
    });
    let fill = b.full(&result.shape, fill);
    Ok(Some(b.select(inside, found, fill)))
}

/// Clamped starts where the mode asks for them; StableHLO drops what is outside.
fn expand_scatter(b: &mut Builder, scatter: &Scatter, x: &[Atom]) -> Result<Option<Atom>> {
    let narrow = b.dtype(x[1]).bits() < 32 || b.dtype(x[1]).is_unsigned_integer();
    let clip = scatter.mode == IndexMode::Clip;
    if !clip && !narrow {
        return Ok(None);
    }
    let mut indices = wide_indices(b, x[1]);
    if clip {
        let (shape, updates) = (b.shape(x[0]), b.shape(x[2]));
        let window_axes = scatter.window_axes(shape.rank());
        let size = |axis: usize| match window_axes.iter().position(|&a| a == axis) {
            Some(place) => updates[scatter.update_window_dims[place]],
            None => 1,
        };
        let limits: Vec<i64> = scatter
            .scatter_dims_to_operand_dims
            .iter()
            .map(|&axis| (shape[axis] as i64 - size(axis) as i64).max(0))
            .collect();
        let limits = greatest_starts(b, indices, &limits);
        let dtype = b.dtype(indices);
        let zero = Atom::from(Scalar::zero(dtype));
        indices = b.emit1(Op::Clamp, &[zero, indices, limits]);
    }
    let inside = Scatter { mode: IndexMode::FillOrDrop, ..scatter.clone() };
    Ok(Some(b.emit1(Op::Scatter(inside), &[x[0], indices, x[2]])))
}

/// A reduction of values with their positions; the first NaN wins, ties go to the lower position.
fn arg_reduce(b: &mut Builder, arg: &ArgReduce, x: Atom) -> Atom {
    let Aval { dtype, shape } = b.aval(x);
    let positions = b.iota(arg.index_dtype, &shape, arg.axis);
    let mut body = Builder::new();
    let (value, position) = (Aval::scalar(dtype), Aval::scalar(arg.index_dtype));
    let inputs: Vec<Atom> =
        [&value, &position, &value, &position].into_iter().map(|aval| body.input(aval.clone())).collect();
    let order = if arg.largest { Compare::Gt } else { Compare::Lt };
    let better = body.compare(order, inputs[0], inputs[2]);
    let nan = body.compare(Compare::Ne, inputs[0], inputs[0]);
    let wins = body.binary(Binary::Or, better, nan);
    let equal = body.compare(Compare::Eq, inputs[0], inputs[2]);
    let other_nan = body.compare(Compare::Ne, inputs[2], inputs[2]);
    let both_nan = body.binary(Binary::And, nan, other_nan);
    let tie = body.binary(Binary::Or, equal, both_nan);
    let lower = body.compare(Compare::Lt, inputs[1], inputs[3]);
    let lower = body.binary(Binary::And, tie, lower);
    let not_tie = body.unary(Unary::Not, tie);
    let alone = body.binary(Binary::And, wins, not_tie);
    let first = body.binary(Binary::Or, alone, lower);
    let outputs = vec![body.select(wins, inputs[0], inputs[2]), body.select(first, inputs[1], inputs[3])];
    let worst = if arg.largest { Scalar::least(dtype) } else { Scalar::greatest(dtype) };
    let op = Op::GeneralReduce { body: Arc::new(body.finish(outputs)), axes: vec![arg.axis] };
    b.emit(op, &[x, positions, worst.into(), Scalar::zero(arg.index_dtype).into()])[1]
}

/// Dots of which consumers want the result in the operands' kind of dtype.
fn expand_dot(b: &mut Builder, dot: &DotGeneral, x: &[Atom]) -> Option<Atom> {
    let from = b.dtype(x[0]);
    if from == dot.preferred || !from.is_inexact() && from != DType::Bool && dot.preferred.is_integer() {
        return None;
    }
    let wider = from.is_inexact() && from.size() > dot.preferred.size();
    let common = if wider { from } else { dot.preferred };
    let (lhs, rhs) = (b.convert(x[0], common), b.convert(x[1], common));
    let inner = DotGeneral { preferred: common, ..dot.clone() };
    let y = b.emit1(Op::DotGeneral(inner), &[lhs, rhs]);
    Some(b.convert(y, dot.preferred))
}

/// Twenty rounds in five groups, a word of the key schedule added after each.
fn threefry(b: &mut Builder, x: &[Atom]) -> Vec<Atom> {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    const PARITY: u32 = 0x1BD1_1BDA;
    let word = |v: u32| Atom::from(Scalar::new(v));
    let both = b.binary(Binary::Xor, x[0], x[1]);
    let schedule = [x[0], x[1], b.binary(Binary::Xor, both, word(PARITY))];
    let mut y = [b.add(x[2], schedule[0]), b.add(x[3], schedule[1])];
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            y[0] = b.add(y[0], y[1]);
            let high = b.binary(Binary::ShiftLeft, y[1], word(rotation));
            let low = b.binary(Binary::ShiftRightLogical, y[1], word(32 - rotation));
            let rotated = b.binary(Binary::Or, high, low);
            y[1] = b.binary(Binary::Xor, rotated, y[0]);
        }
        y[0] = b.add(y[0], schedule[(group + 1) % 3]);
        let second = b.add(y[1], schedule[(group + 2) % 3]);
        y[1] = b.add(second, word(group as u32 + 1));
    }
    y.to_vec()
}

/// The shape of a program's only kind of value, for code that repeats scalars.
pub(super) fn shape_of(b: &Builder, x: Atom) -> Shape {
    b.aval(x).shape
}
