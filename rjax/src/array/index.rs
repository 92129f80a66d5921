//! Indexing: NumPy's rules for integers, ranges, new axes, `...`, and index arrays.
//!
//! ```
//! use rjax::prelude::*;
//! let x = jnp::arange(12).reshape([3, 4]);
//! assert_eq!(x.index((1, 2)).item::<i32>(), 6);
//! assert_eq!(x.index((.., -1)).to_vec::<i32>(), [3, 7, 11]);
//! assert_eq!(x.index((1.., Span::new(0, 4).step(2))).to_vec::<i32>(), [4, 6, 8, 10]);
//! assert_eq!(x.index(&jnp::array([2, 0])).to_vec::<i32>(), [8, 9, 10, 11, 0, 1, 2, 3]);
//! ```
//!
//! Index arrays are traced like any array. Integers out of range, static or computed, are moved to the nearest element.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use rjax_ir::{DType, ErrorKind, Gather, IndexMode, Result, Shape, bail, ensure};

use super::Array;
use super::promote::broadcast_shapes;
use crate::error::{check, fail_with};
use crate::{lax, numpy};

/// All axes that no other index names.
#[derive(Clone, Copy, Debug)]
pub struct Ellipsis;

/// A new axis of extent 1.
#[derive(Clone, Copy, Debug)]
pub struct NewAxis;

/// A range with a step, which may be negative; missing bounds mean all the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
}

impl Span {
    /// From `start` to below `stop`; negative bounds count from the end.
    pub fn new(start: i64, stop: i64) -> Span {
        Span { start: Some(start), stop: Some(stop), step: 1 }
    }

    /// The whole axis.
    pub fn all() -> Span {
        Span { start: None, stop: None, step: 1 }
    }

    /// From `start` on.
    pub fn from(start: i64) -> Span {
        Span { start: Some(start), stop: None, step: 1 }
    }

    /// Up to below `stop`.
    pub fn to(stop: i64) -> Span {
        Span { start: None, stop: Some(stop), step: 1 }
    }

    /// Every `step`-th element; backwards for a negative step.
    pub fn step(mut self, step: i64) -> Span {
        self.step = step;
        self
    }

    /// First element, number of elements and step, by Python's rules.
    fn resolve(self, extent: usize) -> Result<(usize, usize, i64)> {
        ensure!(self.step != 0, Parameter, "index: the step of a range is 0");
        let extent = extent as i64;
        let bound = |given: Option<i64>, default: i64, low: i64, high: i64| match given {
            None => default,
            Some(i) => (if i < 0 { i + extent } else { i }).clamp(low, high),
        };
        let (start, count) = if self.step > 0 {
            let start = bound(self.start, 0, 0, extent);
            (start, bound(self.stop, extent, 0, extent) - start)
        } else {
            let start = bound(self.start, extent - 1, -1, extent - 1);
            (start, start - bound(self.stop, -1, -1, extent - 1))
        };
        let step = self.step.abs();
        Ok((start.max(0) as usize, (count.max(0) + step - 1).div_euclid(step) as usize, self.step))
    }
}

/// One part of an index.
#[derive(Clone, Debug)]
pub enum Indexer {
    /// One element; the axis goes away.
    At(i64),
    /// A range.
    Span(Span),
    /// All axes that no other index names.
    Ellipsis,
    /// A new axis.
    NewAxis,
    /// Computed integers, or truth values that pick elements.
    Array(Array),
}

/// What can stand in an index: integers, ranges, [`Span`], [`Ellipsis`], [`NewAxis`], arrays, and tuples of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an index",
    note = "an index is an integer, a range, Span, Ellipsis, NewAxis, an array of integers or bool, or a tuple of these"
)]
pub trait IntoIndexer {
    /// The parts of the index.
    fn parts(self) -> Vec<Indexer>;
}

impl IntoIndexer for Indexer {
    fn parts(self) -> Vec<Indexer> {
        vec![self]
    }
}

impl IntoIndexer for Vec<Indexer> {
    fn parts(self) -> Vec<Indexer> {
        self
    }
}

macro_rules! indexers {
    ($($type:ty, $x:ident => $part:expr;)*) => {$(
        impl IntoIndexer for $type {
            fn parts(self) -> Vec<Indexer> {
                let $x = self;
                vec![$part]
            }
        }
    )*};
}

indexers! {
    Span, x => Indexer::Span(x);
    Ellipsis, _x => Indexer::Ellipsis;
    NewAxis, _x => Indexer::NewAxis;
    RangeFull, _x => Indexer::Span(Span::all());
    Array, x => Indexer::Array(x);
    &Array, x => Indexer::Array(x.clone());
}

