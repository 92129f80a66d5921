//! `rng_bit_generator`: the counter-based generators, written with ordinary ops so that they batch and fuse.
//!
//! Layouts follow XLA's expansion: the state is `u64`; element 0 is the key, the rest is the counter.

use rjax_ir::{Atom, Aval, Binary, Builder, DType, Op, Result, Scalar, Shape};

use super::{Importer, malformed, unsupported};
use crate::mlir::Operation;

impl Importer<'_> {
    pub(super) fn rng_bit_generator(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let algorithm = operation.string("rng_algorithm")?.to_string();
        let [_, bits] = operation.results[..] else {
            return Err(malformed(operation, format!("expected two results, found {}", operation.results.len())));
        };
        let result = self.value_aval(bits)?;
        let state = self.value(operation.operands[0])?;
        let state_aval = self.aval(state);
        if !result.dtype.is_unsigned_integer() && !result.dtype.is_signed_integer() {
            return Err(unsupported(operation, &format!("random bits of type {}", result.dtype)));
        }
        let words = match (&state_aval.dtype, &state_aval.shape[..], algorithm.as_str()) {
            (DType::U64, [2], "THREE_FRY") | (DType::U64, [2 | 3], "PHILOX" | "DEFAULT") => state_aval.shape[0],
            _ => return Err(unsupported(operation, &format!("a state of type {state_aval} for {algorithm}"))),
        };
        let b = self.builder();
        let state: Vec<Atom> = (0..words).map(|i| b.index_axis(state, 0, i)).collect();
        let (new_state, bits) = if algorithm == "THREE_FRY" {
            let (counter, bits) = threefry(b, state[0], state[1], &result);
            (vec![state[0], counter], bits)
        } else {
            let (counter, bits) = philox(b, state[0], &state[1..], &result);
            (std::iter::once(state[0]).chain(counter).collect(), bits)
        };
        let new_state: Vec<Atom> = new_state.into_iter().map(|x| b.expand_dims(x, 0)).collect();
        Ok(vec![b.concatenate(&new_state, 0), bits])
    }
}

/// The low and high half of 64-bit words.
fn halves(b: &mut Builder, x: Atom) -> [Atom; 2] {
    let shift = Scalar::from_i64(DType::U64, 32).into();
    let high = b.binary(Binary::ShiftRightLogical, x, shift);
    [b.convert(x, DType::U32), b.convert(high, DType::U32)]
}

/// 64-bit words from their low and high halves.
fn join(b: &mut Builder, [low, high]: [Atom; 2]) -> Atom {
    let (low, high) = (b.convert(low, DType::U64), b.convert(high, DType::U64));
    let high = b.binary(Binary::ShiftLeft, high, Scalar::from_i64(DType::U64, 32).into());
    b.binary(Binary::Or, low, high)
}

/// Counters `start + i` for row-major positions i of a shape.
fn counters(b: &mut Builder, start: Atom, shape: &Shape) -> Atom {
    let flat = b.iota(DType::U64, &Shape::from([shape.size()]), 0);
    let flat = b.reshape(flat, shape);
    let start = b.broadcast_scalar(start, shape);
    b.add(start, flat)
}

/// Adds a number of counts to a counter.
fn advance(b: &mut Builder, counter: Atom, count: usize) -> Atom {
    b.add(counter, Scalar::from_i64(DType::U64, count as i64).into())
}

