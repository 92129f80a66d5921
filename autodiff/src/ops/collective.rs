//! Derivatives of communication along named axes.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Collective, Compare, Op};

/// The tangent of `y = pmax(x)` or `pmin(x)`: that of the participant whose x is the extreme, split evenly among ties.
pub(crate) fn extreme(b: &mut Builder, axes: &[Arc<str>], x: Atom, y: Atom, t: Atom) -> Atom {
    let wins = b.compare(Compare::Eq, x, y);
    let share = b.convert(wins, b.dtype(t));
    let psum = Op::Collective(Collective::Psum { axes: axes.to_vec() });
    let count = b.emit1(psum.clone(), &[share]);
    let part = b.mul(t, share);
    let sum = b.emit1(psum, &[part]);
    b.div(sum, count)
}
