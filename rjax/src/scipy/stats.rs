//! Distributions: densities, distribution functions and quantiles, each in a module of its own.
//!
//! Functions take the point, then shape parameters, then location and scale, as in SciPy.
//!
//! ```
//! use rjax::scipy::stats;
//! assert!((stats::norm::cdf(0.0, 0.0, 1.0).item::<f32>() - 0.5).abs() < 1e-7);
//! ```

use crate::array::{Array, Operand, promote_inexact};
use crate::scipy::special;
use crate::{lax, numpy};

#[track_caller]
fn floats<const N: usize>(function: &str, operands: [Array; N]) -> [Array; N] {
    let promoted = promote_inexact(function, &operands.iter().collect::<Vec<_>>());
    match promoted.try_into() {
        Ok(promoted) => promoted,
        Err(_) => unreachable!("as many as there were"),
    }
}

/// Minus infinity outside of the support.
#[track_caller]
fn within(inside: Array, log: Array) -> Array {
    numpy::where_(inside, log, f64::NEG_INFINITY)
}

macro_rules! location_scale {
    ($($module:ident $title:literal |$z:ident| $logpdf:expr, $cdf:expr;)*) => {$(
        #[doc = $title]
        pub mod $module {
            use super::*;

            /// The logarithm of the density.
            #[track_caller]
            pub fn logpdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
                let [x, loc, scale] = floats("logpdf", [x.into_array(), loc.into_array(), scale.into_array()]);
                let $z = (x - loc) / &scale;
                $logpdf - lax::log(scale)
            }

            /// The density.
            #[track_caller]
            pub fn pdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
                lax::exp(logpdf(x, loc, scale))
            }

            /// The distribution function.
            #[track_caller]
            pub fn cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
                let [x, loc, scale] = floats("cdf", [x.into_array(), loc.into_array(), scale.into_array()]);
                let $z = (x - loc) / scale;
                $cdf
            }

            /// The logarithm of the distribution function.
            #[track_caller]
            pub fn logcdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
                lax::log(cdf(x, loc, scale))
            }

            /// The probability of a greater value: 1 less the distribution function.
            #[track_caller]
            pub fn sf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
                1.0 - cdf(x, loc, scale)
            }
        }
    )*};
}

location_scale! {
    uniform "The uniform distribution on `loc..loc + scale`."
        |z| within(z.ge(0.0) & z.le(1.0), lax::full_like(&z, 0.0)), numpy::clip(z, 0.0, 1.0);
    expon "The exponential distribution."
        |z| within(z.ge(0.0), -&z), numpy::where_(z.ge(0.0), -lax::expm1(-&z), 0.0);
    laplace "The Laplace distribution."
        |z| -lax::abs(&z) - std::f64::consts::LN_2,
        numpy::where_(z.le(0.0), 0.5 * lax::exp(&z), 1.0 - 0.5 * lax::exp(-&z));
    logistic "The logistic distribution."
        |z| -&z - 2.0 * crate::nn::softplus(-&z), lax::logistic(&z);
    cauchy "The Cauchy distribution."
        |z| -(std::f64::consts::PI.ln() + lax::log1p(lax::square(&z))),
        0.5 + lax::atan(&z) / std::f64::consts::PI;
    gumbel_r "The right-skewed Gumbel distribution."
        |z| -&z - lax::exp(-&z), lax::exp(-lax::exp(-&z));
    gumbel_l "The left-skewed Gumbel distribution."
        |z| &z - lax::exp(&z), -lax::expm1(-lax::exp(&z));
}

/// The normal distribution.
pub mod norm {
    use super::*;

    #[track_caller]
    fn standard(x: impl Operand, loc: impl Operand, scale: impl Operand) -> (Array, Array) {
        let [x, loc, scale] = floats("norm", [x.into_array(), loc.into_array(), scale.into_array()]);
        ((x - loc) / &scale, scale)
    }

