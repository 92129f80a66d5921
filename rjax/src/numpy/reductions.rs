//! Reductions, running reductions and statistics.

use rjax_ir::{DType, ErrorKind, Shape};

use crate::array::{Array, Axes, Kind, promote_inexact};
use crate::error::{check, fail_with};
use crate::lax;

use super::logic::truth;

/// The reduced axes of an array, and the shape that keeps them.
struct Plan {
    axes: Vec<usize>,
    kept: Shape,
    keep: bool,
}

#[track_caller]
fn plan(function: &str, x: &Array, axes: impl Axes) -> Plan {
    let shape = x.shape();
    let resolved = check(axes.resolve(function, shape.rank()));
    let kept = (0..shape.rank()).map(|axis| if resolved.contains(&axis) { 1 } else { shape[axis] }).collect();
    Plan { axes: resolved, kept, keep: axes.keep() }
}

impl Plan {
    #[track_caller]
    fn finish(&self, reduced: Array) -> Array {
        if self.keep { reduced.reshape(self.kept.clone()) } else { reduced }
    }

    fn count(&self, x: &Array) -> usize {
        self.axes.iter().map(|&axis| x.shape()[axis]).product()
    }
}

/// The dtype in which integers and bool are summed: 32 bits unless they are wider.
fn sum_dtype(dtype: DType) -> DType {
    match Kind::of(dtype) {
        Kind::Bool => DType::I32,
        Kind::Int if dtype.size() < 4 => {
            if dtype.is_unsigned_integer() {
                DType::U32
            } else {
                DType::I32
            }
        }
        Kind::Int | Kind::Float | Kind::Complex => dtype,
    }
}

/// The sum over axes.
#[track_caller]
pub fn sum(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("sum", x, axes);
    let x = x.converted(sum_dtype(x.dtype()), x.is_weak());
    plan.finish(lax::reduce_sum(&x, &plan.axes))
}

/// The product over axes.
#[track_caller]
pub fn prod(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("prod", x, axes);
    let x = x.converted(sum_dtype(x.dtype()), x.is_weak());
    plan.finish(lax::reduce_prod(&x, &plan.axes))
}

#[track_caller]
fn require_elements(function: &str, x: &Array, plan: &Plan) {
    if plan.count(x) == 0 {
        fail_with(
            ErrorKind::Shape,
            format!("{function}: no elements to choose from along axes {:?} of {}", plan.axes, x.aval()),
        )
    }
}

/// The maximum over axes; NaN wins.
#[track_caller]
pub fn max(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("max", x, axes);
    require_elements("max", x, &plan);
    plan.finish(lax::reduce_max(x, &plan.axes))
}

/// The minimum over axes; NaN wins.
#[track_caller]
pub fn min(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("min", x, axes);
    require_elements("min", x, &plan);
    plan.finish(lax::reduce_min(x, &plan.axes))
}

/// Maximum minus minimum over axes.
#[track_caller]
pub fn ptp(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("ptp", x, axes);
    require_elements("ptp", x, &plan);
    plan.finish(lax::reduce_max(x, &plan.axes) - lax::reduce_min(x, &plan.axes))
}

/// The mean over axes. Means of f16 and bf16 are computed in f32.
#[track_caller]
pub fn mean(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("mean", x, axes);
    let x = promote_inexact("mean", &[x]).remove(0);
    plan.finish(mean_over(&x, &plan))
}

#[track_caller]
fn mean_over(x: &Array, plan: &Plan) -> Array {
    let wide = x.converted(x.dtype().accumulator(), x.is_weak());
    let mean = lax::reduce_sum(&wide, &plan.axes) / plan.count(x);
    mean.converted(x.dtype(), x.is_weak())
}

/// The variance over axes: the mean of squared distances from the mean.
#[track_caller]
pub fn var(x: &Array, axes: impl Axes) -> Array {
    var_ddof(x, axes, 0)
}

/// The variance over axes with the sum divided by the number of elements less `ddof`.
#[track_caller]
pub fn var_ddof(x: &Array, axes: impl Axes, ddof: usize) -> Array {
    let plan = plan("var", x, axes);
    let x = promote_inexact("var", &[x]).remove(0);
    let wide = x.converted(x.dtype().accumulator(), x.is_weak());
    let centered = &wide - mean_over(&wide, &plan).reshape(plan.kept.clone());
    let squares = if x.dtype().is_complex() {
        lax::real(lax::mul(&centered, lax::conj(&centered)))
    } else {
        lax::square(&centered)
    };
    let variance = lax::reduce_sum(&squares, &plan.axes) / (plan.count(&x) as f64 - ddof as f64);
    plan.finish(variance.converted(x.dtype().real(), x.is_weak()))
}

