//! Products along several axes that are not one in memory.
//!
//! Rows, columns and the summed index each run over axes with strides of their own, so nothing has to be brought into another order
//! beforehand: operands are packed from where they are ([`Operand`]), and blocks of the result are written to where they belong
//! ([`Output`]).

use rjax_kernel::kir::{Gemm, GemmAxis};

use super::contract::{Contraction, contract};
use super::element::Element;
use super::operand::{Axis, BOUNDS, Operand, join, offset_of};
use super::output::Output;
use super::scratch::with_scratch;
use super::tile::{Kernels, Real};
use super::{Extents, FEW_DOTS, Matrix, product};

/// Rows, or columns, from which on it is as well to compute one product after the other.
const MANY: usize = 32;

/// A product whose rows, columns and summed index run over these axes, outermost first.
#[derive(Debug)]
pub(super) struct Scattered {
    rows: Vec<GemmAxis>,
    columns: Vec<GemmAxis>,
    summed: Vec<GemmAxis>,
    add: bool,
}

fn count(axes: &[GemmAxis]) -> usize {
    axes.iter().map(|axis| axis.extent).product()
}

impl Scattered {
    /// A product as one of this kind and what remains of its batch, if it has several summed axes, or if batch axes of one operand only are better
    /// taken for rows or columns.
    pub(super) fn of(gemm: &Gemm) -> Option<(Scattered, Vec<GemmAxis>)> {
        let (mut rows, mut columns, mut batch) = (vec![gemm.m], vec![gemm.n], Vec::new());
        // Neighbours in an operand or in the result had better be computed together.
        let nearest = |axes: [&GemmAxis; 2], stride: fn(&GemmAxis) -> isize| {
            axes.map(|axis| stride(axis).unsigned_abs()).into_iter().min().unwrap_or(0)
        };
        let in_left = nearest([&gemm.m, &gemm.k], |axis| axis.lhs);
        let in_right = nearest([&gemm.n, &gemm.k], |axis| axis.rhs);
        let in_result = nearest([&gemm.m, &gemm.n], |axis| axis.out);
        for &axis in &gemm.batch {
            let in_result = axis.out.unsigned_abs() < in_result;
            if axis.rhs == 0 && (gemm.m.extent < MANY || in_result || axis.lhs.unsigned_abs() < in_left) {
                rows.push(axis);
            } else if axis.lhs == 0 && (gemm.n.extent < MANY || in_result || axis.rhs.unsigned_abs() < in_right) {
                columns.push(axis);
            } else {
                batch.push(axis);
            }
        }
        if count(&rows).min(count(&columns)) <= FEW_DOTS {
            // Few sums are best computed where the operands are.
            (rows, columns, batch) = (vec![gemm.m], vec![gemm.n], gemm.batch.clone());
        }
        if batch.len() == gemm.batch.len() && gemm.outer_k.is_empty() {
            return None;
        }
        let summed = gemm.outer_k.iter().copied().chain([gemm.k]).collect();
        let mut scattered = Scattered { rows, columns, summed, add: gemm.add };
        // Neighbours in the result are to be neighbours in a block.
        for axes in [&mut scattered.rows, &mut scattered.columns] {
            axes.sort_by_key(|axis| std::cmp::Reverse(axis.out.unsigned_abs()));
        }
        Some((scattered, batch))
    }

    pub(super) fn extents(&self) -> Extents {
        Extents { m: count(&self.rows), n: count(&self.columns), k: count(&self.summed) }
    }

    /// Computes the product of the operands at these addresses.
    ///
    /// # Safety
    /// As for [`super::gemm`], without its batch.
    pub(super) unsafe fn run<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
        &self,
        kernels: &Kernels<T>,
        [lhs, rhs]: [*const E; 2],
        out: *mut R,
        parallel: bool,
    ) {
        fn axes(axes: &[GemmAxis], stride: fn(&GemmAxis) -> isize) -> Vec<Axis> {
            join(axes.iter().map(|axis| Axis { extent: axis.extent, stride: stride(axis), bound: None }))
        }
        let operand = |start: *const E, lines: &[GemmAxis], stride: fn(&GemmAxis) -> isize| Operand {
            start,
            lines: axes(lines, stride),
            depths: axes(&self.summed, stride),
            origin: [0; BOUNDS],
            extents: [1; BOUNDS],
        };
        let left = operand(lhs, &self.rows, |axis| axis.lhs);
        let right = operand(rhs, &self.columns, |axis| axis.rhs);
        let to = Output {
            start: out,
            rows: axes(&self.rows, |axis| axis.out),
            columns: axes(&self.columns, |axis| axis.out),
        };
        let Extents { m, n, k } = self.extents();
        let ends_with_neighbours = |axes: &[Axis]| axes.last().is_none_or(|axis| axis.stride == 1);
        let upright = ends_with_neighbours(&to.columns) && n > 1 || !ends_with_neighbours(&to.rows);
        let (extents, left, right, to) = if upright {
            (Extents { m, n, k }, left, right, to)
        } else {
            (Extents { m: n, n: m, k }, right, left, Output { start: out, rows: to.columns, columns: to.rows })
        };
        // SAFETY: the caller's promise.
        unsafe {
            if !self.add && few(kernels, extents, &left, &right, &to, parallel) {
                return;
            }
            let contraction = Contraction {
                extents,
                left: &left,
                right: &right,
                out: &to,
                add: self.add,
                symmetric: false,
                parallel,
            };
            contract(kernels, &contraction);
        }
    }
}

/// A product of a few lines of one operand, which are written down, with another one that is evenly spaced; says whether this was one.
///
/// # Safety
/// As for [`super::gemm`].
unsafe fn few<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    extents: Extents,
    left: &Operand<E>,
    right: &Operand<E>,
    to: &Output<R>,
    parallel: bool,
) -> bool {
    let Extents { m, n, k } = extents;
    let even = |axes: &[Axis]| match axes {
        [] => Some(0),
        [axis] => Some(axis.stride),
        [_, _, ..] => None,
    };
    let (Some(row), Some(column)) = (even(&to.rows), even(&to.columns)) else { return false };
    let out = Matrix { start: to.start, row, column };
    let small = if m <= n { left } else { right };
    let large = if m <= n { right } else { left };
    let (Some(line), Some(depth)) = (even(&large.lines), even(&large.depths)) else { return false };
    let lines = m.min(n);
    if lines > FEW_DOTS {
        return false;
    }
    with_scratch(lines * k, |written: *mut E| {
        // SAFETY: there is room for the lines, which are in the operand; the rest is the caller's promise.
        unsafe {
            for line in 0..lines {
                let from = small.start.wrapping_offset(offset_of(&small.lines, line));
                (0..k).for_each(|l| *written.add(line * k + l) = *from.wrapping_offset(offset_of(&small.depths, l)));
            }
            let small = Matrix { start: written, row: k as isize, column: 1 };
            let large = Matrix { start: large.start.cast_mut(), row: line, column: depth };
            if m <= n {
                product(kernels, extents, small, large.transposed(), out, false, parallel);
            } else {
                product(kernels, extents, large, small.transposed(), out, false, parallel);
            }
        }
    });
    true
}
