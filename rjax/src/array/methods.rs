//! Methods: elementwise functions, shapes and products, as in `jax.Array`. Each does what the function of the same name in
//! [`numpy`](crate::numpy) does.

use rjax_ir::{Aval, DType, ErrorKind, Result, Shape};

use super::{Array, Operand};
use crate::{lax, nn, numpy};

macro_rules! unary_methods {
    ($($name:ident $path:path, $doc:literal;)*) => {
        impl Array {$(
            #[doc = $doc]
            #[track_caller]
            pub fn $name(&self) -> Array {
                $path(self)
            }
        )*}
    };
}

unary_methods! {
    abs numpy::abs, "The absolute value.";
    acos numpy::acos, "The inverse cosine.";
    acosh numpy::acosh, "The inverse hyperbolic cosine.";
    asin numpy::asin, "The inverse sine.";
    asinh numpy::asinh, "The inverse hyperbolic sine.";
    atan numpy::atan, "The inverse tangent.";
    atanh numpy::atanh, "The inverse hyperbolic tangent.";
    cbrt numpy::cbrt, "The cube root.";
    ceil numpy::ceil, "The smallest integer not below.";
    conj numpy::conj, "The complex conjugate.";
    cos numpy::cos, "The cosine.";
    cosh numpy::cosh, "The hyperbolic cosine.";
    erf lax::erf, "The error function.";
    exp numpy::exp, "The exponential.";
    exp2 numpy::exp2, "2 to the power x.";
    expm1 numpy::expm1, "`exp(x) - 1`, accurate near 0.";
    floor numpy::floor, "The largest integer not above.";
    imag numpy::imag, "The imaginary part.";
    isfinite numpy::isfinite, "Whether neither NaN nor infinite.";
    isnan numpy::isnan, "Whether NaN.";
    log numpy::log, "The natural logarithm.";
    log10 numpy::log10, "The logarithm to base 10.";
    log1p numpy::log1p, "`log(1 + x)`, accurate near 0.";
    log2 numpy::log2, "The logarithm to base 2.";
    matrix_transpose numpy::matrix_transpose, "The last two axes swapped.";
    ravel numpy::ravel, "All elements in one axis.";
    flatten numpy::ravel, "All elements in one axis.";
    real numpy::real, "The real part.";
    reciprocal numpy::reciprocal, "`1 / x`.";
    relu nn::relu, "`max(x, 0)`, with derivative 0 at 0.";
    round numpy::rint, "The nearest integer, ties to even.";
    rsqrt lax::rsqrt, "`1 / sqrt(x)`.";
    sigmoid nn::sigmoid, "`1 / (1 + exp(-x))`.";
    sign numpy::sign, "-1, 0 or 1.";
    sin numpy::sin, "The sine.";
    sinh numpy::sinh, "The hyperbolic sine.";
    sqrt numpy::sqrt, "The square root.";
    square numpy::square, "`x * x`.";
    squeeze numpy::squeeze, "All axes of extent 1 removed.";
    tan numpy::tan, "The tangent.";
    tanh numpy::tanh, "The hyperbolic tangent.";
}

macro_rules! binary_methods {
    ($($name:ident $path:path, $doc:literal;)*) => {
        impl Array {$(
            #[doc = $doc]
            #[track_caller]
            pub fn $name(&self, y: impl Operand) -> Array {
                $path(self, y)
            }
        )*}
    };
}

binary_methods! {
    eq numpy::equal, "Whether equal, elementwise; false for NaN.";
    ne numpy::not_equal, "Whether not equal, elementwise; true for NaN.";
    lt numpy::less, "Whether less, elementwise.";
    le numpy::less_equal, "Whether less or equal, elementwise.";
    gt numpy::greater, "Whether greater, elementwise.";
    ge numpy::greater_equal, "Whether greater or equal, elementwise.";
    maximum numpy::maximum, "The greater, elementwise; NaN wins.";
    minimum numpy::minimum, "The lesser, elementwise; NaN wins.";
    pow numpy::power, "x to the power y, elementwise.";
    atan2 numpy::arctan2, "The angle of the point (y, x).";
    dot numpy::dot, "The dot product: sums over the last axis of x and the second to last of y.";
}

/// A shape in which one extent may be -1: whatever fits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shape",
    note = "a shape is an array, vector or slice of integers; in an array of i32 or isize one may be -1"
)]
pub trait IntoShape {
    /// The shape for the elements of an array of this type.
    fn fit(self, of: &Aval) -> Result<Shape>;
}

impl IntoShape for Shape {
    fn fit(self, of: &Aval) -> Result<Shape> {
        rjax_ir::ensure!(
            self.size() == of.size(),
            Shape,
            "reshape: shape {self} has {} elements, an array of type {of} has {}",
            self.size(),
            of.size()
        );
        Ok(self)
    }
}