/// The standard deviation over axes.
#[track_caller]
pub fn std(x: &Array, axes: impl Axes) -> Array {
    lax::sqrt(var(x, axes))
}

/// Whether all elements along axes are true.
#[track_caller]
pub fn all(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("all", x, axes);
    plan.finish(lax::reduce_and(&truth(x.clone()), &plan.axes))
}

/// Whether some element along axes is true.
#[track_caller]
pub fn any(x: &Array, axes: impl Axes) -> Array {
    let plan = plan("any", x, axes);
    plan.finish(lax::reduce_or(&truth(x.clone()), &plan.axes))
}

/// How many elements along axes are not zero.
#[track_caller]
pub fn count_nonzero(x: &Array, axes: impl Axes) -> Array {
    sum(&truth(x.clone()), axes)
}

/// The mean over axes with weights: of x's shape, or a vector along a single axis. JAX: `numpy.average`.
#[track_caller]
pub fn average(x: &Array, axes: impl Axes, weights: &Array) -> Array {
    let over = super::nan::Over::new("average", x, axes);
    let weights = match over.axes[..] {
        [axis] if weights.ndim() == 1 && weights.size() == x.shape()[axis] => {
            let mut shape = vec![1; x.ndim()];
            shape[axis] = weights.size();
            lax::reshape(weights, shape)
        }
        _ => weights.clone(),
    };
    let together = crate::array::broadcast_shapes("average", &[x.shape(), weights.shape()]);
    if check(together) != x.shape() {
        fail_with(
            ErrorKind::Shape,
            format!(
                "average: the weights have type {}, expected the shape of {}, or a vector along one axis",
                weights.aval(),
                x.aval()
            ),
        )
    }
    let weights = weights.broadcasted(&x.shape());
    over.finish(&(sum(&(x * &weights), over.kept()) / sum(&weights, over.kept())))
}

#[track_caller]
fn require_extent(function: &str, x: &Array, axis: isize) {
    let axis = check(lax::resolve_axis(function, axis, x.ndim()));
    if x.shape()[axis] == 0 {
        fail_with(ErrorKind::Shape, format!("{function}: no elements to choose from along axis {axis} of {}", x.aval()))
    }
}

/// The position of the maximum along an axis, as `i32`; the first NaN wins, ties go to the first.
#[track_caller]
pub fn argmax(x: &Array, axis: isize) -> Array {
    require_extent("argmax", x, axis);
    lax::argmax(x, axis, DType::I32)
}

/// The position of the minimum along an axis, as `i32`; the first NaN wins, ties go to the first.
#[track_caller]
pub fn argmin(x: &Array, axis: isize) -> Array {
    require_extent("argmin", x, axis);
    lax::argmin(x, axis, DType::I32)
}

/// Running sums along an axis.
#[track_caller]
pub fn cumsum(x: &Array, axis: isize) -> Array {
    lax::cumsum(&x.converted(if x.dtype() == DType::Bool { DType::I32 } else { x.dtype() }, x.is_weak()), axis, false)
}

/// Running products along an axis.
#[track_caller]
pub fn cumprod(x: &Array, axis: isize) -> Array {
    lax::cumprod(&x.converted(if x.dtype() == DType::Bool { DType::I32 } else { x.dtype() }, x.is_weak()), axis, false)
}

/// Differences of neighbours along an axis, n times.
#[track_caller]
pub fn diff(x: &Array, n: usize, axis: isize) -> Array {
    let mut x = x.clone();
    for _ in 0..n {
        let extent = x.shape()[check(lax::resolve_axis("diff", axis, x.ndim()))];
        let later = lax::slice_in_dim(&x, extent.min(1), extent, axis);
        let earlier = lax::slice_in_dim(&x, 0, extent.saturating_sub(1), axis);
        x = if x.dtype() == DType::Bool { later.ne(&earlier) } else { later - earlier };
    }
    x
}

/// The maximum over axes; NaN wins. JAX: `numpy.amax`.
#[track_caller]
pub fn amax(x: &Array, axes: impl Axes) -> Array {
    max(x, axes)
}

/// The minimum over axes; NaN wins. JAX: `numpy.amin`.
#[track_caller]
pub fn amin(x: &Array, axes: impl Axes) -> Array {
    min(x, axes)
}
