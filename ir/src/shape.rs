//! Shapes and abstract values.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

use crate::DType;

/// The extents of an array, outermost axis first. Row-major order is implied everywhere in the IR.
///
/// ```
/// use rjax_ir::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!((shape.rank(), shape.size()), (2, 6));
/// assert_eq!(shape.strides()[..], [3, 1]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shape(SmallVec<[usize; 6]>);

impl Shape {
    /// The shape of a scalar: rank 0, one element.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements: 1 for a scalar, 0 where any extent is 0.
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// Row-major strides, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis] * self[axis];
        }
        strides
    }

    /// This shape without the given axes.
    pub fn without(&self, axes: &[usize]) -> Shape {
        (0..self.rank()).filter(|axis| !axes.contains(axis)).map(|axis| self[axis]).collect()
    }

    /// This shape with an extent inserted so that it becomes axis `axis`.
    pub fn with_axis(&self, axis: usize, extent: usize) -> Shape {
        let mut dims = self.0.clone();
        dims.insert(axis, extent);
        Shape(dims)
    }

    /// This shape with axis `axis` given another extent.
    pub fn with_extent(&self, axis: usize, extent: usize) -> Shape {
        let mut dims = self.0.clone();
        dims[axis] = extent;
        Shape(dims)
    }

    /// All multi-indices in row-major order; one empty index for a scalar.
    pub fn indices(&self) -> Indices {
        Indices { shape: self.clone(), next: (self.size() > 0).then(|| vec![0; self.rank()]) }
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Shape {
        Shape(SmallVec::from_slice(&dims))
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(dims))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Shape {
        Shape(SmallVec::from_vec(dims))
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Shape {
        Shape(dims.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (axis, extent) in self.0.iter().enumerate() {
            if axis > 0 {
                f.write_str(",")?;
            }
            write!(f, "{extent}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Iterator over the multi-indices of a shape; see [`Shape::indices`].
pub struct Indices {
    shape: Shape,
    next: Option<Vec<usize>>,
}

impl Iterator for Indices {
    type Item = Vec<usize>;
    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        let mut following = current.clone();
        for axis in (0..self.shape.rank()).rev() {
            following[axis] += 1;
            if following[axis] < self.shape[axis] {
                self.next = Some(following);
                break;
            }
            following[axis] = 0;
        }
        Some(current)
    }
}

/// An abstract value: what is known of an array before it is computed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aval {
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: Shape,
}

impl Aval {
    /// An abstract value from its parts.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Aval {
        Aval { dtype, shape: shape.into() }
    }

    /// A scalar of this dtype.
    pub fn scalar(dtype: DType) -> Aval {
        Aval { dtype, shape: Shape::scalar() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// The number of bytes when stored densely.
    pub fn bytes(&self) -> usize {
        self.size() * self.dtype.size()
    }

    /// The same shape with another dtype.
    pub fn with_dtype(&self, dtype: DType) -> Aval {
        Aval { dtype, shape: self.shape.clone() }
    }

    /// The same dtype with another shape.
    pub fn with_shape(&self, shape: impl Into<Shape>) -> Aval {
        Aval { dtype: self.dtype, shape: shape.into() }
    }
}

impl fmt::Display for Aval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shape.rank() == 0 { write!(f, "{}[]", self.dtype) } else { write!(f, "{}{}", self.dtype, self.shape) }
    }
}

impl fmt::Debug for Aval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
