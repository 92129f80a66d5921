//! `numpy` functions.

use jnp::{BincountOptions, Bins, BitOrder, ConvolveMode, CovOptions, HistogramOptions, InterpOptions, PadMode};
use jnp::{QuantileMethod, TakeMode};
use rjax::prelude::*;

use super::Golden;

/// A few ulp of f32.
const CLOSE: f64 = 2e-6;

fn table() -> Golden {
    Golden::new(include_str!("../../golden/numpy.txt"))
}

#[test]
fn numpy_functions() {
    let g = table();
    statistics(&g);
    sets_and_histograms(&g);
    along_axes(&g);
    arrangements(&g);
    parts_of_numbers(&g);
    g.finish();
}

fn statistics(g: &Golden) {
    let (a, b, n, gone, i) = (g.input("a"), g.input("b"), g.input("n"), g.input("gone"), g.input("i"));
    let (v, w, q, z) = (g.input("v"), g.input("w"), g.input("q"), g.input("z"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    macro_rules! without_nan {
        ($($name:ident)*) => {$(
            check(concat!(stringify!($name), " all"), jnp::$name(&n, ..));
            check(concat!(stringify!($name), " 0"), jnp::$name(&n, 0));
            check(concat!(stringify!($name), " keep"), jnp::$name(&n, keepdims(1)));
            check(concat!(stringify!($name), " gone"), jnp::$name(&gone, 1));
        )*};
    }
    without_nan!(nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian);
    check("nanvar ddof", jnp::nanvar_ddof(&gone, 1, 1));
    macro_rules! along {
        ($($name:ident)*) => {$(
            check(concat!(stringify!($name), " 0"), jnp::$name(&n, 0));
            check(concat!(stringify!($name), " 1"), jnp::$name(&n, 1));
        )*};
    }
    along!(nanargmax nanargmin nancumsum nancumprod);
    check("nanargmax gone", jnp::nanargmax(&gone, 1));
    check("quantile vector", jnp::quantile(&a, &q, 1));
    check("quantile scalar", jnp::quantile(&a, 0.3, ..));
    check("quantile pair", jnp::quantile(&b, &q, [0, 2]));
    check("quantile keep", jnp::quantile(&b, &q, keepdims([0, 2])));
    check("quantile lower", jnp::quantile_by(&a, &q, 1, QuantileMethod::Lower));
    check("quantile higher", jnp::quantile_by(&a, &q, 1, QuantileMethod::Higher));
    check("quantile midpoint", jnp::quantile_by(&a, &q, 1, QuantileMethod::Midpoint));
    check("quantile nearest", jnp::quantile_by(&a, &q, 1, QuantileMethod::Nearest));
    check("quantile nan", jnp::quantile(&n, &q, 1));
    check("quantile ints", jnp::quantile(&i, 0.25, 0));
    check("nanquantile", jnp::nanquantile(&n, &q, 1));
    check("percentile", jnp::percentile(&a, &q * 100, 0));
    check("nanpercentile", jnp::nanpercentile(&n, 30.0, 0));
    check("median", jnp::median(&a, 1));
    check("median nan", jnp::median(&n, 0));
    check("cov", jnp::cov(&a));
    check("cov vector", jnp::cov(&v));
    let squares = v.square();
    check("cov y bias", jnp::cov_with(&v, CovOptions { y: Some(&squares), bias: true, ..CovOptions::default() }));
    check("cov columns", jnp::cov_with(&a, CovOptions { columns: true, ddof: Some(0), ..CovOptions::default() }));
    let counts = jnp::array([1, 2, 0, 3]);
    check("cov fweights", jnp::cov_with(&a, CovOptions { fweights: Some(&counts), ..CovOptions::default() }));
    check("cov aweights", jnp::cov_with(&a, CovOptions { aweights: Some(&w), ..CovOptions::default() }));
    check("cov complex", jnp::cov(&jnp::stack(&[&z, &(&z * &z)], 0)));
    check("corrcoef", jnp::corrcoef(&a));
    check("average", jnp::average(&a, 1, &w));
}

fn sets_and_histograms(g: &Golden) {
    let (i, c, d, v, s, x) = (g.input("i"), g.input("c"), g.input("d"), g.input("v"), g.input("s"), g.input("x"));
    let nu = g.input("nu");
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    let pair = |name: &str, found: (Array, Array)| g.check_all(name, &[&found.0, &found.1], CLOSE);
    pair("histogram", jnp::histogram(&v, 4));
    pair("histogram ints", jnp::histogram(&c, 3));
    let options = HistogramOptions { range: Some((-1.0, 1.0)), density: true, ..HistogramOptions::default() };
    pair("histogram range density", jnp::histogram_with(&v, 5, options));
    pair("histogram edges", jnp::histogram(&x, &s.index(jnp::array([0, 1, 3, 4]))));
    let weights = v.abs();
    let options = HistogramOptions { weights: Some(&weights), ..HistogramOptions::default() };
    pair("histogram weights", jnp::histogram_with(&v, 3, options));
    let (counts, first, second) = jnp::histogram2d(&v, &jnp::flip(&v, 0), [Bins::Count(2), Bins::Count(3)]);
    g.check_all("histogram2d", &[&counts, &first, &second], CLOSE);
    check("bincount", jnp::bincount(&c));
    let length = |length| BincountOptions { length: Some(length), ..BincountOptions::default() };
    check("bincount length", jnp::bincount_with(&c, length(3)));
    let weighted = BincountOptions { weights: Some(&v), min_length: 10, ..BincountOptions::default() };
    check("bincount weights", jnp::bincount_with(&c, weighted));
    check("bincount negative", jnp::bincount_with(&i.ravel(), length(4)));
    check("digitize", jnp::digitize(&x, &s, false));
    check("digitize right", jnp::digitize(&x, &s, true));
    check("digitize down", jnp::digitize(&x, &jnp::flip(&s, 0), false));
    let u = jnp::unique_all(&c, None);
    g.check_all("unique", &[&u.values, &u.indices, &u.inverse, &u.counts], 0.0);
    let sized = jit(|c: &Array| jnp::unique(c, Some(6)));
    check("unique sized", sized(&c));
    check("unique cut", jnp::unique(&c, Some(2)));
    check("unique filled", jnp::unique_filled(&c, 6, -1));
    pair("unique nan", jnp::unique_counts(&nu, None));
    pair("unique inverse shape", jnp::unique_inverse(&i, None));
    check("union1d", jnp::union1d(&c, &d, None));
    check("union1d sized", jnp::union1d(&c, &d, Some(8)));
    check("intersect1d", jnp::intersect1d(&c, &d, None));
    check("setdiff1d", jnp::setdiff1d(&c, &d, None));
    check("setxor1d", jnp::setxor1d(&c, &d, None));
}

fn along_axes(g: &Golden) {
    let (a, b, i, c, d, v, w) =
        (g.input("a"), g.input("b"), g.input("i"), g.input("c"), g.input("d"), g.input("v"), g.input("w"));
    let (x, z) = (g.input("x"), g.input("z"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    check("gradient", jnp::gradient(&a, 0.5, 1));
    check("gradient ints", jnp::gradient(&c, 1.0, 0));
    check("ediff1d", jnp::ediff1d(&c, Some(&jnp::array([9])), Some(&jnp::array([1, 2]))));
    check("trapezoid", jnp::trapezoid(&a, 0.5, 0));
    check("trapezoid over", jnp::trapezoid_over(&a, &w, 1));
    check("cumulative_sum", jnp::cumulative_sum(&a, 1, true));
    check("cumulative_prod", jnp::cumulative_prod(&i, 0, true));
    check("unwrap", jnp::unwrap(&(&v * 5), std::f64::consts::TAU, -1));
    check("unwrap period", jnp::unwrap(&(&b * 3), 2.0, 1));
    let (xp, fp) = (jnp::array([0.5, 1.5, 2.5, 4.0]), jnp::array([3.0, -1.0, 2.0, 8.0]));
    check("interp", jnp::interp(&x, &xp, &fp));
    let ends = InterpOptions { left: Some(-7.0), right: Some(77.0), period: None };
    check("interp ends", jnp::interp_with(&x, &xp, &fp, ends));
    let periodic = InterpOptions { period: Some(5.0), ..InterpOptions::default() };
    check("interp period", jnp::interp_with(&x, &xp, &fp, periodic));
    for (name, mode) in [("full", ConvolveMode::Full), ("same", ConvolveMode::Same), ("valid", ConvolveMode::Valid)] {
        check(&format!("convolve {name}"), jnp::convolve(&v, &w, mode));
        check(&format!("convolve swapped {name}"), jnp::convolve(&w, &v, mode));
        check(&format!("correlate {name}"), jnp::correlate(&v, &w, mode));
        check(&format!("correlate swapped {name}"), jnp::correlate(&w, &v, mode));
    }
    check("convolve ints", jnp::convolve(&c, &d, ConvolveMode::Full));
    check("correlate complex", jnp::correlate(&z, &z.index(..2), ConvolveMode::Full));
    check("diff 2", jnp::diff(&a, 2, 1));
    check("apply_along_axis", jnp::apply_along_axis(|l: &Array| jnp::outer(l, l).index(..2), 1, &b));
    check("apply_over_axes", jnp::apply_over_axes(|x: &Array, axis| x.sum(axis), &b, &[0, 2]));
    check("vecdot complex", jnp::vecdot(&z, &(&z * rjax::Complex64::new(0.0, 1.0))));
}

fn arrangements(g: &Golden) {
    let (a, i, c, s, x, v) = (g.input("a"), g.input("i"), g.input("c"), g.input("s"), g.input("x"), g.input("v"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    let modes = [
        ("edge", PadMode::Edge),
        ("reflect", PadMode::Reflect),
        ("symmetric", PadMode::Symmetric),
        ("wrap", PadMode::Wrap),
        ("maximum", PadMode::Maximum),
        ("minimum", PadMode::Minimum),
        ("mean", PadMode::Mean),
        ("median", PadMode::Median),
    ];
    for (name, mode) in modes {
        check(&format!("pad {name}"), jnp::pad_with(&a, &[(1, 2), (5, 0)], mode));
        check(&format!("pad ints {name}"), jnp::pad_with(&i, &[(0, 1), (2, 3)], mode));
    }
    check("pad ramp", jnp::pad_with(&a, &[(1, 2), (3, 0)], PadMode::LinearRamp(2.0)));
    check("insert one", jnp::insert(&c, &[2], 99, 0));
    check("insert some", jnp::insert(&a, &[0, 2, 2], 5.0, 1));
    check("delete", jnp::delete(&a, &[1, -1], 1));
    check("resize", jnp::resize(&c, [3, 4]));
    check("trim_zeros", jnp::trim_zeros(&jnp::array([0, 0, 1, 0, 2, 0])));
    check("repeat each", jnp::repeat_each(&a, &[2, 0, 1], 0));
    let (left, below) = (a.index((.., ..1)), i.index(..1).astype(DType::F32));
    check("block", jnp::block(&[&[&a, &left], &[&below, &jnp::ones([1, 1], DType::F32)]]));
    let (c0, c1, c2) = (c.index(..3), c.index(3..6), c.index(4..));
    check("choose", jnp::choose(&jnp::array([2, 0, 1]), &[&c0, &c1, &c2], TakeMode::Clip));
    check("choose wrap", jnp::choose(&jnp::array([5, -1, 1]), &[&c0, &c1, &c2], TakeMode::Wrap));
    check("compress", jnp::compress(&jnp::array([true, false, true]), &a, 0, None));
    check("put", jnp::put(&a, &jnp::array([0, 5, 5]), &jnp::array([10.0, 20.0]), TakeMode::Clip));
    check("put_along_axis", jnp::put_along_axis(&a, &jnp::array([[0], [3], [1]]), 9.0, 1));
    check("place", jnp::place(&a, &a.gt(0.0), &jnp::array([1.0, 2.0, 3.0])));
    check("fill_diagonal", jnp::fill_diagonal(&a, 7.0));
    check("indices", jnp::indices([2, 3]));
    let all = |name: &str, found: Vec<Array>| g.check_all(name, &found.iter().collect::<Vec<_>>(), 0.0);
    all("diag_indices", jnp::diag_indices(3, 2));
    all("mask_indices", jnp::mask_indices(3, jnp::triu, 1));
    all("tril_indices_from", jnp::tril_indices_from(&a, 1));
    all("triu_indices_from", jnp::triu_indices_from(&a, 1));
    let branches: [&dyn Fn(&Array) -> Array; 3] = [&|x: &Array| -x, &|x: &Array| x * 2, &|x: &Array| x + 1];
    check("piecewise", jnp::piecewise(&v, &[&v.lt(0.0), &v.gt(0.5)], &branches));
    check("searchsorted left", jnp::searchsorted(&s, &x, false));
    check("searchsorted right", jnp::searchsorted(&s, &x, true));
    check("trace 1", jnp::trace(&a, 1));
    check("kron", jnp::kron(&a.index((..2, ..2)), &i.index((..2, ..1))));
    check("cross", jnp::cross(&a.index((.., ..3)), &a.index((.., 1..))));
}

fn parts_of_numbers(g: &Golden) {
    let (a, i, c, f, u, x) = (g.input("a"), g.input("i"), g.input("c"), g.input("f"), g.input("u"), g.input("x"));
    let (gs, hs, z) = (g.input("g"), g.input("h"), g.input("z"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    let pair = |name: &str, found: (Array, Array)| g.check_all(name, &[&found.0, &found.1], 0.0);
    pair("frexp", jnp::frexp(&f));
    let mantissas = jnp::array([1.0, -1.5, 3.0, 1.0]);
    check("ldexp", jnp::ldexp(&mantissas, jnp::array([3, -130, 126, 140])));
    pair("modf", jnp::modf(&f));
    g.check("spacing", &jnp::spacing(&f), 0.0);
    g.check("nextafter", &jnp::nextafter(&f, 1.0), 0.0);
    check("gcd", jnp::gcd(&gs, &hs));
    check("lcm", jnp::lcm(&gs, &hs));
    check("bitwise_count", jnp::bitwise_count(&i));
    check("packbits", jnp::packbits(&i.gt(0), 1, BitOrder::Big));
    check("packbits little", jnp::packbits(&i.gt(0), 0, BitOrder::Little));
    check("unpackbits", jnp::unpackbits(&u, 0, BitOrder::Big));
    check("unpackbits little", jnp::unpackbits(&u, 0, BitOrder::Little));
    for (name, window) in [
        ("bartlett", jnp::bartlett as fn(usize) -> Array),
        ("blackman", jnp::blackman),
        ("hamming", jnp::hamming),
        ("hanning", jnp::hanning),
    ] {
        check(name, window(7));
        check(&format!("{name} one"), window(1));
    }
    check("kaiser", jnp::kaiser(6, 8.6));
    let (p1, p2) = (jnp::array([1.0, -3.0, 2.0, 5.0]), jnp::array([2.0, 1.0]));
    check("polyval", jnp::polyval(&p1, &a));
    check("polyadd", jnp::polyadd(&p1, &p2));
    check("polysub", jnp::polysub(&p2, &p1));
    check("polymul", jnp::polymul(&p1, &p2));
    pair("polydiv", jnp::polydiv(&p1, &p2));
    check("polyder", jnp::polyder(&p1, 2));
    check("polyint", jnp::polyint(&p1, 2));
    check("poly", jnp::poly(&p2));
    check("vander", jnp::vander(&p1, 3, false));
    check("vander increasing", jnp::vander(&c.index(..3), 4, true));
    check("geomspace", jnp::geomspace(1.0, 256.0, 5));
    check("float_power", jnp::float_power(&c, 2));
    check("fabs", jnp::fabs(&i));
    let (n, d, fnum, fden) = (g.input("nums"), g.input("dens"), g.input("fnums"), g.input("fdens"));
    check("floor_divide", jnp::floor_divide(&n, &d));
    check("floor_divide float", jnp::floor_divide(&fnum, &fden));
    check("remainder", jnp::remainder(&n, &d));
    check("remainder float", jnp::remainder(&fnum, &fden));
    check("fmod", jnp::fmod(&n, &d));
    check("fmod float", jnp::fmod(&fnum, &fden));
    pair("divmod", jnp::divmod(&n, &d));
    pair("divmod float", jnp::divmod(&fnum, &fden));
    check("signbit", jnp::signbit(&f));
    check("copysign", jnp::copysign(&fnum, -f.index(..8)));
    check("nan_to_num", jnp::nan_to_num(&f));
    check("round 1", jnp::round(&a, 1));
    check("rint", jnp::rint(&fnum));
    check("logaddexp2", jnp::logaddexp2(fnum.index(..4), fden.index(..4)));
    check("sort_complex", jnp::sort_complex(&z));
    check("heaviside", jnp::heaviside(&f, 0.5));
    check("sinc", jnp::sinc(&x));
}
