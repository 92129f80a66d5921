//! Every sampler draws what JAX draws from the same key; f32 results within a few ulp where logarithms and powers are involved.

use rjax::nn::initializers::{self as init, Distribution, Fan};
use rjax::prelude::*;

use super::Golden;

const F32: DType = DType::F32;

#[test]
fn samplers() {
    let g = Golden::new(include_str!("../../golden/random.txt"));
    let (a, b, p) = (g.input("a"), g.input("b"), g.input("p"));
    let (lam, count, cats) = (g.input("lam"), g.input("count"), g.input("cats"));
    for seed in [0, 42] {
        let key = Key::new(seed);
        let check = |name: &str, found: Array, tolerance: f64| g.check(&format!("{name} {seed}"), &found, tolerance);
        check("gamma", random::gamma(&key, [6], F32, &a), 2e-6);
        check("loggamma", random::loggamma(&key, [6], F32, &a), 2e-6);
        check("beta", random::beta(&key, [6], F32, &a, &b), 2e-6);
        check("dirichlet", random::dirichlet(&key, [2], F32, &b.broadcast_to([2, 6])), 2e-6);
        check("chisquare", random::chisquare(&key, [6], F32, &b), 2e-6);
        check("f", random::f(&key, [6], F32, &a, &b), 1e-5);
        check("t", random::t(&key, [6], F32, &b), 2e-6);
        check("generalized_normal", random::generalized_normal(&key, [6], F32, 1.5), 2e-6);
        check("ball", random::ball(&key, [2], F32, 3, 1.5), 2e-6);
        check("poisson", random::poisson(&key, [6], DType::I32, &lam), 0.0);
        check("binomial", random::binomial(&key, [6], F32, &count, &p), 0.0);
        check("multinomial", random::multinomial(&key, [2, 4], F32, 50.0, &cats), 0.0);
        check("geometric", random::geometric(&key, [4], DType::I32, p.index(1..5)), 0.0);
        let cov = jnp::array([[2.0, 0.5], [0.5, 1.0]]);
        check("multivariate_normal", random::multivariate_normal(&key, [3], F32, &b.index(..2), &cov), 1e-6);
        check("orthogonal", random::orthogonal(&key, [2], F32, 3), 1e-5);
        check("maxwell", random::maxwell(&key, [6], F32), 1e-6);
        check("double_sided_maxwell", random::double_sided_maxwell(&key, [6], F32, 0.5, 2.0), 1e-6);
        check("pareto", random::pareto(&key, [6], F32, &b), 2e-6);
        check("weibull_min", random::weibull_min(&key, [6], F32, 2.0, 1.5), 1e-6);
        check("wald", random::wald(&key, [6], F32, &b), 2e-6);
        check("triangular", random::triangular(&key, [6], F32, -1.0, 0.5, 3.0), 1e-6);
        check("laplace", random::laplace(&key, [6], F32), 1e-6);
        check("logistic", random::logistic(&key, [6], F32), 1e-6);
        check("cauchy", random::cauchy(&key, [6], F32), 2e-6);
        check("rayleigh", random::rayleigh(&key, [6], F32, 2.0), 1e-6);
        check("lognormal", random::lognormal(&key, [6], F32, 0.5), 1e-6);
        check("rademacher", random::rademacher(&key, [6], DType::I32), 0.0);
        check("gumbel", random::gumbel(&key, [6], F32), 1e-6);
        check("exponential", random::exponential(&key, [6], F32), 1e-6);
        check("truncated_normal", random::truncated_normal(&key, [6], F32, -1.0, 2.0), 1e-6);
        check("bernoulli", random::bernoulli(&key, [6], 0.3), 0.0);
        check("categorical", random::categorical(&key, &cats.log(), -1, [6]), 0.0);
        check("choice", random::choice(&key, &a, [4], true), 0.0);
        check("choice without", random::choice(&key, &a, [4], false), 0.0);
        check("choice weighted", random::choice_weighted(&key, &cats, [6], true, &cats), 0.0);
        check("choice weighted without", random::choice_weighted(&key, &cats, [3], false, &cats), 0.0);
        check("permutation", random::permutation(&key, 9), 0.0);
        check("randint", random::randint(&key, [6], -3, 1000, DType::I32), 0.0);
        check("randint u8", random::randint(&key, [6], 0, 200, DType::U8), 0.0);
        // The last bit of a bf16 number is 2^-8 of it.
        check("gamma bf16", random::gamma(&key, [4], DType::BF16, 2.0), 8e-3);
        check("normal f16", random::normal(&key, [6], DType::F16), 1e-3);
        check("normal c64", random::normal(&key, [3], DType::C64), 1e-6);
        check("glorot_uniform", init::glorot_uniform().init(&key, [2, 3], F32), 1e-6);
        check("glorot_normal", init::glorot_normal().init(&key, [2, 3], F32), 1e-6);
        check("lecun_uniform", init::lecun_uniform().init(&key, [2, 3], F32), 1e-6);
        check("lecun_normal", init::lecun_normal().init(&key, [2, 3], F32), 1e-6);
        check("he_uniform", init::he_uniform().init(&key, [2, 3], F32), 1e-6);
        check("he_normal", init::he_normal().init(&key, [2, 3], F32), 1e-6);
        check("he_normal conv", init::he_normal().init(&key, [2, 2, 3, 2], F32), 1e-6);
        let scaled = init::variance_scaling(0.5, Fan::Out, Distribution::Normal);
        check("variance_scaling", scaled.init(&key, [3, 2], F32), 1e-6);
        check("init uniform", init::uniform(0.1).init(&key, [4], F32), 1e-6);
        check("init normal", init::normal(0.1).init(&key, [4], F32), 1e-6);
        check("init truncated_normal", init::truncated_normal(0.1).init(&key, [4], F32), 1e-6);
    }
    // The derivative of a sample by its parameter goes through that of igamma, whose f32 series loses some digits.
    let total = |draw: fn(&Key, &Array) -> Array| grad(move |a: &Array| draw(&Key::new(0), a).sum(..));
    let gamma = total(|key, a| random::gamma(key, a.shape(), F32, a));
    g.check("gamma grad", &gamma(&a.index(..5)), 1e-3);
    let loggamma = total(|key, a| random::loggamma(key, a.shape(), F32, a));
    g.check("loggamma grad", &loggamma(&a.index(1..5)), 1e-3);
    g.finish();
}
