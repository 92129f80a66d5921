//! Kernels over the same rows become one, so that a row is read from memory once and written once.
//!
//! A softmax is a maximum and exponentials over each row, and then a sum and quotients over each row: two kernels, because every
//! exponential is needed twice. Iteration `i` of the second reads only what iteration `i` of the first wrote. So the two bodies run one
//! after the other on each row, while it is in the first level of cache, and what lies between them needs room for one row:
//!
//! ```text
//! for i { m = max over j of x[i, j]; for j { e[i, j] = exp(x[i, j] - m) } }
//! for i { s = sum over j of e[i, j]; for j { y[i, j] = e[i, j] / s } }
//!
//! for i { m = …; for j { e[j] = … }; s = sum over j of e[j]; for j { y[i, j] = e[j] / s } }
//! ```
//!
//! A later kernel joins an earlier one if all it reads is there by then, or is of the same row of the earlier one's results.

mod pair;

use std::collections::HashSet;

use crate::fuse::Fusion;
use crate::graph::{Graph, ValueId};
use crate::kir::Kernel;
use crate::lower::Lowered;
use crate::schedule::{Work, memory_root};
use pair::{join, may_join, privatize};

/// How many of the following steps are looked at for kernels that could join one.
const WINDOW: usize = 24;

/// Joins the kernels of a region. `kernels` are those that the work names.
pub(crate) fn join_rows(graph: &Graph<'_>, fusion: &Fusion, work: &mut Vec<Work>, kernels: &mut Vec<Kernel>) {
    let mut at = 0;
    while at < work.len() {
        let mut joined: Option<Lowered> = None;
        let mut next = at + 1;
        while next < work.len().min(at + 1 + WINDOW) {
            let first = match &joined {
                Some(first) => Some((&first.kernel, &first.args[..])),
                None => launched(&work[at], kernels),
            };
            let both = first.zip(launched(&work[next], kernels)).and_then(|(first, second)| {
                let fit = may_join(first, second) && is_ready(graph, fusion, second.1, &work[at + 1..next]);
                fit.then(|| join(&owned(first), &owned(second))).flatten()
            });
            if both.is_some() {
                joined = both;
                work.remove(next);
            } else {
                next += 1;
            }
        }
        if let Some(first) = joined {
            let read = read_by_others(graph, fusion, work, at);
            let first = privatize(first, |value| {
                let is_forced = graph.producer(value).is_none_or(|producer| fusion.forced[producer.index()]);
                !is_forced && !read.contains(&value)
            });
            work[at] = Work::launch(first, kernels);
        }
        at += 1;
    }
}

/// A kernel and its arguments.
type Launched<'a> = (&'a Kernel, &'a [ValueId]);

fn owned((kernel, args): Launched<'_>) -> Lowered {
    Lowered { kernel: kernel.clone(), args: args.to_vec() }
}

fn launched<'a>(work: &'a Work, kernels: &'a [Kernel]) -> Option<Launched<'a>> {
    match work {
        Work::Launch { kernel, args, .. } => Some((&kernels[kernel.index()], args)),
        Work::Update { .. }
        | Work::Copy { .. }
        | Work::Gemm(_)
        | Work::Accumulate(_)
        | Work::Conv(_)
        | Work::Transpose(_)
        | Work::Sort(_)
        | Work::TopK(_)
        | Work::Library(_)
        | Work::Print(_)
        | Work::Cond { .. }
        | Work::While { .. }
        | Work::Scan { .. }
        | Work::Rows { .. } => None,
    }
}

/// Whether nothing that a kernel reads comes from the steps between.
fn is_ready(graph: &Graph<'_>, fusion: &Fusion, args: &[ValueId], between: &[Work]) -> bool {
    let reads: HashSet<ValueId> = args.iter().map(|&value| memory_root(graph, fusion, value)).collect();
    between.iter().all(|work| !work.results(graph).into_iter().any(|value| reads.contains(&value)))
}

/// The values that the kernels of the other steps read. What other kinds of steps, or other regions, read is forced to be in memory.
fn read_by_others(graph: &Graph<'_>, fusion: &Fusion, work: &[Work], at: usize) -> HashSet<ValueId> {
    let mut read = HashSet::new();
    for (_, step) in work.iter().enumerate().filter(|&(i, _)| i != at) {
        match step {
            Work::Launch { args, .. } | Work::Update { args, .. } => {
                read.extend(args.iter().map(|&value| memory_root(graph, fusion, value)));
            }
            Work::Copy { .. }
            | Work::Gemm(_)
            | Work::Accumulate(_)
            | Work::Conv(_)
            | Work::Transpose(_)
            | Work::Sort(_)
            | Work::TopK(_)
            | Work::Library(_)
            | Work::Print(_)
            | Work::Cond { .. }
            | Work::While { .. }
            | Work::Scan { .. }
            | Work::Rows { .. } => {}
        }
    }
    read
}