    /// The logarithm of the density.
    #[track_caller]
    pub fn logpdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        let (z, scale) = standard(x, loc, scale);
        -0.5 * (lax::square(z) + (2.0 * std::f64::consts::PI).ln()) - lax::log(scale)
    }

    /// The density.
    #[track_caller]
    pub fn pdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        lax::exp(logpdf(x, loc, scale))
    }

    /// The distribution function.
    #[track_caller]
    pub fn cdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        special::ndtr(standard(x, loc, scale).0)
    }

    /// The logarithm of the distribution function.
    #[track_caller]
    pub fn logcdf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        special::log_ndtr(standard(x, loc, scale).0)
    }

    /// The probability of a greater value.
    #[track_caller]
    pub fn sf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        special::ndtr(-standard(x, loc, scale).0)
    }

    /// The logarithm of the probability of a greater value.
    #[track_caller]
    pub fn logsf(x: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        special::log_ndtr(-standard(x, loc, scale).0)
    }

    /// The quantile: the inverse of [`cdf`].
    #[track_caller]
    pub fn ppf(q: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        special::ndtri(q) * scale.into_array() + loc.into_array()
    }

    /// The inverse of [`sf`].
    #[track_caller]
    pub fn isf(q: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        ppf(1.0 - q.into_array(), loc, scale)
    }
}

/// The gamma distribution.
pub mod gamma {
    use super::*;

    /// The logarithm of the density.
    #[track_caller]
    pub fn logpdf(x: impl Operand, a: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        let [x, a, loc, scale] =
            floats("logpdf", [x.into_array(), a.into_array(), loc.into_array(), scale.into_array()]);
        let z = (x - loc) / &scale;
        let inside = z.ge(0.0);
        let safe = numpy::where_(&inside, &z, 1.0);
        within(inside, special::xlogy(&a - 1.0, &safe) - safe - (lax::lgamma(&a) + lax::log(scale)))
    }

    /// The density.
    #[track_caller]
    pub fn pdf(x: impl Operand, a: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        lax::exp(logpdf(x, a, loc, scale))
    }

    /// The distribution function.
    #[track_caller]
    pub fn cdf(x: impl Operand, a: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        let [x, a, loc, scale] = floats("cdf", [x.into_array(), a.into_array(), loc.into_array(), scale.into_array()]);
        lax::igamma(a, numpy::clip((x - loc) / scale, 0.0, f64::INFINITY))
    }

    /// The probability of a greater value.
    #[track_caller]
    pub fn sf(x: impl Operand, a: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        let [x, a, loc, scale] = floats("sf", [x.into_array(), a.into_array(), loc.into_array(), scale.into_array()]);
        lax::igammac(a, numpy::clip((x - loc) / scale, 0.0, f64::INFINITY))
    }
}

/// The beta distribution.
pub mod beta {
    use super::*;

    /// The logarithm of the density.
    #[track_caller]
    pub fn logpdf(x: impl Operand, a: impl Operand, b: impl Operand) -> Array {
        let [x, a, b] = floats("logpdf", [x.into_array(), a.into_array(), b.into_array()]);
        let inside = x.ge(0.0) & x.le(1.0);
        let log = special::xlogy(&a - 1.0, &x) + special::xlog1py(&b - 1.0, -&x) - special::betaln(&a, &b);
        within(inside, log)
    }

    /// The density.
    #[track_caller]
    pub fn pdf(x: impl Operand, a: impl Operand, b: impl Operand) -> Array {
        lax::exp(logpdf(x, a, b))
    }

    /// The distribution function.
    #[track_caller]
    pub fn cdf(x: impl Operand, a: impl Operand, b: impl Operand) -> Array {
        let [x, a, b] = floats("cdf", [x.into_array(), a.into_array(), b.into_array()]);
        lax::betainc(a, b, numpy::clip(x, 0.0, 1.0))
    }
}

/// Student's t distribution.
pub mod t {
    use super::*;