macro_rules! integer_indexers {
    ($($type:ty)*) => {$(
        indexers! {
            $type, x => Indexer::At(x as i64);
            Range<$type>, x => Indexer::Span(Span::new(x.start as i64, x.end as i64));
            RangeFrom<$type>, x => Indexer::Span(Span::from(x.start as i64));
            RangeTo<$type>, x => Indexer::Span(Span::to(x.end as i64));
            RangeInclusive<$type>, x => Indexer::Span(inclusive(Some(*x.start() as i64), *x.end() as i64));
            RangeToInclusive<$type>, x => Indexer::Span(inclusive(None, x.end as i64));
        }
    )*};
}

integer_indexers!(i32 i64 isize usize);

/// A range whose last element is `end`; -1 is the last of all.
fn inclusive(start: Option<i64>, end: i64) -> Span {
    Span { start, stop: if end == -1 { None } else { Some(end + 1) }, step: 1 }
}

macro_rules! tuple_indexers {
    ($($($name:ident $index:tt),*;)*) => {$(
        impl<$($name: IntoIndexer),*> IntoIndexer for ($($name,)*) {
            fn parts(self) -> Vec<Indexer> {
                let mut parts = Vec::new();
                $(parts.extend(self.$index.parts());)*
                parts
            }
        }
    )*};
}

tuple_indexers! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
}

impl IntoIndexer for () {
    fn parts(self) -> Vec<Indexer> {
        Vec::new()
    }
}

/// What an index does with an axis of the operand, or that it makes a new one.
pub(super) enum Part {
    /// An index array, broadcast with the others: `i32` or `i64`, negative ones counted from the end already.
    Advanced(Array),
    /// First element, number of elements, step.
    Range(usize, usize, i64),
    NewAxis,
}

/// An index spelled out for an operand: every axis is named.
pub(super) struct Plan {
    pub parts: Vec<Part>,
    /// Whether every index is an integer or a range known now.
    pub is_static: bool,
    /// Static integers, by axis.
    integers: Vec<Option<usize>>,
}

#[track_caller]
pub(super) fn plan(x: &Array, index: impl IntoIndexer) -> Plan {
    check(try_plan(&x.aval().to_string(), &x.shape(), index.parts()))
}

fn try_plan(operand: &str, shape: &Shape, parts: Vec<Indexer>) -> Result<Plan> {
    let mut spread = Vec::new();
    for part in parts {
        match part {
            // A mask picks positions: it stands for one index array for each of its axes.
            Indexer::Array(mask) if mask.dtype() == DType::Bool => {
                spread.extend(numpy::nonzero(&mask).into_iter().map(Indexer::Array));
            }
            other @ (Indexer::Array(_) | Indexer::At(_) | Indexer::Span(_) | Indexer::Ellipsis | Indexer::NewAxis) => {
                spread.push(other)
            }
        }
    }
    let named = spread.iter().filter(|p| matches!(p, Indexer::At(_) | Indexer::Span(_) | Indexer::Array(_))).count();
    ensure!(
        named <= shape.rank(),
        Parameter,
        "index: found {named} indices for an array of type {operand}, which has {} axes",
        shape.rank()
    );
    let ellipses = spread.iter().filter(|p| matches!(p, Indexer::Ellipsis)).count();
    ensure!(ellipses <= 1, Parameter, "index: found {ellipses} ellipses, expected one at most");
    let at = spread.iter().position(|p| matches!(p, Indexer::Ellipsis)).unwrap_or(spread.len());
    spread.splice(
        at..(at + ellipses).min(spread.len()),
        std::iter::repeat_n(Indexer::Span(Span::all()), shape.rank() - named),
    );

    let mut plan = Plan { parts: Vec::new(), is_static: true, integers: Vec::new() };
    let mut axis = 0;
    for part in spread {
        let made = match part {
            Indexer::NewAxis => {
                plan.parts.push(Part::NewAxis);
                continue;
            }
            Indexer::Ellipsis => unreachable!("replaced above"),
            Indexer::Span(span) => {
                let (start, count, step) = span.resolve(shape[axis])?;
                plan.integers.push(None);
                Part::Range(start, count, step)
            }
            Indexer::At(i) => {
                let extent = shape[axis] as i64;
                ensure!(extent > 0, Shape, "index: axis {axis} of {operand} has no elements");
                let i = (if i < 0 { i + extent } else { i }).clamp(0, extent - 1);
                plan.integers.push(Some(i as usize));
                Part::Advanced(Array::constant(rjax_ir::Scalar::from_i64(DType::I32, i), false))
            }
            Indexer::Array(index) => {
                if !index.dtype().is_integer() {
                    bail!(DType, "index: an index array has type {}, expected integers or bool", index.aval());
                }
                plan.is_static = false;
                plan.integers.push(None);
                let index = numpy::integers("index", index);
                Part::Advanced(lax::select(lax::lt(&index, 0), lax::add(&index, shape[axis]), &index))
            }
        };
        plan.parts.push(made);
        axis += 1;
    }
    Ok(plan)
}

