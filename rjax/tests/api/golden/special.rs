//! `scipy.special`, `scipy.stats` and activation functions.

use rjax::prelude::*;
use rjax::scipy::{special, stats};

use super::Golden;

/// A few ulp of f32, relative to what the functions are made of.
const CLOSE: f64 = 5e-6;

#[test]
fn special_functions() {
    let g = Golden::new(include_str!("../../golden/special.txt"));
    let (x, y, pos, p) = (g.input("x"), g.input("y"), g.input("pos"), g.input("p"));
    let (far, k, a) = (g.input("far"), g.input("k"), g.input("a"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    check("gammaln", special::gammaln(&x));
    check("gammasgn", special::gammasgn(&x));
    // The exponential makes of an ulp of its argument, 71 for 30!, an error of 8e-6.
    g.check("gamma", &special::gamma(&x), 2e-5);
    g.check("factorial", &special::factorial(&x), 2e-5);
    check("digamma", special::digamma(&x));
    check("erf", special::erf(&x));
    check("erfc", special::erfc(&x));
    check("expit", special::expit(&x));
    check("i0", special::i0(&x));
    check("i0e", special::i0e(&x));
    check("i1", special::i1(&x));
    check("i1e", special::i1e(&x));
    check("entr", special::entr(&x));
    check("loggamma", special::loggamma(&x));
    check("erfinv", special::erfinv(&p));
    check("logit", special::logit(&p));
    check("xlogy", special::xlogy(&y, &x));
    check("xlogy pos", special::xlogy(&y, &pos));
    check("xlog1py", special::xlog1py(&y, &x));
    check("xlog1py pos", special::xlog1py(&y, &pos));
    check("rel_entr", special::rel_entr(&y, &x));
    check("rel_entr pos", special::rel_entr(&y, &pos));
    check("kl_div", special::kl_div(&y, &x));
    check("kl_div pos", special::kl_div(&y, &pos));
    check("beta", special::beta(&y, &pos));
    check("betaln", special::betaln(&y, &pos));
    check("betaln large", special::betaln(&pos, &pos * 1e5));
    check("betainc", special::betainc(&pos, &y + 1, &p));
    check("gammainc", special::gammainc(&pos, &y));
    check("gammaincc", special::gammaincc(&pos, &y));
    check("polygamma", special::polygamma(&k, &pos));
    check("zeta", special::zeta(&pos + 1.5, &y + 1));
    check("multigammaln", special::multigammaln(&pos + 3, 4));
    check("comb", special::comb(&k, 3));
    check("poch", special::poch(&pos, 2.5));
    check("boxcox", special::boxcox(&pos, 0.5));
    check("boxcox zero", special::boxcox(&pos, 0.0));
    check("boxcox1p", special::boxcox1p(&pos, -0.3));
    check("ndtr", special::ndtr(&far));
    check("log_ndtr", special::log_ndtr(&far));
    check("ndtri", special::ndtri(&p));
    check("owens_t", special::owens_t(&x, &y));
    check("exp1", special::exp1(&y));
    check("expn 0", special::expn(0, &pos));
    check("expn 2", special::expn(2, &pos));
    check("expn 5", special::expn(5, &pos));
    check("expi", special::expi(jnp::extract(&x.ne(0.0), &x)));
    check("bernoulli", special::bernoulli(12));
    let row = [true, false, true, true];
    let mask = jnp::array([row, row, [true; 4]]);
    check("softmax where", nn::softmax_where(&a, -1, &mask));
    check("log_softmax where", nn::log_softmax_where(&a, -1, &mask));
    check("logmeanexp", nn::logmeanexp(&a, 1));

    let activations: [(&str, fn(&Array) -> Array); 19] = [
        ("relu", |x| nn::relu(x)),
        ("relu6", |x| nn::relu6(x)),
        ("sigmoid", |x| nn::sigmoid(x)),
        ("log_sigmoid", |x| nn::log_sigmoid(x)),
        ("softplus", |x| nn::softplus(x)),
        ("silu", |x| nn::silu(x)),
        ("gelu", |x| nn::gelu(x)),
        ("elu", |x| nn::elu(x, 1.0)),
        ("celu", |x| nn::celu(x, 1.0)),
        ("selu", |x| nn::selu(x)),
        ("leaky_relu", |x| nn::leaky_relu(x, 0.01)),
        ("hard_tanh", |x| nn::hard_tanh(x)),
        ("hard_sigmoid", |x| nn::hard_sigmoid(x)),
        ("hard_silu", |x| nn::hard_silu(x)),
        ("mish", |x| nn::mish(x)),
        ("soft_sign", |x| nn::soft_sign(x)),
        ("squareplus", |x| nn::squareplus(x, 4.0)),
        ("sparse_plus", |x| nn::sparse_plus(x)),
        ("sparse_sigmoid", |x| nn::sparse_sigmoid(x)),
    ];
    let slope = |f: fn(&Array) -> Array, x: &Array| vmap(grad(f), axes![0])(x);
    for (name, f) in activations {
        check(name, f(&x));
        check(&format!("{name} grad"), slope(f, &x));
    }
    check("gelu exact", nn::gelu_exact(&x));
    check("log1mexp", nn::log1mexp(&pos));
    check("log_ndtr grad", slope(|x| special::log_ndtr(x), &far.index(..9)));
    check("expit grad", slope(|x| special::expit(x), &far.index(..9)));
    check("ndtri grad", slope(|x| special::ndtri(x), &p.index(2..9)));
    check("entr grad", slope(|x| special::entr(x), &p.index(2..9)));
    let by_first = vmap(grad(|x: &Array, y: &Array| special::xlogy(x, y)), axes![0, 0])(&y, &pos);
    let by_second = vmap(grad(|y: &Array, x: &Array| special::xlogy(x, y)), axes![0, 0])(&pos, &y);
    g.check_all("xlogy grad", &[&by_first, &by_second], CLOSE);

    macro_rules! distribution {
        ($($name:ident)*) => {$(
            check(concat!(stringify!($name), " logpdf"), stats::$name::logpdf(&x, 0.5, 2.0));
            check(concat!(stringify!($name), " pdf"), stats::$name::pdf(&x, 0.5, 2.0));
            check(concat!(stringify!($name), " cdf"), stats::$name::cdf(&x, 0.5, 2.0));
        )*};
    }
    distribution!(norm uniform expon laplace logistic cauchy gumbel_r gumbel_l);
    check("norm ppf", stats::norm::ppf(&p, 1.0, 2.0));
    check("norm logsf", stats::norm::logsf(&x, 1.0, 2.0));
    check("gamma logpdf", stats::gamma::logpdf(&pos, 2.5, 0.1, 2.0));
    check("gamma cdf", stats::gamma::cdf(&pos, 2.5, 0.1, 2.0));
    check("beta logpdf", stats::beta::logpdf(p.index(1..9), 2.5, 0.7));
    check("t logpdf", stats::t::logpdf(&x, 3.0, 0.5, 2.0));
    check("chi2 logpdf", stats::chi2::logpdf(&pos, 3.0, 0.0, 1.0));
    check("poisson logpmf", stats::poisson::logpmf(&k, 3.5));
    check("poisson cdf", stats::poisson::cdf(&k, 3.5));
    check("bernoulli logpmf", stats::bernoulli::logpmf(k.index(..3), 0.3));
    check("binom logpmf", stats::binom::logpmf(&k, 10, 0.3));
    g.finish();
}