fn fit_signed(extents: &[isize], of: &Aval) -> Result<Shape> {
    let free = extents.iter().filter(|&&extent| extent == -1).count();
    let negative = extents.iter().any(|&extent| extent < -1);
    rjax_ir::ensure!(free <= 1 && !negative, Parameter, "reshape: found extents {extents:?}, expected one -1 at most");
    let known: usize = extents.iter().filter(|&&extent| extent != -1).map(|&extent| extent as usize).product();
    let fits = known > 0 && of.size().is_multiple_of(known);
    rjax_ir::ensure!(
        free == 0 || fits,
        Shape,
        "reshape: {} elements of an array of type {of} do not fit into extents {extents:?}",
        of.size()
    );
    let extent = |&extent: &isize| if extent == -1 { of.size() / known } else { extent as usize };
    extents.iter().map(extent).collect::<Shape>().fit(of)
}

macro_rules! shapes {
    ($($type:ty)*) => {$(
        impl<const N: usize> IntoShape for [$type; N] {
            fn fit(self, of: &Aval) -> Result<Shape> {
                fit_signed(&self.map(|extent| extent as isize), of)
            }
        }

        impl IntoShape for &[$type] {
            fn fit(self, of: &Aval) -> Result<Shape> {
                fit_signed(&self.iter().map(|&extent| extent as isize).collect::<Vec<_>>(), of)
            }
        }

        impl IntoShape for Vec<$type> {
            fn fit(self, of: &Aval) -> Result<Shape> {
                self[..].fit(of)
            }
        }
    )*};
}

shapes!(i32 isize usize);

impl Array {
    /// The elements as another dtype, as [`lax::convert_element_type`].
    #[track_caller]
    pub fn astype(&self, dtype: DType) -> Array {
        lax::convert_element_type(self, dtype)
    }

    /// The same elements under another shape; one extent may be -1, which stands for whatever fits.
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Array {
        numpy::reshape(self, shape)
    }

    /// The axes in the order given; an empty list reverses them.
    #[track_caller]
    pub fn transpose(&self, axes: &[isize]) -> Array {
        numpy::transpose(self, axes)
    }

    /// All axes reversed: the transpose of a matrix.
    #[track_caller]
    pub fn t(&self) -> Array {
        numpy::transpose(self, &[])
    }

    /// Two axes swapped.
    #[track_caller]
    pub fn swapaxes(&self, a: isize, b: isize) -> Array {
        numpy::swapaxes(self, a, b)
    }

    /// A new axis of extent 1 at this position of the result.
    #[track_caller]
    pub fn expand_dims(&self, axis: isize) -> Array {
        numpy::expand_dims(self, axis)
    }

    /// One axis of extent 1 removed.
    #[track_caller]
    pub fn squeeze_axis(&self, axis: isize) -> Array {
        lax::squeeze(self, &[axis])
    }

    /// Repeated to a shape that this one broadcasts to.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Array {
        numpy::broadcast_to(self, shape)
    }

    /// The matrix product, leading axes broadcast.
    #[track_caller]
    pub fn matmul(&self, y: impl Operand) -> Array {
        numpy::matmul(self, &y.into_array())
    }

    /// x to a fixed integer power.
    #[track_caller]
    pub fn powi(&self, exponent: i32) -> Array {
        numpy::power(self, exponent)
    }

    /// In ascending order along an axis; NaN last.
    #[track_caller]
    pub fn sort(&self, axis: isize) -> Array {
        numpy::sort(self, axis)
    }

    /// The indices that sort an axis.
    #[track_caller]
    pub fn argsort(&self, axis: isize) -> Array {
        numpy::argsort(self, axis)
    }

    /// Elements along an axis at computed indices; NaN, or the dtype's fill value, outside.
    #[track_caller]
    pub fn take(&self, indices: impl Operand, axis: isize) -> Array {
        numpy::take(self, indices, axis, numpy::TakeMode::Fill)
    }

    /// Each element this many times in a row along an axis.
    #[track_caller]
    pub fn repeat(&self, count: usize, axis: isize) -> Array {
        numpy::repeat(self, count, axis)
    }

    /// The k-th diagonal of the first two axes.
    #[track_caller]
    pub fn diagonal(&self, k: i64) -> Array {
        numpy::diagonal(self, k, 0, 1)
    }

    /// The sum of the diagonal of the last two axes.
    #[track_caller]
    pub fn trace(&self) -> Array {
        numpy::trace(self, 0)
    }

    /// A softmax along an axis.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Array {
        nn::softmax(self, axis)
    }

    /// Refuses an array whose shape is not the expected one; a check to write into code.
    #[track_caller]
    pub fn expect_shape(&self, shape: impl Into<Shape>) -> &Array {
        let shape = shape.into();
        if self.shape() != shape {
            crate::error::fail_with(
                ErrorKind::Shape,
                format!("expect_shape: found {}, expected shape {shape}", self.aval()),
            )
        }
        self
    }
}
