//! Random numbers from explicit keys: the same key gives the same numbers, on every device and under every transformation.
//!
//! A key is used once; split it first to draw more. The generator is Threefry-2x32 in JAX's arrangement, so the numbers are
//! JAX's, bit for bit (`normal` and what is made of it within 3 ulp).
//!
//! ```
//! use rjax::prelude::*;
//! let [weights, noise] = Key::new(0).split();
//! let w = random::normal(&weights, [3, 2], DType::F32);
//! let u = random::uniform(&noise, [4], DType::F32, 0.0, 1.0);
//! assert_eq!((w.shape()[..].to_vec(), u.size()), (vec![3, 2], 4));
//! ```

mod counts;
mod discrete;
mod gamma;
mod key;
mod linear;
mod samplers;
mod shaped;

pub use counts::{binomial, geometric, multinomial, poisson};
pub use discrete::{bernoulli, categorical, choice, choice_weighted, permutation, permutation_of, rademacher, randint};
pub use gamma::{ball, beta, chisquare, dirichlet, f, gamma, generalized_normal, loggamma, t};
pub use key::{Key, bits, clone, fold_in, key, key_data, split, wrap_key_data};
pub use linear::{multivariate_normal, orthogonal};
pub use samplers::{
    cauchy, exponential, gumbel, laplace, logistic, lognormal, normal, rayleigh, truncated_normal, uniform,
};
pub use shaped::{double_sided_maxwell, maxwell, pareto, triangular, wald, weibull_min};
