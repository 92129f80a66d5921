//! Covariances, histograms and counts.

use rjax_ir::{DType, ErrorKind, Shape};

use crate::array::{Array, promote_dtypes, promote_inexact};
use crate::error::fail_with;
use crate::lax;

/// What [`cov_with`] can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct CovOptions<'a> {
    /// More variables, of the same shape.
    pub y: Option<&'a Array>,
    /// Whether columns, not rows, are variables.
    pub columns: bool,
    /// The number of observations is the divisor, rather than that less one.
    pub bias: bool,
    /// What is subtracted from the number of observations, instead of what `bias` says.
    pub ddof: Option<i64>,
    /// How often each observation occurred.
    pub fweights: Option<&'a Array>,
    /// The weight of each observation.
    pub aweights: Option<&'a Array>,
}

/// The covariance matrix of variables in rows, observations in columns. JAX: `numpy.cov`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]);
/// assert_eq!(jnp::cov(&x).to_vec::<f32>(), [1.0, -1.0, -1.0, 1.0]);
/// ```
#[track_caller]
pub fn cov(x: &Array) -> Array {
    cov_with(x, CovOptions::default())
}

/// As [`cov`] with options.
#[track_caller]
pub fn cov_with(x: &Array, options: CovOptions<'_>) -> Array {
    let rows = |x: &Array| {
        if x.ndim() > 2 {
            fail_with(ErrorKind::Shape, format!("cov: found {}, expected a vector or a matrix", x.aval()))
        }
        let x = super::atleast_2d(x);
        if options.columns && x.shape()[0] != 1 { x.t() } else { x }
    };
    let x = promote_inexact("cov", &[x]).remove(0);
    let x = match options.y {
        None => rows(&x),
        Some(y) => super::concatenate(&[rows(&x), rows(y)], 0),
    };
    let n = x.shape()[1];
    let ddof = options.ddof.unwrap_or(i64::from(!options.bias)) as f64;
    let weights = match (options.fweights, options.aweights) {
        (None, None) => None,
        (Some(w), None) | (None, Some(w)) => Some(w.clone()),
        (Some(f), Some(a)) => Some(f * a),
    };
    let Some(weights) = weights else {
        let centered = &x - x.mean(crate::array::keepdims(1));
        return product(&centered, &centered, &Array::from(n as f64 - ddof));
    };
    if weights.shape()[..] != [n] {
        fail_with(ErrorKind::Shape, format!("cov: the weights have type {}, expected shape [{n}]", weights.aval()))
    }
    let total = weights.sum(..).converted(x.dtype().real(), false);
    let mean = (&x * &weights).sum(crate::array::keepdims(1)) / &total;
    let divisor = match options.aweights {
        None => &total - ddof,
        Some(a) => &total - ddof * (&weights * a).sum(..) / &total,
    };
    let centered = &x - mean;
    product(&centered, &(&centered * &weights), &divisor)
}

#[track_caller]
fn product(x: &Array, weighted: &Array, divisor: &Array) -> Array {
    super::squeeze(&(x.dot(super::conj(weighted).t()) / divisor))
}

/// The matrix of correlation coefficients of variables in rows. JAX: `numpy.corrcoef`.
#[track_caller]
pub fn corrcoef(x: &Array) -> Array {
    corrcoef_with(x, CovOptions::default())
}

/// As [`corrcoef`]; of the options, those that do not cancel count.
#[track_caller]
pub fn corrcoef_with(x: &Array, options: CovOptions<'_>) -> Array {
    let c = cov_with(x, options);
    if c.ndim() == 0 {
        return super::divide(&c, &c);
    }
    let deviation = super::sqrt(super::real(super::diag(&c, 0)));
    let r = &c / deviation.expand_dims(-1) / &deviation;
    if r.dtype().is_complex() { r } else { super::clip(r, -1.0, 1.0) }
}

/// The bins of a histogram: how many, or their edges.
#[derive(Clone, Debug)]
pub enum Bins {
    /// This many bins of one width.
    Count(usize),
    /// A sorted vector of edges, one more than bins.
    Edges(Array),
}

impl From<usize> for Bins {
    fn from(count: usize) -> Bins {
        Bins::Count(count)
    }
}

