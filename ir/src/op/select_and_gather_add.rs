//! The derivative of max and min pooling.

use crate::Window;

/// Parameters of `select_and_gather_add`: `(tangents, operand) -> y`. Each window yields the tangent at the position where the
/// operand is greatest (or least); ties go to the first position; padding is never selected unless the window holds nothing else.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectAndGatherAdd {
    /// Greatest, else least.
    pub largest: bool,
    /// The window.
    pub window: Window,
}
