//! The library routines, by definition.

use std::cmp::Ordering;

use rjax_ir::{Aval, DType, Op, Scalar, Tensor, eval_op, math, with_element};

use super::memory::Memory;
use super::{Span, scalar};
use crate::kir::{Conv, Gemm, GemmAxis, Library, LibraryOp, Sort, TopK, Transpose};

/// Sums in `f64`, which is exact enough for every dtype.
pub(super) fn gemm(gemm: &Gemm, lhs: Span, rhs: Span, out: Span, memory: &mut Memory) {
    let axes: Vec<_> = gemm.batch.iter().copied().chain([gemm.m, gemm.n]).collect();
    let summed: Vec<_> = gemm.outer_k.iter().copied().chain([gemm.k]).collect();
    let count = |axes: &[GemmAxis]| axes.iter().map(|axis| axis.extent).product::<usize>();
    let offsets = |axes: &[GemmAxis], mut flat: usize| {
        axes.iter().rev().fold([0isize; 3], |[l, r, o], axis| {
            let i = (flat % axis.extent) as isize;
            flat /= axis.extent;
            [l + i * axis.lhs, r + i * axis.rhs, o + i * axis.out]
        })
    };
    let to_f64 = |bits: u64| to_f64(gemm.dtype, bits);
    for cell in 0..count(&axes) {
        let [l, r, o] = offsets(&axes, cell);
        let mut total = 0.0;
        for term in 0..count(&summed) {
            let [along_l, along_r, _] = offsets(&summed, term);
            let x = memory.read_signed(lhs, l + along_l, gemm.dtype);
            let y = memory.read_signed(rhs, r + along_r, gemm.dtype);
            total += to_f64(x) * to_f64(y);
        }
        let place = usize::try_from(o).expect("in bounds");
        if gemm.add {
            total += self::to_f64(gemm.out_dtype, memory.read(out, place, gemm.out_dtype));
        }
        let bits = scalar::convert(DType::F64, gemm.out_dtype, total.to_bits());
        memory.write(out, place, gemm.out_dtype, bits);
    }
}

pub(super) fn transpose(transpose: &Transpose, source: Span, out: Span, memory: &mut Memory) {
    for place in 0..transpose.len() {
        let (mut rest, mut from) = (place, 0);
        for axis in transpose.axes.iter().rev() {
            from += rest % axis.extent * axis.stride;
            rest /= axis.extent;
        }
        let bits = memory.read(source, from, transpose.dtype);
        memory.write(out, place, transpose.dtype, bits);
    }
}

/// Sums in `f64`, as [`gemm`].
pub(super) fn conv(conv: &Conv, lhs: Span, rhs: Span, out: Span, memory: &mut Memory) {
    // For each point of a box, outermost axis first: its index along each axis.
    fn points(extents: Vec<usize>) -> impl Iterator<Item = Vec<isize>> {
        (0..extents.iter().product()).map(move |mut flat: usize| {
            let mut at: Vec<isize> = vec![0; extents.len()];
            for (i, extent) in extents.iter().enumerate().rev() {
                at[i] = (flat % extent) as isize;
                flat /= extent;
            }
            at
        })
    }
    let cells = [conv.batch, conv.group, conv.output];
    let windows: Vec<usize> = conv.spatial.iter().map(|axis| axis.window).chain([conv.input.extent]).collect();
    let extents = cells.iter().map(|axis| axis.extent).chain(conv.spatial.iter().map(|axis| axis.extent));
    for cell in points(extents.collect()) {
        let offset = |stride: fn(&GemmAxis) -> isize| -> isize {
            cells.iter().zip(&cell).map(|(axis, i)| stride(axis) * i).sum()
        };
        let (first_l, first_r, mut o) = (offset(|a| a.lhs), offset(|a| a.rhs), offset(|a| a.out));
        let spatial = &cell[cells.len()..];
        o += conv.spatial.iter().zip(spatial).map(|(axis, s)| axis.out * s).sum::<isize>();
        let mut total = 0.0;
        'terms: for term in points(windows.clone()) {
            let i = term[conv.spatial.len()];
            let (mut l, mut r) = (first_l + i * conv.input.lhs, first_r + i * conv.input.rhs);
            for ((axis, s), w) in conv.spatial.iter().zip(spatial).zip(&term) {
                let place = s * axis.stride as isize + w * axis.dilation as isize - axis.low as isize;
                let base = axis.base_dilation as isize;
                if place % base != 0 || !(0..axis.lhs_extent as isize).contains(&place.div_euclid(base)) {
                    continue 'terms;
                }
                l += place / base * axis.lhs;
                r += w * axis.rhs;
            }
            let (x, y) = (memory.read_signed(lhs, l, conv.dtype), memory.read_signed(rhs, r, conv.dtype));
            total += to_f64(conv.dtype, x) * to_f64(conv.dtype, y);
        }
        let bits = scalar::convert(DType::F64, conv.out_dtype, total.to_bits());
        memory.write(out, usize::try_from(o).expect("in bounds"), conv.out_dtype, bits);
    }
}

