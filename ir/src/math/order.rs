//! Comparisons of elements.

use std::cmp::Ordering;

use crate::op::{Compare, ScalarSemantics};

/// The result of a comparison op.
pub fn compare<T: ScalarSemantics>(op: Compare, x: T, y: T) -> bool {
    match op {
        Compare::Eq => x == y,
        Compare::Ne => x != y,
        Compare::Lt => x.partial_order(y) == Some(Ordering::Less),
        Compare::Le => matches!(x.partial_order(y), Some(Ordering::Less | Ordering::Equal)),
        Compare::Gt => x.partial_order(y) == Some(Ordering::Greater),
        Compare::Ge => matches!(x.partial_order(y), Some(Ordering::Greater | Ordering::Equal)),
        Compare::EqTo => x.total_order(y) == Ordering::Equal,
        Compare::LtTo => x.total_order(y) == Ordering::Less,
        Compare::LeTo => x.total_order(y) != Ordering::Greater,
    }
}

/// The total order of IEEE 754: -NaN < -inf < -0 < 0 < inf < NaN.
pub fn total_compare<T: ScalarSemantics>(x: T, y: T) -> Ordering {
    x.total_order(y)
}

/// The order of `sort`: NaN of either sign last, -0 equal to 0, complex numbers lexicographic.
pub fn sort_compare<T: ScalarSemantics>(x: T, y: T) -> Ordering {
    x.sort_order(y)
}