impl From<&Array> for Bins {
    fn from(edges: &Array) -> Bins {
        Bins::Edges(edges.clone())
    }
}

/// What [`histogram_with`] can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistogramOptions<'a> {
    /// Least and greatest value counted; those of the data by default.
    pub range: Option<(f64, f64)>,
    /// What each element counts.
    pub weights: Option<&'a Array>,
    /// Whether the result is a density, whose integral is 1.
    pub density: bool,
}

/// The edges of the bins of a histogram. JAX: `numpy.histogram_bin_edges`.
#[track_caller]
pub fn histogram_bin_edges(x: &Array, bins: impl Into<Bins>, range: Option<(f64, f64)>) -> Array {
    let count = match bins.into() {
        Bins::Edges(edges) => return edges,
        Bins::Count(count) => count,
    };
    if count == 0 {
        fail_with(ErrorKind::Parameter, "histogram_bin_edges: found 0 bins, expected at least 1")
    }
    let x = promote_inexact("histogram_bin_edges", &[x]).remove(0).with_weak(false);
    let (low, high) = match range {
        Some((low, high)) => {
            (Array::from(low).converted(x.dtype(), false), Array::from(high).converted(x.dtype(), false))
        }
        None if x.is_empty() => {
            (Array::from(0.0).converted(x.dtype(), false), Array::from(1.0).converted(x.dtype(), false))
        }
        None => (x.min(..), x.max(..)),
    };
    let empty = low.eq(&high);
    super::linspace(super::where_(&empty, &low - 0.5, &low), super::where_(&empty, &high + 0.5, &high), count + 1)
}

/// For each element the bin it falls into, counted from 1; 0 and more than there are bins for those outside.
#[track_caller]
fn bin(x: &Array, edges: &Array) -> Array {
    let last = edges.len() - 1;
    let position = super::searchsorted(edges, x, true);
    // The last bin holds its upper edge, too.
    super::where_(x.eq(lax::index_in_dim(edges, last, 0)), last, position)
}

/// How many elements fall into each bin, and the edges of the bins. JAX: `numpy.histogram`.
///
/// ```
/// use rjax::prelude::*;
/// let (counts, edges) = jnp::histogram(&jnp::array([0.0, 1.0, 1.5, 4.0]), 2);
/// assert_eq!(counts.to_vec::<f32>(), [3.0, 1.0]);
/// assert_eq!(edges.to_vec::<f32>(), [0.0, 2.0, 4.0]);
/// ```
#[track_caller]
pub fn histogram(x: &Array, bins: impl Into<Bins>) -> (Array, Array) {
    histogram_with(x, bins, HistogramOptions::default())
}

/// As [`histogram`] with options.
#[track_caller]
pub fn histogram_with(x: &Array, bins: impl Into<Bins>, options: HistogramOptions<'_>) -> (Array, Array) {
    let x = promote_inexact("histogram", &[&x.ravel()]).remove(0).with_weak(false);
    let edges = histogram_bin_edges(&x, bins, options.range);
    let weights = match options.weights {
        Some(weights) => weights.ravel(),
        None => super::ones_like(&x),
    };
    let counts = super::zeros([edges.len()], weights.dtype()).at(bin(&x, &edges)).add(weights);
    let counts = lax::slice_in_dim(&counts, 1, edges.len(), 0);
    let counts = if options.density { &counts / super::diff(&edges, 1, 0) / counts.sum(..) } else { counts };
    (counts, edges)
}

/// A histogram in two dimensions, and the edges along both. JAX: `numpy.histogram2d`.
#[track_caller]
pub fn histogram2d(x: &Array, y: &Array, bins: [impl Into<Bins>; 2]) -> (Array, Array, Array) {
    let sample = super::stack(&[x.ravel(), y.ravel()], 1);
    let (counts, mut edges) = histogramdd(&sample, bins.map(Into::into).to_vec(), HistogramOptions::default());
    let second = edges.pop().expect("two axes");
    (counts, edges.pop().expect("two axes"), second)
}