fn to_f64(dtype: DType, bits: u64) -> f64 {
    with_element!(dtype, T => {
        let value: f64 = math::convert(<T as rjax_ir::Element>::from_bits([bits, 0]));
        value
    })
}

fn read(memory: &Memory, span: Span, index: usize, dtype: DType) -> Scalar {
    if dtype.is_complex() {
        let part = |i: usize| memory.read(span, 2 * index + i, dtype.real());
        return Scalar::from_bits(dtype, [part(0), part(1)]);
    }
    Scalar::from_bits(dtype, [memory.read(span, index, dtype), 0])
}

fn write(memory: &mut Memory, span: Span, index: usize, value: Scalar) {
    let (dtype, [real, imag]) = (value.dtype(), value.bits());
    if dtype.is_complex() {
        memory.write(span, 2 * index, dtype.real(), real);
        memory.write(span, 2 * index + 1, dtype.real(), imag);
    } else {
        memory.write(span, index, dtype, real);
    }
}

fn order(x: Scalar, y: Scalar) -> Ordering {
    with_element!(x.dtype(), T => math::sort_compare::<T>(x.get(), y.get()))
}

fn total_order(x: Scalar, y: Scalar) -> Ordering {
    with_element!(x.dtype(), T => math::total_compare::<T>(x.get(), y.get()))
}

pub(super) fn sort(sort: &Sort, spans: &[(Span, Span)], memory: &mut Memory) {
    for line in 0..sort.outer * sort.inner {
        let first = line / sort.inner * sort.extent * sort.inner + line % sort.inner;
        let columns: Vec<Vec<Scalar>> = sort
            .operands
            .iter()
            .zip(spans)
            .map(|(operand, (source, _))| {
                (0..sort.extent).map(|i| read(memory, *source, first + i * sort.inner, operand.dtype)).collect()
            })
            .collect();
        let compare = |i: usize, j: usize| {
            let keys = columns[..sort.num_keys].iter().map(|key| order(key[i], key[j]));
            keys.fold(Ordering::Equal, Ordering::then)
        };
        let mut order_of: Vec<usize> = (0..sort.extent).collect();
        if sort.stable {
            order_of.sort_by(|&i, &j| compare(i, j));
        } else {
            math::unstable_sort(&mut order_of, |i, j| compare(i, j).is_lt());
        }
        for (column, (_, destination)) in columns.iter().zip(spans) {
            for (i, &from) in order_of.iter().enumerate() {
                write(memory, *destination, first + i * sort.inner, column[from]);
            }
        }
    }
}

pub(super) fn library(library: &Library, operands: &[Span], results: &[Span], memory: &mut Memory) {
    let op = match &library.op {
        LibraryOp::Linalg(op) => Op::Linalg(*op),
        LibraryOp::Fft(op) => Op::Fft(op.clone()),
    };
    let all = |aval: &Aval| aval.with_shape(aval.shape.with_axis(0, library.batch));
    let inputs: Vec<Tensor> =
        library.operands.iter().zip(operands).map(|((_, aval), &span)| memory.tensor_at(span, &all(aval))).collect();
    let outputs = eval_op(&op, &inputs).expect("the planner made the statement from a verified op");
    for (output, &span) in outputs.iter().zip(results) {
        for i in 0..output.shape().size() {
            write(memory, span, i, output.get(i));
        }
    }
}

pub(super) fn top_k(top_k: &TopK, source: Span, values: Span, indices: Span, memory: &mut Memory) {
    for row in 0..top_k.rows {
        let elements: Vec<Scalar> =
            (0..top_k.extent).map(|i| read(memory, source, row * top_k.extent + i, top_k.dtype)).collect();
        let mut order_of: Vec<usize> = (0..top_k.extent).collect();
        order_of.sort_by(|&i, &j| total_order(elements[j], elements[i]));
        for (i, &from) in order_of[..top_k.k].iter().enumerate() {
            write(memory, values, row * top_k.k + i, elements[from]);
            write(memory, indices, row * top_k.k + i, Scalar::new(from as i32));
        }
    }
}