    /// The logarithm of the density.
    #[track_caller]
    pub fn logpdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        let [x, df, loc, scale] =
            floats("logpdf", [x.into_array(), df.into_array(), loc.into_array(), scale.into_array()]);
        let z = (x - loc) / &scale;
        let half = (&df + 1.0) / 2.0;
        let normalizer =
            0.5 * lax::log(std::f64::consts::PI * &df) + lax::log(scale) + lax::lgamma(&df / 2.0) - lax::lgamma(&half);
        -(normalizer + half * lax::log1p(lax::square(z) / df))
    }

    /// The density.
    #[track_caller]
    pub fn pdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        lax::exp(logpdf(x, df, loc, scale))
    }
}

/// The chi-squared distribution.
pub mod chi2 {
    use super::*;

    /// The logarithm of the density.
    #[track_caller]
    pub fn logpdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        super::gamma::logpdf(x, df.into_array() / 2.0, loc, scale.into_array() * 2.0)
    }

    /// The density.
    #[track_caller]
    pub fn pdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        lax::exp(logpdf(x, df, loc, scale))
    }

    /// The distribution function.
    #[track_caller]
    pub fn cdf(x: impl Operand, df: impl Operand, loc: impl Operand, scale: impl Operand) -> Array {
        super::gamma::cdf(x, df.into_array() / 2.0, loc, scale.into_array() * 2.0)
    }
}

/// The Poisson distribution.
pub mod poisson {
    use super::*;

    /// The logarithm of the probability of k.
    #[track_caller]
    pub fn logpmf(k: impl Operand, mu: impl Operand) -> Array {
        let [k, mu] = floats("logpmf", [k.into_array(), mu.into_array()]);
        let possible = k.ge(0.0) & lax::round_even(&k).eq(&k);
        within(possible, special::xlogy(&k, &mu) - lax::lgamma(&k + 1.0) - mu)
    }

    /// The probability of k.
    #[track_caller]
    pub fn pmf(k: impl Operand, mu: impl Operand) -> Array {
        lax::exp(logpmf(k, mu))
    }

    /// The probability of at most k.
    #[track_caller]
    pub fn cdf(k: impl Operand, mu: impl Operand) -> Array {
        let [k, mu] = floats("cdf", [k.into_array(), mu.into_array()]);
        numpy::where_(k.lt(0.0), 0.0, lax::igammac(lax::floor(&k) + 1.0, mu))
    }
}

/// The Bernoulli distribution.
pub mod bernoulli {
    use super::*;

    /// The logarithm of the probability of k.
    #[track_caller]
    pub fn logpmf(k: impl Operand, p: impl Operand) -> Array {
        let [k, p] = floats("logpmf", [k.into_array(), p.into_array()]);
        let possible = k.eq(0.0) | k.eq(1.0);
        within(possible, special::xlogy(&k, &p) + special::xlog1py(1.0 - &k, -p))
    }

    /// The probability of k.
    #[track_caller]
    pub fn pmf(k: impl Operand, p: impl Operand) -> Array {
        lax::exp(logpmf(k, p))
    }
}

/// The binomial distribution.
pub mod binom {
    use super::*;

    /// The logarithm of the probability of k successes in n trials.
    #[track_caller]
    pub fn logpmf(k: impl Operand, n: impl Operand, p: impl Operand) -> Array {
        let [k, n, p] = floats("logpmf", [k.into_array(), n.into_array(), p.into_array()]);
        let choices = lax::lgamma(&n + 1.0) - (lax::lgamma(&k + 1.0) + lax::lgamma(&n - &k + 1.0));
        let log = choices + special::xlogy(&k, &p) + special::xlog1py(&n - &k, -p);
        within(k.ge(0.0) & k.le(n), log)
    }

    /// The probability of k successes in n trials.
    #[track_caller]
    pub fn pmf(k: impl Operand, n: impl Operand, p: impl Operand) -> Array {
        lax::exp(logpmf(k, n, p))
    }
}
