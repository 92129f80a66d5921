//! Initial weights: functions of a key, a shape and a dtype.
//!
//! An [`Initializer`] is a description; [`Initializer::init`] draws from it. The numbers are JAX's.
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::nn::initializers;
//! let w = initializers::glorot_normal().init(&Key::new(0), [3, 4], DType::F32);
//! assert_eq!(w.shape()[..], [3, 4]);
//! ```

use rjax_ir::{DType, ErrorKind, PadDim, Shape};

use crate::array::Array;
use crate::error::{check, fail_with};
use crate::random::{self, Key};
use crate::{lax, numpy};

/// What the variance of weights is divided by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fan {
    /// The number of inputs of a unit.
    In,
    /// The number of outputs of a unit.
    Out,
    /// The arithmetic mean of both.
    Average,
    /// The geometric mean of both.
    GeometricAverage,
}

/// How weights are distributed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Distribution {
    /// Normal, cut off at two standard deviations.
    TruncatedNormal,
    /// Normal.
    Normal,
    /// Uniform, centred at 0.
    Uniform,
}

/// Which axes count as inputs, outputs and batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FanAxes {
    /// Axes of inputs.
    pub inputs: Vec<isize>,
    /// Axes of outputs.
    pub outputs: Vec<isize>,
    /// Axes that count as neither.
    pub batch: Vec<isize>,
}

impl Default for FanAxes {
    fn default() -> FanAxes {
        FanAxes { inputs: vec![-2], outputs: vec![-1], batch: vec![] }
    }
}

/// A rule for initial weights.
#[derive(Clone, PartialEq, Debug)]
pub enum Initializer {
    /// One value everywhere.
    Constant(f64),
    /// Uniform in `0..scale`.
    Uniform {
        /// The upper bound.
        scale: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        stddev: f64,
    },
    /// Normal with mean 0, cut off.
    TruncatedNormal {
        /// The standard deviation before cutting off.
        stddev: f64,
        /// The lower bound, in standard deviations.
        lower: f64,
        /// The upper bound, in standard deviations.
        upper: f64,
    },
    /// Mean 0 and a variance that fits the numbers of inputs and outputs.
    VarianceScaling {
        /// The variance times the divisor.
        scale: f64,
        /// The divisor.
        fan: Fan,
        /// The distribution.
        distribution: Distribution,
        /// Which axes are which.
        axes: FanAxes,
    },
    /// Orthonormal rows or columns, whichever are fewer, once all axes but one are taken as one.
    Orthogonal {
        /// The length of rows or columns.
        scale: f64,
        /// The axis that stays.
        column_axis: isize,
    },
    /// Convolution kernels, features last, that are zero but for an orthogonal matrix in the centre.
    DeltaOrthogonal {
        /// The length of the matrix's columns.
        scale: f64,
        /// The axis of the matrix that stays.
        column_axis: isize,
    },
}

