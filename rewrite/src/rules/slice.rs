//! Slices, concatenation, padding and their dynamic relatives: pure data movement, all exact.

use egg::Id;
use rjax_ir::{DTypeSet, Op, PadDim, Shape, Slice};

use super::Class::Exact;
use super::dot::merged_axes;
use super::{Code, Match, Rule, Term, rule};
use crate::code::Code as C;
use crate::rules::elementwise::{BINARIES, UNARIES};
use crate::term::when;

const ANY: DTypeSet = DTypeSet::ANY;

fn slice(op: &Op) -> &Slice {
    let Op::Slice(slice) = op else { unreachable!("a slice") };
    slice
}

fn axis_of(op: &Op) -> usize {
    let Op::Concatenate { axis } = op else { unreachable!("a concatenation") };
    *axis
}

fn padding(op: &Op) -> &[PadDim] {
    let Op::Pad { padding } = op else { unreachable!("padding") };
    padding
}

/// Starts of a dynamic slice that are all known, clamped so that a window of these extents fits into `shape`.
fn known_starts(m: &Match<'_>, starts: &[Id], shape: &Shape, window: &Shape) -> Option<Vec<usize>> {
    starts
        .iter()
        .enumerate()
        .map(|(axis, &start)| {
            let start = m.splat(start)?;
            // Integer starts are exact in a double up to any extent that fits in memory.
            Some((start.to_f64().max(0.0) as usize).min(shape[axis] - window[axis]))
        })
        .collect()
}

/// A slice of a reshape that merges axes as one of those rows of the source in which it lies, where these are not all.
fn slice_of_merged(m: &Match<'_>) -> Option<Term> {
    let outer = slice(m.op);
    let source = m.definition(m.one(), C::Reshape)?.inputs[0];
    let (from, to) = (m.shape_of(source), m.shape_of(m.one()));
    when(m.aval.size() > 0)?;
    let mut rows = Slice { starts: vec![0; from.rank()], limits: from.to_vec(), strides: vec![1; from.rank()] };
    let (mut rest, mut merged) = (outer.clone(), to.to_vec());
    for (axis, group) in merged_axes(from, to)?.into_iter().enumerate() {
        let Some(first) = group.clone().find(|&i| from[i] > 1) else { continue };
        let row: usize = from[first + 1..group.end].iter().product();
        let last = outer.starts[axis] + (m.aval.shape[axis] - 1) * outer.strides[axis];
        (rows.starts[first], rows.limits[first]) = (outer.starts[axis] / row, last / row + 1);
        rest.starts[axis] -= rows.starts[first] * row;
        rest.limits[axis] = last + 1 - rows.starts[first] * row;
        merged[axis] = (rows.limits[first] - rows.starts[first]) * row;
    }
    when(merged[..] != to[..])?;
    let rows = Term::reshape(Term::apply(Op::Slice(rows), [source.into()]), merged.into());
    Some(Term::apply(Op::Slice(rest), [rows]))
}

