//! Slices with static bounds.

/// Parameters of `slice`; one entry for each axis.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slice {
    /// First index.
    pub starts: Vec<usize>,
    /// One past the last index.
    pub limits: Vec<usize>,
    /// Steps, at least 1.
    pub strides: Vec<usize>,
}
