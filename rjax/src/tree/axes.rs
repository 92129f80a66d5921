//! Axes as trees: which axis of each leaf `vmap` maps over.
//!
//! A specification is a prefix of the tree it belongs to: one axis for a whole subtree, or a bracketed list with one
//! entry for each child.
//!
//! ```
//! use rjax::prelude::*;
//! // First argument as it is; of the second, a pair, the first member by rows and the second by columns.
//! let _spec: [Axis; 2] = axes![_, [0, 1]];
//! ```

use std::fmt::Debug;

use rjax_ir::{Error, ErrorKind, Result};

use super::{Label, Visitor, paths_of, structure_of};
use crate::Array;

/// An axis for a subtree, or axes for its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Not mapped: the same value for every element of the batch.
    None,
    /// Mapped over this axis; negative counts from the end.
    At(isize),
    /// One specification for each child, in order.
    Children(Vec<Axis>),
}

impl From<isize> for Axis {
    fn from(axis: isize) -> Axis {
        Axis::At(axis)
    }
}

impl From<i32> for Axis {
    fn from(axis: i32) -> Axis {
        Axis::At(axis as isize)
    }
}

impl From<usize> for Axis {
    fn from(axis: usize) -> Axis {
        Axis::At(axis as isize)
    }
}

impl From<Option<usize>> for Axis {
    fn from(axis: Option<usize>) -> Axis {
        axis.map_or(Axis::None, Axis::from)
    }
}

impl<const N: usize> From<[Axis; N]> for Axis {
    fn from(children: [Axis; N]) -> Axis {
        Axis::Children(children.into())
    }
}

/// Axes for `vmap` and argument sets for `donate`: `axes![_, 0, [0, _]]` has one entry for each argument; `_` leaves an
/// argument out, a bracketed list has one entry for each child of the argument.
#[macro_export]
macro_rules! axes {
    ($($spec:tt),* $(,)?) => { [$($crate::axis!($spec)),*] };
}

/// One entry of [`axes!`](crate::axes): an [`Axis`].
#[macro_export]
macro_rules! axis {
    (_) => {
        $crate::tree::Axis::None
    };
    ([$($spec:tt),* $(,)?]) => {
        $crate::tree::Axis::Children(::std::vec![$($crate::axis!($spec)),*])
    };
    ($axis:expr) => {
        $crate::tree::Axis::from($axis)
    };
}

/// The axis of each leaf of a walked tree, with negative axes resolved against `rank`, the rank that the axis counts in.
pub(crate) fn resolve<'a>(
    function: &str,
    spec: &Axis,
    walk: impl Fn(&mut dyn Visitor<'a>),
    rank: impl Fn(&Array) -> usize,
) -> Result<Vec<Option<usize>>> {
    let mut spread =
        Spread { stack: vec![(std::slice::from_ref(spec), 0)], axes: Vec::new(), leaves: Vec::new(), misfit: None };
    walk(&mut spread);
    if let Some((found, expected)) = spread.misfit {
        rjax_ir::bail!(
            Structure,
            "{function}: a list of {found} axes was given for a node with {expected} children of the tree {}",
            structure_of(&walk)
        );
    }
    let one = |(i, (axis, leaf)): (usize, (&Axis, &&Array))| match axis {
        Axis::None => Ok(None),
        Axis::At(at) => {
            let rank = rank(leaf);
            let resolved = if *at < 0 { *at + rank as isize } else { *at };
            if (0..rank as isize).contains(&resolved) {
                return Ok(Some(resolved as usize));
            }
            let path = &paths_of(&walk)[i];
            let name = if path.is_empty() { String::new() } else { format!(" at {path}") };
            Err(Error::new(
                ErrorKind::Parameter,
                format!("{function}: axis {at} is out of range for the leaf{name} of type {}", leaf.aval()),
            ))
        }
        Axis::Children(_) => Err(Error::new(
            ErrorKind::Structure,
            format!("{function}: a list of axes was given for an array; the tree is {}", structure_of(&walk)),
        )),
    };
    spread.axes.iter().zip(&spread.leaves).enumerate().map(one).collect()
}

/// Spreads a prefix tree of axes over the leaves.
struct Spread<'s, 'a> {
    /// For each open node the specifications of its children (one for all of them, or one for each) and the next child.
    stack: Vec<(&'s [Axis], usize)>,
    axes: Vec<Axis>,
    leaves: Vec<&'a Array>,
    misfit: Option<(usize, usize)>,
}

impl<'s> Spread<'s, '_> {
    fn current(&self) -> &'s Axis {
        let &(specs, next) = self.stack.last().expect("the walk is balanced");
        match specs {
            [one] => one,
            many => many.get(next.saturating_sub(1)).unwrap_or(&Axis::None),
        }
    }
}

impl<'a> Visitor<'a> for Spread<'_, 'a> {
    fn leaf(&mut self, array: &'a Array) {
        self.axes.push(self.current().clone());
        self.leaves.push(array);
    }

    fn open(&mut self, _: &'static str, children: usize) {
        match self.current() {
            Axis::Children(specs) => {
                if specs.len() != children && self.misfit.is_none() {
                    self.misfit = Some((specs.len(), children));
                }
                self.stack.push((specs, 0));
            }
            whole @ (Axis::None | Axis::At(_)) => self.stack.push((std::slice::from_ref(whole), 0)),
        }
    }

    fn child(&mut self, _: Label<'_>) {
        self.stack.last_mut().expect("a child has a parent").1 += 1;
    }

    fn close(&mut self) {
        self.stack.pop();
    }

    fn fixed(&mut self, _: &dyn Debug) {}
}