/// A histogram in several dimensions of points in the rows of a matrix, and the edges along each. A range in the options
/// holds for every axis. JAX: `numpy.histogramdd`.
#[track_caller]
pub fn histogramdd(sample: &Array, bins: Vec<Bins>, options: HistogramOptions<'_>) -> (Array, Vec<Array>) {
    if sample.ndim() != 2 || sample.shape()[1] != bins.len() {
        fail_with(
            ErrorKind::Shape,
            format!("histogramdd: found points {} and bins for {} axes", sample.aval(), bins.len()),
        )
    }
    let sample = promote_inexact("histogramdd", &[sample]).remove(0).with_weak(false);
    let columns = super::unstack(&sample, 1);
    let edges: Vec<Array> =
        columns.iter().zip(bins).map(|(x, bins)| histogram_bin_edges(x, bins, options.range)).collect();
    let positions: Vec<Array> = columns.iter().zip(&edges).map(|(x, edges)| bin(x, edges)).collect();
    // One bin more on either side takes what lies outside.
    let with_outside: Shape = edges.iter().map(|edges| edges.len() + 1).collect();
    let flat = super::ravel_multi_index(&positions.iter().collect::<Vec<_>>(), with_outside.clone());
    let weights = match options.weights {
        Some(weights) => weights.ravel(),
        None => super::ones([sample.shape()[0]], DType::I32),
    };
    let mut counts =
        lax::reshape(&super::zeros([with_outside.size()], weights.dtype()).at(&flat).add(weights), with_outside);
    for (axis, edges) in edges.iter().enumerate() {
        counts = lax::slice_in_dim(&counts, 1, edges.len(), axis as isize);
    }
    if options.density {
        let total = counts.sum(..);
        for (axis, edges) in edges.iter().enumerate() {
            let widths = super::diff(edges, 1, 0);
            let mut shape = vec![1; counts.ndim()];
            shape[axis] = widths.len();
            counts = counts / widths.reshape(shape);
        }
        counts = counts / total;
    }
    (counts, edges)
}

/// What [`bincount_with`] can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct BincountOptions<'a> {
    /// What each element counts.
    pub weights: Option<&'a Array>,
    /// The length of the result; greater numbers are dropped. Without it the values are looked at.
    pub length: Option<usize>,
    /// The least length, where `length` is not given.
    pub min_length: usize,
}

/// How often each of 0, 1, … occurs in an array of integers. Negative numbers count as 0. Needs the values: see
/// [`bincount_with`] for `jit`. JAX: `numpy.bincount`.
#[track_caller]
pub fn bincount(x: &Array) -> Array {
    bincount_with(x, BincountOptions::default())
}

/// As [`bincount`] with options.
#[track_caller]
pub fn bincount_with(x: &Array, options: BincountOptions<'_>) -> Array {
    let x = super::integers("bincount", x.ravel());
    let length = match options.length {
        Some(length) => length,
        None if x.is_empty() => options.min_length,
        None => (super::maximum(x.max(..), 0).astype(DType::I64).item::<i64>() as usize + 1).max(options.min_length),
    };
    let weights = match options.weights {
        Some(weights) => weights.ravel(),
        None => super::ones(x.shape(), DType::I32),
    };
    super::zeros([length], weights.dtype()).at(super::maximum(&x, 0)).add(weights)
}

/// For each element the number of the bin it falls into, between the elements of a vector that is sorted in either direction;
/// with `right`, bins hold their right edge rather than the left. JAX: `numpy.digitize`.
#[track_caller]
pub fn digitize(x: &Array, bins: &Array, right: bool) -> Array {
    if bins.ndim() != 1 {
        fail_with(ErrorKind::Shape, format!("digitize: the bins have type {}, expected a vector", bins.aval()))
    }
    let operands = promote_dtypes(&[x, bins]);
    let (x, bins) = (&operands[0], &operands[1]);
    let n = bins.len();
    if n == 0 {
        return super::zeros(x.shape(), DType::I32);
    }
    let ascending = lax::index_in_dim(bins, n - 1, 0).ge(lax::index_in_dim(bins, 0, 0));
    let downwards = -super::searchsorted(&super::flip(bins, 0), x, !right) + n;
    super::where_(ascending, super::searchsorted(bins, x, !right), downwards)
}