impl Initializer {
    /// Draws an array of weights.
    #[track_caller]
    pub fn init(&self, key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
        let shape = shape.into();
        match self {
            Initializer::Constant(value) => lax::full(shape, *value, dtype),
            Initializer::Uniform { scale } => random::uniform(key, shape, dtype, 0.0, 1.0) * *scale,
            Initializer::Normal { stddev } => random::normal(key, shape, dtype) * *stddev,
            Initializer::TruncatedNormal { stddev, lower, upper } => {
                random::truncated_normal(key, shape, dtype, *lower, *upper) * *stddev
            }
            Initializer::VarianceScaling { scale, fan, distribution, axes } => {
                let (inputs, outputs) = fans(&shape, axes);
                let divisor = match fan {
                    Fan::In => inputs,
                    Fan::Out => outputs,
                    Fan::Average => (inputs + outputs) / 2.0,
                    Fan::GeometricAverage => (inputs * outputs).sqrt(),
                };
                let variance = Array::from(scale / divisor).astype(dtype);
                match distribution {
                    Distribution::TruncatedNormal => {
                        let stddev = numpy::sqrt(&variance) / Array::from(STDDEV_WITHIN_TWO).astype(dtype);
                        random::truncated_normal(key, shape, dtype, -2.0, 2.0) * stddev
                    }
                    Distribution::Normal => random::normal(key, shape, dtype) * numpy::sqrt(&variance),
                    Distribution::Uniform => {
                        random::uniform(key, shape, dtype, -1.0, 1.0) * numpy::sqrt(3.0 * &variance)
                    }
                }
            }
            Initializer::Orthogonal { scale, column_axis } => draw_orthogonal(key, shape, dtype, *scale, *column_axis),
            Initializer::DeltaOrthogonal { scale, column_axis } => {
                let rank = shape.rank();
                if !(3..=5).contains(&rank) || shape[rank - 1] < shape[rank - 2] {
                    fail_with(
                        ErrorKind::Shape,
                        format!(
                            "delta_orthogonal: found shape {shape}, expected 3 to 5 axes, the last of which is not smaller than the one before"
                        ),
                    )
                }
                let (spatial, matrix) = shape.split_at(rank - 2);
                let centre = draw_orthogonal(key, matrix.into(), dtype, *scale, *column_axis);
                let around = spatial.iter().map(|&extent| {
                    let before = extent.saturating_sub(1) / 2;
                    PadDim { low: before as i64, high: (extent - before) as i64 - 1, interior: 0 }
                });
                let padding: Vec<PadDim> = around.chain([PadDim::default(); 2]).collect();
                let axes: Vec<isize> = (0..rank as isize - 2).collect();
                lax::pad(&lax::expand_dims(&centre, &axes), 0.0, &padding)
            }
        }
    }
}

/// The factor Q of a matrix of normal variates whose R has a positive diagonal, which makes all directions equally likely.
#[track_caller]
fn draw_orthogonal(key: &Key, shape: Shape, dtype: DType, scale: f64, column_axis: isize) -> Array {
    if shape.rank() < 2 {
        fail_with(ErrorKind::Shape, format!("orthogonal: found shape {shape}, expected at least two axes"))
    }
    let axis = check(lax::resolve_axis("orthogonal", column_axis, shape.rank()));
    let (rows, columns) = (shape[axis], shape.size() / shape[axis].max(1));
    let (q, r) = lax::linalg::qr(&random::normal(key, [rows.max(columns), rows.min(columns)], dtype), false);
    let q = q * numpy::sign(numpy::diagonal(&r, 0, -2, -1)).expand_dims(-2);
    let q = if rows < columns { numpy::matrix_transpose(&q) } else { q };
    let others = shape.without(&[axis]);
    let unfolded = q.reshape([&[rows], &others[..]].concat());
    numpy::moveaxis(&unfolded, 0, axis as isize) * scale
}

/// The standard deviation of a standard normal variate known to lie in -2..2.
const STDDEV_WITHIN_TWO: f64 = 0.879_625_661_034_239_8;

/// The numbers of inputs and outputs of a unit.
#[track_caller]
fn fans(shape: &Shape, axes: &FanAxes) -> (f64, f64) {
    if shape.rank() < 2 && *axes == FanAxes::default() {
        fail_with(
            ErrorKind::Shape,
            format!("variance_scaling: found shape {shape}, expected at least two axes, or axes that are named"),
        )
    }
    let size = |axes: &[isize]| -> f64 {
        let axes = check(lax::resolve_axes("variance_scaling", axes, shape.rank()));
        axes.iter().map(|&axis| shape[axis] as f64).product()
    };
    let (inputs, outputs) = (size(&axes.inputs), size(&axes.outputs));
    let field = shape.size() as f64 / inputs / outputs / size(&axes.batch);
    (inputs * field, outputs * field)
}

/// One value everywhere. JAX: `nn.initializers.constant`.
pub fn constant(value: f64) -> Initializer {
    Initializer::Constant(value)
}