/// A gather or scatter for an index that holds arrays: where the index vectors are, and which axes of the result are which.
pub(super) struct Addressing {
    /// Index vectors along the last axis.
    pub indices: Array,
    /// Axes of the operand that the components address.
    pub index_map: Vec<usize>,
    /// Axes of the result that are whole axes of the operand.
    pub offset_dims: Vec<usize>,
    pub slice_sizes: Vec<usize>,
    /// The shape of what is gathered, before new axes come in.
    pub shape: Shape,
    /// Positions of new axes in the result.
    pub new_axes: Vec<isize>,
}

impl Plan {
    /// Index vectors for a gather or a scatter. The axes of index arrays come where the first of them stands if all are
    /// neighbours, else in front, as in NumPy. Ranges other than whole axes count as index arrays with an axis of their own.
    #[track_caller]
    pub fn addressing(&self, operand: &Shape) -> Addressing {
        let arrays: Vec<(usize, &Array)> = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(i, part)| match part {
                Part::Advanced(array) => Some((i, array)),
                Part::Range(..) | Part::NewAxis => None,
            })
            .collect();
        let shapes: Vec<Shape> = arrays.iter().map(|(_, array)| array.shape()).collect();
        let together = check(broadcast_shapes("index", &shapes));
        let neighbours = arrays.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1);
        let first = if neighbours { arrays.first().map(|(i, _)| *i) } else { None };

        // Lay out the result: for each of its axes an extent, and whether it is a whole axis of the operand.
        enum Kind {
            Together,
            Whole,
            Range { axis: usize, start: usize, step: i64 },
            New,
        }
        let mut layout: Vec<(usize, Kind)> = Vec::new();
        let push_together = |layout: &mut Vec<(usize, Kind)>| {
            layout.extend(together.iter().map(|&extent| (extent, Kind::Together)));
        };
        if first.is_none() {
            push_together(&mut layout);
        }
        let mut axis = 0;
        let mut advanced_axes = Vec::new();
        let mut slice_sizes = operand.to_vec();
        for (i, part) in self.parts.iter().enumerate() {
            match part {
                Part::NewAxis => {
                    layout.push((1, Kind::New));
                    continue;
                }
                Part::Advanced(_) => {
                    if first == Some(i) {
                        push_together(&mut layout);
                    }
                    advanced_axes.push(axis);
                    slice_sizes[axis] = 1;
                }
                &Part::Range(start, count, step) => {
                    if (start, count, step) == (0, operand[axis], 1) {
                        layout.push((count, Kind::Whole));
                    } else {
                        layout.push((count, Kind::Range { axis, start, step }));
                        slice_sizes[axis] = 1;
                    }
                }
            }
            axis += 1;
        }

        let new_axes =
            positions(&layout, |(_, kind)| matches!(kind, Kind::New)).into_iter().map(|i| i as isize).collect();
        layout.retain(|(_, kind)| !matches!(kind, Kind::New));
        let offset_dims = positions(&layout, |(_, kind)| matches!(kind, Kind::Whole));
        let batch: Vec<&(usize, Kind)> = layout.iter().filter(|(_, kind)| !matches!(kind, Kind::Whole)).collect();
        let batch_shape: Shape = batch.iter().map(|(extent, _)| *extent).collect();
        let joint: Vec<usize> = positions(&batch, |(_, kind)| matches!(kind, Kind::Together));
        let wide = arrays.iter().any(|(_, array)| array.dtype() == DType::I64);
        let dtype = if wide { DType::I64 } else { DType::I32 };
        let mut index_map = Vec::new();
        let mut components = Vec::new();
        for ((_, array), axis) in arrays.iter().zip(advanced_axes) {
            index_map.push(axis);
            let array = array.converted(dtype, false).broadcasted(&together);
            components.push(lax::broadcast_in_dim(array, batch_shape.clone(), &joint));
        }
        for (position, (_, kind)) in batch.iter().enumerate() {
            if let Kind::Range { axis, start, step } = kind {
                index_map.push(*axis);
                let along = lax::broadcasted_iota(dtype, batch_shape.clone(), position);
                components.push(lax::add(lax::mul(&along, *step), *start));
            }
        }
        let columns: Vec<Array> = components.iter().map(|c| numpy::expand_dims(c, -1)).collect();
        let indices = if columns.is_empty() {
            numpy::zeros(batch_shape.with_axis(batch_shape.rank(), 0), dtype)
        } else {
            lax::concatenate(&columns.iter().collect::<Vec<_>>(), batch_shape.rank())
        };
        let shape = layout.iter().map(|(extent, _)| *extent).collect();
        Addressing { indices, index_map, offset_dims, slice_sizes, shape, new_axes }
    }
}