pub(super) static RULES: &[Rule] = &[
    rule("slice-whole", Exact, ANY, &[C::Slice], "a slice of everything == x", |m| {
        when(m.shape_of(m.one()) == &m.aval.shape)?;
        Some(m.one().into())
    }),
    rule("slice-slice", Exact, ANY, &[C::Slice], "slice(slice(x)) == slice(x)", |m| {
        let inner = m.definition(m.one(), C::Slice)?;
        let (outer, before) = (slice(m.op), slice(inner.op));
        let mut composed = Slice { starts: vec![], limits: vec![], strides: vec![] };
        for axis in 0..m.aval.rank() {
            let stride = outer.strides[axis] * before.strides[axis];
            let start = before.starts[axis] + outer.starts[axis] * before.strides[axis];
            let extent = m.aval.shape[axis];
            composed.starts.push(if extent == 0 { 0 } else { start });
            composed.limits.push(if extent == 0 { 0 } else { start + (extent - 1) * stride + 1 });
            composed.strides.push(stride);
        }
        Some(Term::apply(Op::Slice(composed), [inner.inputs[0].into()]))
    }),
    rule(
        "slice-of-concatenate",
        Exact,
        ANY,
        &[C::Slice],
        "a slice inside one part of a concatenation is one of that part",
        |m| {
            let inner = m.definition(m.one(), C::Concatenate)?;
            let axis = axis_of(inner.op);
            let outer = slice(m.op);
            when(m.aval.shape[axis] > 0)?;
            let mut offset = 0;
            for &part in inner.inputs {
                let extent = m.shape_of(part)[axis];
                let last = outer.starts[axis] + (m.aval.shape[axis] - 1) * outer.strides[axis];
                if outer.starts[axis] >= offset && last < offset + extent {
                    let mut moved = outer.clone();
                    moved.starts[axis] -= offset;
                    moved.limits[axis] = (outer.limits[axis] - offset).min(extent);
                    return Some(Term::apply(Op::Slice(moved), [part.into()]));
                }
                offset += extent;
            }
            None
        },
    ),
    rule("slice-of-pad", Exact, ANY, &[C::Slice], "a slice inside of what was padded is one of that", |m| {
        let inner = m.definition(m.one(), C::Pad)?;
        let source = m.shape_of(inner.inputs[0]);
        let mut moved = slice(m.op).clone();
        when(m.aval.size() > 0)?;
        for (axis, pad) in padding(inner.op).iter().enumerate() {
            when(pad.interior == 0)?;
            let shift = |index: usize| usize::try_from(index as i64 - pad.low).ok();
            let last = moved.starts[axis] + (m.aval.shape[axis] - 1) * moved.strides[axis];
            when(shift(last)? < source[axis])?;
            moved.starts[axis] = shift(moved.starts[axis])?;
            moved.limits[axis] = shift(last)? + 1;
        }
        Some(Term::apply(Op::Slice(moved), [inner.inputs[0].into()]))
    }),
    rule("slice-of-broadcast", Exact, ANY, &[C::Slice], "slice(broadcast(x)) == broadcast(slice(x))", |m| {
        let inner = m.definition(m.one(), C::Broadcast)?;
        let Op::BroadcastInDim { dims, .. } = inner.op else { return None };
        let (outer, source) = (slice(m.op), m.shape_of(inner.inputs[0]));
        // Where the operand is repeated it is kept whole.
        let kept = |axis: usize| source[axis] == 1 && m.shape_of(m.one())[dims[axis]] != 1;
        let choose = |of: &[usize], whole: &dyn Fn(usize) -> usize| -> Vec<usize> {
            (0..source.rank()).map(|axis| if kept(axis) { whole(axis) } else { of[dims[axis]] }).collect()
        };
        let slice = Slice {
            starts: choose(&outer.starts, &|_| 0),
            limits: choose(&outer.limits, &|axis| source[axis]),
            strides: choose(&outer.strides, &|_| 1),
        };
        let sliced = Term::apply(Op::Slice(slice), [inner.inputs[0].into()]);
        Some(Term::apply(Op::BroadcastInDim { shape: m.aval.shape.clone(), dims: dims.clone() }, [sliced]))
    }),
    rule("slice-of-elementwise", Exact, ANY, &[C::Slice], "slice(f(x)) == f(slice(x))", |m| {
        let inner = m.definition_among(m.one(), UNARIES)?;
        let sliced = Term::apply(m.op.clone(), [inner.inputs[0].into()]);
        Some(Term::apply(inner.op.clone(), [sliced]))
    })
    .growing(),
    rule("slice-of-elementwise-pair", Exact, ANY, &[C::Slice], "slice(f(x, y)) == f(slice(x), slice(y))", |m| {
        let inner = m.definition_among(m.one(), BINARIES)?;
        let sliced = inner.inputs.iter().map(|&x| Term::apply(m.op.clone(), [x.into()]));
        Some(Term::apply(inner.op.clone(), sliced.collect::<Vec<_>>()))
    })
    .growing(),
    rule("slice-of-iota", Exact, ANY, &[C::Slice], "the beginning of a counter is a shorter counter", |m| {
        let Op::Iota { axis, dtype, .. } = m.definition(m.one(), C::Iota)?.op else { return None };
        when(slice(m.op).starts[*axis] == 0 && slice(m.op).strides[*axis] == 1)?;
        Some(Term::apply(Op::Iota { axis: *axis, dtype: *dtype, shape: m.aval.shape.clone() }, []))
    }),
    rule(
        "slice-of-merged",
        Exact,
        ANY,
        &[C::Slice],
        "slice(reshape(x)) == slice(reshape(slice(x))), for a reshape that merges axes",
        slice_of_merged,
    )
    .growing(),
    rule("concatenate-one", Exact, ANY, &[C::Concatenate], "concatenate(x) == x", |m| {
        when(m.inputs.len() == 1)?;
        Some(m.one().into())
    }),
    rule("concatenate-empty", Exact, ANY, &[C::Concatenate], "parts without elements may go", |m| {
        let axis = axis_of(m.op);
        let parts: Vec<Term> = m.inputs.iter().filter(|&&x| m.shape_of(x)[axis] > 0).map(|&x| x.into()).collect();
        when(!parts.is_empty() && parts.len() < m.inputs.len())?;
        Some(Term::apply(m.op.clone(), parts))
    }),
    rule(
        "concatenate-concatenate",
        Exact,
        ANY,
        &[C::Concatenate],
        "concatenate(x, concatenate(y, z)) == concatenate(x, y, z)",
        |m| {
            let nested = |&x: &Id| m.definition(x, C::Concatenate).filter(|d| axis_of(d.op) == axis_of(m.op));
            let mut flat = Vec::new();
            for x in m.inputs {
                match nested(x) {
                    Some(inner) => flat.extend(inner.inputs.iter().map(|&x| Term::from(x))),
                    None => flat.push((*x).into()),
                }
            }
            when(flat.len() > m.inputs.len())?;
            Some(Term::apply(m.op.clone(), flat))
        },
    ),
    rule("concatenate-slices", Exact, ANY, &[C::Concatenate], "neighbouring slices of one array are one slice", |m| {
        let axis = axis_of(m.op);
        let first = m.any(m.inputs.len() - 1)?;
        let (a, b) = (m.definition(m.inputs[first], C::Slice)?, m.definition(m.inputs[first + 1], C::Slice)?);
        when(a.inputs == b.inputs)?;
        let (a_slice, b_slice) = (slice(a.op), slice(b.op));
        let same_elsewhere = (0..m.aval.rank()).filter(|&other| other != axis).all(|other| {
            a_slice.starts[other] == b_slice.starts[other]
                && a_slice.limits[other] == b_slice.limits[other]
                && a_slice.strides[other] == b_slice.strides[other]
        });
        let adjacent =
            a_slice.limits[axis] == b_slice.starts[axis] && a_slice.strides[axis] == 1 && b_slice.strides[axis] == 1;
        when(same_elsewhere && adjacent)?;
        let mut joined = a_slice.clone();
        joined.limits[axis] = b_slice.limits[axis];
        let mut parts: Vec<Term> = m.inputs.iter().map(|&x| x.into()).collect();
        parts.splice(first..first + 2, [Term::apply(Op::Slice(joined), [a.inputs[0].into()])]);
        Some(Term::apply(m.op.clone(), parts))
    }),
    rule("pad-nothing", Exact, ANY, &[C::Pad], "padding by nothing == x", |m| {
        when(padding(m.op).iter().all(|p| *p == PadDim::default()))?;
        Some(m.one().into())
    }),
    rule("pad-removes", Exact, ANY, &[C::Pad], "padding that only removes is a slice", |m| {
        when(padding(m.op).iter().all(|p| p.low <= 0 && p.high <= 0 && p.interior == 0))?;
        let shape = m.shape_of(m.one());
        // More may be removed at one edge than there is.
        let start = |axis: usize| (padding(m.op)[axis].low.unsigned_abs() as usize).min(shape[axis]);
        let starts: Vec<usize> = (0..shape.rank()).map(start).collect();
        let limits = (0..shape.rank()).map(|axis| starts[axis] + m.aval.shape[axis]).collect::<Vec<_>>();
        when(limits.iter().zip(shape.iter()).all(|(limit, extent)| limit <= extent))?;
        Some(Term::apply(Op::Slice(Slice { starts, limits, strides: vec![1; shape.rank()] }), [m.one().into()]))
    }),
    rule("pad-pad", Exact, ANY, &[C::Pad], "pad(pad(x)) == pad(x) with one value", |m| {
        let inner = m.definition(m.one(), C::Pad)?;
        when(m.inputs[1] == inner.inputs[1])?;
        let plain = |p: &PadDim| p.low >= 0 && p.high >= 0 && p.interior == 0;
        when(padding(m.op).iter().all(plain) && padding(inner.op).iter().all(plain))?;
        let both = padding(m.op).iter().zip(padding(inner.op));
        let padding = both.map(|(a, b)| PadDim { low: a.low + b.low, high: a.high + b.high, interior: 0 }).collect();
        Some(Term::apply(Op::Pad { padding }, [inner.inputs[0].into(), inner.inputs[1].into()]))
    }),
    rule("dynamic-slice-whole", Exact, ANY, &[C::DynamicSlice], "a dynamic slice of everything == x", |m| {
        when(m.shape_of(m.inputs[0]) == &m.aval.shape)?;
        Some(m.inputs[0].into())
    }),
    rule("dynamic-slice-known", Exact, ANY, &[C::DynamicSlice], "a dynamic slice at known starts is a slice", |m| {
        let shape = m.shape_of(m.inputs[0]);
        let starts = known_starts(m, &m.inputs[1..], shape, &m.aval.shape)?;
        let limits = starts.iter().zip(m.aval.shape.iter()).map(|(s, e)| s + e).collect();
        Some(Term::apply(Op::Slice(Slice { starts, limits, strides: vec![1; shape.rank()] }), [m.inputs[0].into()]))
    }),
    rule("dynamic-update-whole", Exact, ANY, &[C::DynamicUpdateSlice], "replacing everything == the update", |m| {
        when(m.shape_of(m.inputs[1]) == &m.aval.shape)?;
        Some(m.inputs[1].into())
    }),
    rule("dynamic-update-nothing", Exact, ANY, &[C::DynamicUpdateSlice], "replacing nothing == x", |m| {
        when(m.aval_of(m.inputs[1]).size() == 0)?;
        Some(m.inputs[0].into())
    }),
    rule(
        "dynamic-slice-of-update",
        Exact,
        ANY,
        &[C::DynamicSlice],
        "reading what was just written == the update",
        |m| {
            let inner = m.definition(m.inputs[0], Code::DynamicUpdateSlice)?;
            when(m.shape_of(inner.inputs[1]) == &m.aval.shape && inner.inputs[2..] == m.inputs[1..])?;
            Some(inner.inputs[1].into())
        },
    ),
    rule(
        "dynamic-update-of-slice",
        Exact,
        ANY,
        &[C::DynamicUpdateSlice],
        "writing back what was just read == x",
        |m| {
            let inner = m.definition(m.inputs[1], C::DynamicSlice)?;
            when(inner.inputs[0] == m.inputs[0] && inner.inputs[1..] == m.inputs[2..])?;
            Some(m.inputs[0].into())
        },
    ),
    rule(
        "dynamic-update-twice",
        Exact,
        ANY,
        &[C::DynamicUpdateSlice],
        "of two updates at one place the second counts",
        |m| {
            let inner = m.definition(m.inputs[0], C::DynamicUpdateSlice)?;
            when(m.shape_of(inner.inputs[1]) == m.shape_of(m.inputs[1]) && inner.inputs[2..] == m.inputs[2..])?;
            let mut inputs: Vec<Term> = m.inputs.iter().map(|&x| x.into()).collect();
            inputs[0] = inner.inputs[0].into();
            Some(Term::apply(m.op.clone(), inputs))
        },
    ),
];