/// Zeros. JAX: `nn.initializers.zeros`.
pub fn zeros() -> Initializer {
    Initializer::Constant(0.0)
}

/// Ones. JAX: `nn.initializers.ones`.
pub fn ones() -> Initializer {
    Initializer::Constant(1.0)
}

/// Uniform in `0..scale`; JAX's default scale is 0.01. JAX: `nn.initializers.uniform`.
pub fn uniform(scale: f64) -> Initializer {
    Initializer::Uniform { scale }
}

/// Normal with mean 0; JAX's default standard deviation is 0.01. JAX: `nn.initializers.normal`.
pub fn normal(stddev: f64) -> Initializer {
    Initializer::Normal { stddev }
}

/// Normal with mean 0, cut off at two standard deviations; JAX's default standard deviation is 0.01. JAX:
/// `nn.initializers.truncated_normal`.
pub fn truncated_normal(stddev: f64) -> Initializer {
    Initializer::TruncatedNormal { stddev, lower: -2.0, upper: 2.0 }
}

/// Orthonormal rows or columns, whichever are fewer, times `scale`; all axes but the last are taken as one. JAX: `nn.initializers.orthogonal`.
///
/// ```
/// use rjax::prelude::*;
/// let w = nn::initializers::orthogonal(1.0).init(&Key::new(0), [5, 3], DType::F32);
/// assert!(jnp::allclose(&w.t().dot(&w), &jnp::eye(3, DType::F32), 1e-5, 1e-5).item::<bool>());
/// ```
pub fn orthogonal(scale: f64) -> Initializer {
    Initializer::Orthogonal { scale, column_axis: -1 }
}

/// Kernels of convolutions, features last, that hand features on by an orthogonal matrix, and look at nothing beside the centre. JAX:
/// `nn.initializers.delta_orthogonal`.
pub fn delta_orthogonal(scale: f64) -> Initializer {
    Initializer::DeltaOrthogonal { scale, column_axis: -1 }
}

/// Mean 0 and variance `scale` over the number of inputs, outputs or their mean. JAX: `nn.initializers.variance_scaling`.
pub fn variance_scaling(scale: f64, fan: Fan, distribution: Distribution) -> Initializer {
    Initializer::VarianceScaling { scale, fan, distribution, axes: FanAxes::default() }
}

/// As [`variance_scaling`], with other axes than the last two.
pub fn variance_scaling_with(scale: f64, fan: Fan, distribution: Distribution, axes: FanAxes) -> Initializer {
    Initializer::VarianceScaling { scale, fan, distribution, axes }
}

macro_rules! scaled {
    ($($name:ident $scale:literal $fan:ident $distribution:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        pub fn $name() -> Initializer {
            variance_scaling($scale, Fan::$fan, Distribution::$distribution)
        }
    )*};
}

scaled! {
    glorot_uniform 1.0 Average Uniform "Glorot's initializer, uniform. JAX: `nn.initializers.glorot_uniform`.";
    glorot_normal 1.0 Average TruncatedNormal "Glorot's initializer, normal. JAX: `nn.initializers.glorot_normal`.";
    xavier_uniform 1.0 Average Uniform "Another name for [`glorot_uniform`].";
    xavier_normal 1.0 Average TruncatedNormal "Another name for [`glorot_normal`].";
    lecun_uniform 1.0 In Uniform "LeCun's initializer, uniform. JAX: `nn.initializers.lecun_uniform`.";
    lecun_normal 1.0 In TruncatedNormal "LeCun's initializer, normal. JAX: `nn.initializers.lecun_normal`.";
    he_uniform 2.0 In Uniform "He's initializer, uniform. JAX: `nn.initializers.he_uniform`.";
    he_normal 2.0 In TruncatedNormal "He's initializer, normal. JAX: `nn.initializers.he_normal`.";
    kaiming_uniform 2.0 In Uniform "Another name for [`he_uniform`].";
    kaiming_normal 2.0 In TruncatedNormal "Another name for [`he_normal`].";
}