/// Threefry-2x32 over 64-bit counters: each gives two 32-bit words or one 64-bit word.
fn threefry(b: &mut Builder, key: Atom, counter: Atom, result: &Aval) -> (Atom, Atom) {
    let rounds = |b: &mut Builder, shape: &Shape| {
        let counts = counters(b, counter, shape);
        let counts = halves(b, counts);
        let keys = halves(b, key).map(|k| b.broadcast_scalar(k, shape));
        let outputs = b.emit(Op::Threefry2x32, &[keys[0], keys[1], counts[0], counts[1]]);
        [outputs[0], outputs[1]]
    };
    if result.dtype.bits() == 64 {
        let outputs = rounds(b, &result.shape);
        let bits = join(b, outputs);
        return (advance(b, counter, result.size()), b.convert(bits, result.dtype));
    }
    // The first even axis (else the longest) is halved; the two words of a counter become neighbours along it.
    let shape = &result.shape;
    let axis = (0..shape.rank())
        .find(|&a| shape[a].is_multiple_of(2))
        .or_else(|| (0..shape.rank()).rev().max_by_key(|&a| shape[a]));
    let Some(axis) = axis else {
        let outputs = rounds(b, &Shape::from([1]));
        let bits = b.reshape(outputs[0], &Shape::scalar());
        return (advance(b, counter, 1), b.convert(bits, result.dtype));
    };
    let half = shape.with_extent(axis, shape[axis].div_ceil(2));
    let outputs = rounds(b, &half);
    let pair = outputs.map(|x| b.expand_dims(x, axis + 1));
    let joined = b.concatenate(&pair, axis + 1);
    let joined = b.reshape(joined, &shape.with_extent(axis, half[axis] * 2));
    let bits = b.slice_axis(joined, axis, 0, shape[axis]);
    (advance(b, counter, half.size()), b.convert(bits, result.dtype))
}

/// Philox-4x32 with ten rounds (Salmon et al., SC 2011): each 128-bit counter gives four words.
fn philox(b: &mut Builder, key: Atom, counter: &[Atom], result: &Aval) -> (Vec<Atom>, Atom) {
    let words = result.size() * if result.dtype.bits() == 64 { 2 } else { 1 };
    let blocks = words.div_ceil(4);
    let shape = Shape::from([blocks]);
    let low = counters(b, counter[0], &shape);
    let start = b.broadcast_scalar(counter[0], &shape);
    let carry = b.compare(rjax_ir::Compare::Lt, low, start);
    let carry = b.convert(carry, DType::U64);
    // Without an upper half of its own the counter takes the key for it.
    let high = b.broadcast_scalar(counter.get(1).copied().unwrap_or(key), &shape);
    let high = b.add(high, carry);
    let ([x0, x1], [x2, x3]) = (halves(b, low), halves(b, high));
    let mut x = [x0, x1, x2, x3];
    let mut keys = halves(b, key);
    for round in 0..10 {
        if round > 0 {
            keys = [
                b.add(keys[0], Scalar::new(0x9E37_79B9u32).into()),
                b.add(keys[1], Scalar::new(0xBB67_AE85u32).into()),
            ];
        }
        let product = |b: &mut Builder, x: Atom, multiplier: u32| {
            let wide = b.convert(x, DType::U64);
            let product = b.mul(wide, Scalar::new(multiplier as u64).into());
            halves(b, product)
        };
        let [low0, high0] = product(b, x[0], 0xD251_1F53);
        let [low1, high1] = product(b, x[2], 0xCD9E_8D57);
        let mixed = |b: &mut Builder, high: Atom, x: Atom, key: Atom| {
            let key = b.broadcast_scalar(key, &shape);
            let mixed = b.binary(Binary::Xor, high, x);
            b.binary(Binary::Xor, mixed, key)
        };
        x = [mixed(b, high1, x[1], keys[0]), low1, mixed(b, high0, x[3], keys[1]), low0];
    }
    let columns = x.map(|x| b.expand_dims(x, 1));
    let rows = b.concatenate(&columns, 1);
    let flat = b.reshape(rows, &Shape::from([blocks * 4]));
    let flat = b.slice_axis(flat, 0, 0, words);
    let bits = if result.dtype.bits() == 64 {
        let pairs = b.reshape(flat, &Shape::from([result.size(), 2]));
        let pair = [b.index_axis(pairs, 1, 0), b.index_axis(pairs, 1, 1)];
        join(b, pair)
    } else {
        flat
    };
    let bits = b.reshape(bits, &result.shape);
    let bits = b.convert(bits, result.dtype);
    let new_low = advance(b, counter[0], blocks);
    let mut new_counter = vec![new_low];
    if let Some(&high) = counter.get(1) {
        let carried = b.compare(rjax_ir::Compare::Lt, new_low, counter[0]);
        let carried = b.convert(carried, DType::U64);
        new_counter.push(b.add(high, carried));
    }
    (new_counter, bits)
}