fn positions<T>(items: &[T], which: impl Fn(&T) -> bool) -> Vec<usize> {
    items.iter().enumerate().filter(|(_, item)| which(item)).map(|(i, _)| i).collect()
}

impl Array {
    /// The elements at an index: see the [module](crate::array) of indices for what an index can be.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let x = jnp::arange(6).reshape([2, 3]);
    /// assert_eq!(x.index(0).to_vec::<i32>(), [0, 1, 2]);
    /// assert_eq!(x.index((.., 1..)).to_vec::<i32>(), [1, 2, 4, 5]);
    /// ```
    #[track_caller]
    pub fn index(&self, index: impl IntoIndexer) -> Array {
        let plan = plan(self, index);
        if plan.is_static {
            slice_static(self, &plan)
        } else {
            self.gathered(&plan.addressing(&self.shape()), IndexMode::Clip, None)
        }
    }

    /// The elements that an addressing names.
    #[track_caller]
    pub(super) fn gathered(&self, address: &Addressing, mode: IndexMode, fill_value: Option<rjax_ir::Scalar>) -> Array {
        let parameters = Gather {
            offset_dims: address.offset_dims.clone(),
            collapsed_slice_dims: collapsed(address),
            operand_batching_dims: vec![],
            start_indices_batching_dims: vec![],
            start_index_map: address.index_map.clone(),
            slice_sizes: address.slice_sizes.clone(),
            mode,
            fill_value,
            unique_indices: false,
            indices_are_sorted: false,
        };
        lax::expand_dims(&lax::gather(self, &address.indices, parameters), &address.new_axes)
    }

    /// The elements along the first axis, one after the other.
    #[track_caller]
    pub fn iter(&self) -> impl Iterator<Item = Array> + '_ {
        if self.ndim() == 0 {
            fail_with(ErrorKind::Shape, "iter: an array of rank 0 has no first axis")
        }
        (0..self.shape()[0]).map(|i| lax::index_in_dim(self, i, 0))
    }
}

/// The addressed axes, in ascending order: their windows have extent 1 and leave no axis.
pub(super) fn collapsed(address: &Addressing) -> Vec<usize> {
    let mut axes = address.index_map.clone();
    axes.sort_unstable();
    axes
}

/// Integers and ranges need no gather.
#[track_caller]
fn slice_static(x: &Array, plan: &Plan) -> Array {
    let shape = x.shape();
    let rank = shape.rank();
    let (mut starts, mut limits, mut strides) = (vec![0; rank], shape.to_vec(), vec![1; rank]);
    let mut reversed = Vec::new();
    let mut dims: Vec<usize> = Vec::new();
    let mut axis = 0;
    for part in &plan.parts {
        match part {
            Part::NewAxis => {
                dims.push(1);
                continue;
            }
            Part::Advanced(_) => {
                let i = plan.integers[axis].expect("a static index holds no arrays");
                (starts[axis], limits[axis]) = (i, i + 1);
            }
            &Part::Range(start, count, step) => {
                let stride = step.unsigned_abs() as usize;
                let span = count.saturating_sub(1) * stride;
                let low = if step > 0 { start } else { start - span.min(start) };
                (starts[axis], limits[axis], strides[axis]) =
                    if count == 0 { (0, 0, 1) } else { (low, low + span + 1, stride) };
                if step < 0 {
                    reversed.push(axis);
                }
                dims.push(count);
            }
        }
        axis += 1;
    }
    let whole = starts.iter().all(|&s| s == 0) && limits[..] == shape[..] && strides.iter().all(|&s| s == 1);
    let sliced = if whole { x.clone() } else { lax::slice(x, &starts, &limits, &strides) };
    lax::reshape(&lax::rev(&sliced, &reversed), dims)
}
