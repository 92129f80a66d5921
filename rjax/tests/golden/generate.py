"""Writes the tables of expected values beside this file, computed with JAX and NumPy.

Run: python generate.py [table...]. Each line is `name dtype[shape] values...`; inputs that the Rust side reads as well have
names that start with `in:`. Complex numbers are two values.
"""

import os
import sys

import numpy as np

os.environ["JAX_ENABLE_X64"] = "0"
import jax
import jax.numpy as jnp
import jax.scipy.linalg as scipy_linalg
import jax.scipy.special as special
import jax.scipy.stats as stats
from jax import lax, nn

HERE = os.path.dirname(os.path.abspath(__file__))
SHORT = {
    "float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int32": "i32", "int64": "i64",
    "int16": "i16", "int8": "i8", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool",
    "complex64": "c64", "complex128": "c128",
}


class Table:
    def __init__(self, name):
        self.name, self.lines = name, []

    def line(self, name, value):
        value = np.asarray(value)
        flat = value.reshape(-1)
        if np.iscomplexobj(flat):
            flat = np.stack([flat.real, flat.imag], -1).reshape(-1)
        if flat.dtype.kind in "fV":
            words = [repr(float(x)) for x in flat.astype(np.float64)]
        else:
            words = [str(int(x)) for x in flat]
        shape = ",".join(map(str, value.shape))
        self.lines.append(" ".join([name.replace(" ", "_"), f"{SHORT[value.dtype.name]}[{shape}]"] + words))

    def input(self, name, value):
        self.line("in:" + name, value)
        return jnp.asarray(value)

    def case(self, name, value):
        if isinstance(value, (tuple, list)):
            for i, part in enumerate(value):
                self.line(f"{name}.{i}", part)
        else:
            self.line(name, value)

    def write(self):
        with open(os.path.join(HERE, self.name + ".txt"), "w") as out:
            out.write("\n".join(self.lines) + "\n")


def numpy_table():
    t = Table("numpy")
    rng = np.random.RandomState(0)
    a = t.input("a", rng.randn(3, 4).astype(np.float32))
    b = t.input("b", rng.randn(2, 3, 4).astype(np.float32))
    n = np.array(a)
    n[0, 1] = n[2, 1] = n[2, 0] = np.nan
    n = t.input("n", n)
    gone = t.input("gone", np.array([[np.nan, np.nan], [1, np.nan]], np.float32))
    i = t.input("i", rng.randint(-5, 6, (3, 4)).astype(np.int32))
    c = t.input("c", np.array([3, 1, 3, 0, 1, 7, 3], np.int32))
    d = t.input("d", np.array([7, 2, 3, 9], np.int32))
    v = t.input("v", rng.randn(7).astype(np.float32))
    w = t.input("w", rng.rand(4).astype(np.float32))
    s = t.input("s", np.array([0.5, 1.5, 1.5, 2.5, 4.0], np.float32))
    q = t.input("q", np.array([0.0, 0.1, 0.5, 0.77, 1.0], np.float32))
    x = t.input("x", np.array([-1.0, 0.5, 0.7, 1.5, 2.0, 3.9, 4.0, 9.0], np.float32))
    f = t.input("f", np.array([0.0, -0.0, 1.0, -2.5, 1.5e-38, 3e38, np.inf, -np.inf, np.nan, 0.1], np.float32))
    u = t.input("u", np.array([0, 1, 127, 200, 255], np.uint8))
    g = t.input("g", np.array([12, -18, 0, 7, 0], np.int32))
    h = t.input("h", np.array([8, 27, 5, 0, 0], np.int32))
    z = t.input("z", np.array([1 + 2j, -1j, 3], np.complex64))
    nu = t.input("nu", np.array([2.0, np.nan, 1.0, 2.0, np.nan], np.float32))

    for name in "nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian".split():
        fn = getattr(jnp, name)
        t.case(name + " all", fn(n))
        t.case(name + " 0", fn(n, 0))
        t.case(name + " keep", fn(n, 1, keepdims=True))
        t.case(name + " gone", fn(gone, 1))
    t.case("nanvar ddof", jnp.nanvar(gone, 1, ddof=1))
    for name in "nanargmax nanargmin nancumsum nancumprod".split():
        t.case(name + " 0", getattr(jnp, name)(n, 0))
        t.case(name + " 1", getattr(jnp, name)(n, 1))
    t.case("nanargmax gone", jnp.nanargmax(gone, 1))
    t.case("quantile vector", jnp.quantile(a, q, 1))
    t.case("quantile scalar", jnp.quantile(a, 0.3))
    t.case("quantile pair", jnp.quantile(b, q, (0, 2)))
    t.case("quantile keep", jnp.quantile(b, q, (0, 2), keepdims=True))
    for method in "lower higher midpoint nearest".split():
        t.case("quantile " + method, jnp.quantile(a, q, 1, method=method))
    t.case("quantile nan", jnp.quantile(n, q, 1))
    t.case("quantile ints", jnp.quantile(i, 0.25, 0))
    t.case("nanquantile", jnp.nanquantile(n, q, 1))
    t.case("percentile", jnp.percentile(a, q * 100, 0))
    t.case("nanpercentile", jnp.nanpercentile(n, 30.0, 0))
    t.case("median", jnp.median(a, 1))
    t.case("median nan", jnp.median(n, 0))
    t.case("cov", jnp.cov(a))
    t.case("cov vector", jnp.cov(v))
    t.case("cov y bias", jnp.cov(v, v * v, bias=True))
    t.case("cov columns", jnp.cov(a, rowvar=False, ddof=0))
    t.case("cov fweights", jnp.cov(a, fweights=jnp.array([1, 2, 0, 3])))
    t.case("cov aweights", jnp.cov(a, aweights=w))
    t.case("cov complex", jnp.cov(jnp.stack([z, z * z])))
    t.case("corrcoef", jnp.corrcoef(a))
    t.case("histogram", jnp.histogram(v, 4))
    t.case("histogram ints", jnp.histogram(c, 3))
    t.case("histogram range density", jnp.histogram(v, 5, range=(-1, 1), density=True))
    t.case("histogram edges", jnp.histogram(x, s[jnp.array([0, 1, 3, 4])]))
    t.case("histogram weights", jnp.histogram(v, 3, weights=jnp.abs(v)))
    t.case("histogram2d", jnp.histogram2d(v, v[::-1], [2, 3]))
    t.case("bincount", jnp.bincount(c))
    t.case("bincount length", jnp.bincount(c, length=3))
    t.case("bincount weights", jnp.bincount(c, weights=v, minlength=10))
    t.case("bincount negative", jnp.bincount(i.ravel(), length=4))
    t.case("digitize", jnp.digitize(x, s))
    t.case("digitize right", jnp.digitize(x, s, right=True))
    t.case("digitize down", jnp.digitize(x, s[::-1]))
    t.case("unique", jnp.unique(c, return_index=True, return_inverse=True, return_counts=True))
    t.case("unique sized", jnp.unique(c, size=6))
    t.case("unique cut", jnp.unique(c, size=2))
    t.case("unique filled", jnp.unique(c, size=6, fill_value=-1))
    t.case("unique nan", jnp.unique(nu, return_counts=True))
    t.case("unique inverse shape", jnp.unique_inverse(i))
    t.case("union1d", jnp.union1d(c, d))
    t.case("union1d sized", jnp.union1d(c, d, size=8))
    t.case("intersect1d", jnp.intersect1d(c, d))
    t.case("setdiff1d", jnp.setdiff1d(c, d))
    t.case("setxor1d", jnp.setxor1d(c, d))
    t.case("gradient", jnp.gradient(a, 0.5, axis=1))
    t.case("gradient ints", jnp.gradient(c, 1.0))
    t.case("ediff1d", jnp.ediff1d(c, to_begin=jnp.array([9]), to_end=jnp.array([1, 2])))
    t.case("trapezoid", jnp.trapezoid(a, dx=0.5, axis=0))
    t.case("trapezoid over", jnp.trapezoid(a, w, axis=1))
    t.case("cumulative_sum", jnp.cumulative_sum(a, axis=1, include_initial=True))
    t.case("cumulative_prod", jnp.cumulative_prod(i, axis=0, include_initial=True))
    t.case("unwrap", jnp.unwrap(v * 5))
    t.case("unwrap period", jnp.unwrap(b * 3, period=2.0, axis=1))
    xp, fp = jnp.array([0.5, 1.5, 2.5, 4.0]), jnp.array([3.0, -1.0, 2.0, 8.0])
    t.case("interp", jnp.interp(x, xp, fp))
    t.case("interp ends", jnp.interp(x, xp, fp, left=-7, right=77))
    t.case("interp period", jnp.interp(x, xp, fp, period=5.0))
    for mode in "full same valid".split():
        t.case("convolve " + mode, jnp.convolve(v, w, mode=mode))
        t.case("convolve swapped " + mode, jnp.convolve(w, v, mode=mode))
        t.case("correlate " + mode, jnp.correlate(v, w, mode=mode))
        t.case("correlate swapped " + mode, jnp.correlate(w, v, mode=mode))
    t.case("convolve ints", jnp.convolve(c, d))
    t.case("correlate complex", jnp.correlate(z, z[:2], mode="full"))
    for mode in "edge reflect symmetric wrap maximum minimum mean median".split():
        t.case("pad " + mode, jnp.pad(a, [(1, 2), (5, 0)], mode=mode))
        t.case("pad ints " + mode, jnp.pad(i, [(0, 1), (2, 3)], mode=mode))
    t.case("pad ramp", jnp.pad(a, [(1, 2), (3, 0)], mode="linear_ramp", end_values=2.0))
    t.case("insert one", jnp.insert(c, 2, 99))
    t.case("insert some", jnp.insert(a, jnp.array([0, 2, 2]), 5.0, axis=1))
    t.case("delete", jnp.delete(a, jnp.array([1, -1]), axis=1))
    t.case("resize", jnp.resize(c, (3, 4)))
    t.case("trim_zeros", jnp.trim_zeros(jnp.array([0, 0, 1, 0, 2, 0])))
    t.case("repeat each", jnp.repeat(a, jnp.array([2, 0, 1]), axis=0))
    t.case("block", jnp.block([[a, a[:, :1]], [i[:1].astype(jnp.float32), jnp.ones((1, 1))]]))
    t.case("choose", jnp.choose(jnp.array([2, 0, 1]), [c[:3], c[3:6], c[4:]]))
    t.case("choose wrap", jnp.choose(jnp.array([5, -1, 1]), [c[:3], c[3:6], c[4:]], mode="wrap"))
    t.case("compress", jnp.compress(jnp.array([True, False, True]), a, axis=0))
    t.case("put", jnp.put(a, jnp.array([0, 5, 5]), jnp.array([10.0, 20.0]), inplace=False))
    t.case("put_along_axis", jnp.put_along_axis(a, jnp.array([[0], [3], [1]]), 9.0, axis=1, inplace=False))
    t.case("place", jnp.place(a, a > 0, jnp.array([1.0, 2.0, 3.0]), inplace=False))
    t.case("fill_diagonal", jnp.fill_diagonal(a, 7.0, inplace=False))
    t.case("indices", jnp.indices((2, 3)))
    t.case("diag_indices", jnp.diag_indices(3, 2))
    t.case("mask_indices", jnp.mask_indices(3, jnp.triu, 1))
    t.case("tril_indices_from", jnp.tril_indices_from(a, 1))
    t.case("triu_indices_from", jnp.triu_indices_from(a, 1))
    t.case("piecewise", jnp.piecewise(v, [v < 0, v > 0.5], [lambda x: -x, lambda x: x * 2, lambda x: x + 1]))
    t.case("apply_along_axis", jnp.apply_along_axis(lambda l: jnp.outer(l, l)[:2], 1, b))
    t.case("apply_over_axes", jnp.apply_over_axes(jnp.sum, b, [0, 2]))
    t.case("frexp", jnp.frexp(f))
    t.case("ldexp", jnp.ldexp(jnp.array([1.0, -1.5, 3.0, 1.0], jnp.float32), jnp.array([3, -130, 126, 140])))
    t.case("modf", jnp.modf(f))
    t.case("spacing", jnp.spacing(f))
    t.case("nextafter", jnp.nextafter(f, 1.0))
    t.case("gcd", jnp.gcd(g, h))
    t.case("lcm", jnp.lcm(g, h))
    t.case("bitwise_count", jnp.bitwise_count(i))
    t.case("packbits", jnp.packbits(i > 0, axis=1))
    t.case("packbits little", jnp.packbits(i > 0, axis=0, bitorder="little"))
    t.case("unpackbits", jnp.unpackbits(u))
    t.case("unpackbits little", jnp.unpackbits(u, bitorder="little"))
    for name in "bartlett blackman hamming hanning".split():
        t.case(name, getattr(jnp, name)(7))
        t.case(name + " one", getattr(jnp, name)(1))
    t.case("kaiser", jnp.kaiser(6, 8.6))
    p1, p2 = jnp.array([1.0, -3.0, 2.0, 5.0]), jnp.array([2.0, 1.0])
    t.case("polyval", jnp.polyval(p1, a))
    t.case("polyadd", jnp.polyadd(p1, p2))
    t.case("polysub", jnp.polysub(p2, p1))
    t.case("polymul", jnp.polymul(p1, p2))
    t.case("polydiv", jnp.polydiv(p1, p2))
    t.case("polyder", jnp.polyder(p1, 2))
    t.case("polyint", jnp.polyint(p1, 2))
    t.case("poly", jnp.poly(p2))
    t.case("vander", jnp.vander(p1, 3))
    t.case("vander increasing", jnp.vander(c[:3], 4, increasing=True))
    t.case("geomspace", jnp.geomspace(1.0, 256.0, 5))
    t.case("float_power", jnp.float_power(c, 2))
    t.case("fabs", jnp.fabs(i))
    # Integer division: signs and zeros.
    nums, dens = t.input("nums", np.array([7, -7, 7, -7, 5, -5, 0, -2**31], np.int32)), t.input(
        "dens", np.array([2, 2, -2, -2, 0, 0, 0, -1], np.int32))
    fn, fd = t.input("fnums", np.array([7.5, -7.5, 7.5, -7.5, 1.0, -0.0, np.inf, 3.0], np.float32)), t.input(
        "fdens", np.array([2, 2, -2, -2, 0.0, 3.0, 2.0, np.inf], np.float32))
    for name in "floor_divide remainder fmod divmod".split():
        t.case(name, getattr(jnp, name)(nums, dens))
        t.case(name + " float", getattr(jnp, name)(fn, fd))
    t.case("signbit", jnp.signbit(f))
    t.case("copysign", jnp.copysign(fn, -f[:8]))
    t.case("nan_to_num", jnp.nan_to_num(f))
    t.case("round 1", jnp.round(a, 1))
    t.case("rint", jnp.rint(fn))
    t.case("logaddexp2", jnp.logaddexp2(fn[:4], fd[:4]))
    t.case("average", jnp.average(a, 1, w))
    t.case("searchsorted left", jnp.searchsorted(s, x))
    t.case("searchsorted right", jnp.searchsorted(s, x, side="right"))
    t.case("sort_complex", jnp.sort_complex(z))
    t.case("diff 2", jnp.diff(a, 2, 1))
    t.case("trace 1", jnp.trace(a, 1))
    t.case("kron", jnp.kron(a[:2, :2], i[:2, :1]))
    t.case("cross", jnp.cross(a[:, :3], a[:, 1:]))
    t.case("heaviside", jnp.heaviside(f, 0.5))
    t.case("sinc", jnp.sinc(x))
    t.case("vecdot complex", jnp.vecdot(z, z * 1j))
    t.write()


def special_table():
    t = Table("special")
    x = t.input("x", np.array([-3.5, -1.0, -0.3, 0.0, 0.2, 0.9, 1.0, 2.5, 7.0, 30.0], np.float32))
    y = t.input("y", np.array([0.5, 2.0, 1.0, 0.0, 3.0, 0.1, 4.0, 20.0, 9.0, 100.0], np.float32))
    pos = t.input("pos", np.array([0.01, 0.3, 0.9, 1.0, 1.7, 3.0, 6.0, 12.0, 35.0, 50.0], np.float32))
    p = t.input("p", np.array([0.0, 1e-20, 1e-3, 0.1, 0.25, 0.5, 0.75, 0.99, 0.9999, 1.0], np.float32))
    far = t.input("far", np.array([-40.0, -12.0, -9.0, -3.0, 0.0, 1.0, 4.0, 6.0, 9.0, np.inf], np.float32))
    k = t.input("k", np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 20], np.int32))
    for name in "gammaln gammasgn gamma factorial digamma erf erfc expit i0 i0e i1 i1e entr loggamma".split():
        t.case(name, getattr(special, name)(x))
    t.case("erfinv", special.erfinv(p))
    t.case("logit", special.logit(p))
    for name in "xlogy xlog1py rel_entr kl_div".split():
        t.case(name, getattr(special, name)(y, x))
        t.case(name + " pos", getattr(special, name)(y, pos))
    t.case("beta", special.beta(y, pos))
    t.case("betaln", special.betaln(y, pos))
    t.case("betaln large", special.betaln(pos, pos * 1e5))
    t.case("betainc", special.betainc(pos, y + 1, p))
    t.case("gammainc", special.gammainc(pos, y))
    t.case("gammaincc", special.gammaincc(pos, y))
    t.case("polygamma", special.polygamma(k, pos))
    t.case("zeta", special.zeta(pos + 1.5, y + 1))
    t.case("multigammaln", special.multigammaln(pos + 3, 4))
    t.case("comb", special.comb(k, 3))
    t.case("poch", special.poch(pos, 2.5))
    t.case("boxcox", special.boxcox(pos, 0.5))
    t.case("boxcox zero", special.boxcox(pos, 0.0))
    t.case("boxcox1p", special.boxcox1p(pos, -0.3))
    t.case("ndtr", special.ndtr(far))
    t.case("log_ndtr", special.log_ndtr(far))
    t.case("ndtri", special.ndtri(p))
    t.case("owens_t", special.owens_t(x, y))
    t.case("exp1", special.exp1(y))
    t.case("expn 0", special.expn(0, pos))
    # JAX has 1/2 at 0, where the integral is 1.
    t.case("expn 2", special.expn(2, pos))
    t.case("expn 5", special.expn(5, pos))
    # JAX has NaN at 0, where the integral is minus infinity.
    t.case("expi", special.expi(x[x != 0]))
    t.case("bernoulli", special.bernoulli(12))
    m = jnp.array([[True, False, True, True]] * 2 + [[True] * 4])
    a = t.input("a", np.array([[1, 2, 3, 4], [-1, 900, 0, 1], [1000, 1000, 0, -1000]], np.float32))
    t.case("softmax where", nn.softmax(a, where=m))
    t.case("log_softmax where", nn.log_softmax(a, where=m))
    t.case("logmeanexp", nn.logmeanexp(a, axis=1))
    for name in ("relu relu6 sigmoid log_sigmoid softplus silu gelu elu celu selu leaky_relu hard_tanh hard_sigmoid hard_silu "
                 "mish soft_sign squareplus sparse_plus sparse_sigmoid").split():
        t.case(name, getattr(nn, name)(x))
        t.case(name + " grad", jax.vmap(jax.grad(getattr(nn, name)))(x))
    t.case("gelu exact", nn.gelu(x, approximate=False))
    t.case("log1mexp", nn.log1mexp(pos))
    for name in "log_ndtr ndtri xlogy entr expit".split():
        fn = getattr(special, name)
        if name == "xlogy":
            t.case("xlogy grad", jax.vmap(jax.grad(fn, (0, 1)))(y, pos))
        else:
            points = p[2:-1] if name in ("ndtri", "entr") else far[:-1]
            t.case(name + " grad", jax.vmap(jax.grad(fn))(points))
    for name in "norm uniform expon laplace logistic cauchy gumbel_r gumbel_l".split():
        d = getattr(stats, name)
        t.case(name + " logpdf", d.logpdf(x, 0.5, 2.0))
        t.case(name + " pdf", d.pdf(x, 0.5, 2.0))
        t.case(name + " cdf", d.cdf(x, 0.5, 2.0))
    t.case("norm ppf", stats.norm.ppf(p, 1.0, 2.0))
    t.case("norm logsf", stats.norm.logsf(x, 1.0, 2.0))
    t.case("gamma logpdf", stats.gamma.logpdf(pos, 2.5, 0.1, 2.0))
    t.case("gamma cdf", stats.gamma.cdf(pos, 2.5, 0.1, 2.0))
    t.case("beta logpdf", stats.beta.logpdf(p[1:-1], 2.5, 0.7))
    t.case("t logpdf", stats.t.logpdf(x, 3.0, 0.5, 2.0))
    t.case("chi2 logpdf", stats.chi2.logpdf(pos, 3.0))
    t.case("poisson logpmf", stats.poisson.logpmf(k, 3.5))
    t.case("poisson cdf", stats.poisson.cdf(k, 3.5))
    t.case("bernoulli logpmf", stats.bernoulli.logpmf(k[:3], 0.3))
    t.case("binom logpmf", stats.binom.logpmf(k, 10, 0.3))
    t.write()


def linear_table():
    t = Table("linear")
    x = t.input("x", np.arange(40, dtype=np.float32).reshape(1, 4, 5, 2) * np.float32(0.1) - 2)
    w = t.input("w", np.cos(np.arange(36, dtype=np.float32)).reshape(3, 2, 2, 3))
    wt = t.input("wt", np.sin(np.arange(36, dtype=np.float32)).reshape(3, 2, 3, 2))
    v, k = x[0, :, :, 0][:, :, None], w[:, 0, :1, :]
    for padding in ("SAME", "VALID"):
        t.case("conv_transpose " + padding, lax.conv_transpose(x, w, (2, 3), padding))
        t.case("conv_transpose small stride " + padding, lax.conv_transpose(x, w, (1, 1), padding))
        t.case("conv_transpose dilated " + padding, lax.conv_transpose(x, w, (2, 1), padding, rhs_dilation=(1, 2)))
        t.case("conv_transpose kernel " + padding, lax.conv_transpose(x, wt, (2, 2), padding, transpose_kernel=True))
        t.case("conv_transpose line " + padding, lax.conv_transpose(v, k, (4,), padding))
        t.case("patches " + padding, lax.conv_general_dilated_patches(x, (2, 2), (1, 2), padding))
    t.case("conv_transpose pads", lax.conv_transpose(x, w, (2, 2), [(1, 0), (2, 1)]))
    numbers = ("NHWC", "HWIO", "NHWC")
    t.case("patches features last", lax.conv_general_dilated_patches(
        x, (3, 2), (1, 1), [(1, 0), (0, 0)], rhs_dilation=(1, 2), dimension_numbers=numbers))
    t.case("conv_with_general_padding", lax.conv_with_general_padding(
        x, w.reshape(3, 4, 3, 1), (1, 1), [(1, 1), (2, 0)], (1, 2), (1, 1)))
    a = t.input("a", np.array([[4, 1, -2, 2], [1, 2, 0, 1], [3, 0, 3, -2], [2, 1, -2, 5]], np.float32))
    t.case("fft", lax.fft(a.astype(jnp.complex64), "FFT", (4, 4)))
    t.case("ifft", lax.fft(a.astype(jnp.complex64), lax.FftType.IFFT, (4,)))
    t.case("irfft", lax.fft(a.astype(jnp.complex64), "IRFFT", (6,)))
    t.case("sqrtm", scipy_linalg.sqrtm(a))
    t.case("sqrtm triangle", scipy_linalg.sqrtm(jnp.triu(a)))
    t.case("hessenberg", scipy_linalg.hessenberg(a, calc_q=True))
    t.case("hessenberg batch", scipy_linalg.hessenberg(jnp.stack([a, a.T])))
    t.case("polar right", scipy_linalg.polar(a, method="svd"))
    t.case("polar left", scipy_linalg.polar(a[:, :3].T, side="left", method="svd"))
    d, e = t.input("d", np.array([1, -2, 0.5, 3], np.float32)), t.input("e", np.array([0.3, 2, -1], np.float32))
    t.case("eigh_tridiagonal", scipy_linalg.eigh_tridiagonal(d, e, eigvals_only=True))
    t.case("schur values", jnp.sort(jnp.real(jnp.diag(scipy_linalg.schur(a, output="complex")[0]))))
    t.case("dft", scipy_linalg.dft(5))
    t.case("dft sqrt", scipy_linalg.dft(4, "sqrtn"))
    t.case("dft size", scipy_linalg.dft(3, "n"))
    t.case("fiedler", scipy_linalg.fiedler(d))
    t.case("hadamard", scipy_linalg.hadamard(8))
    t.case("helmert", scipy_linalg.helmert(5))
    t.case("helmert full", scipy_linalg.helmert(4, full=True))
    t.case("leslie", scipy_linalg.leslie(d, e))
    t.case("pascal", scipy_linalg.pascal(6))
    key = jax.random.key(7)
    init = nn.initializers
    t.case("orthogonal tall", init.orthogonal()(key, (6, 3)))
    t.case("orthogonal wide", init.orthogonal(scale=2.0)(key, (2, 2, 5)))
    t.case("delta_orthogonal", init.delta_orthogonal()(key, (3, 4, 2, 3)))
    t.write()


def random_table():
    t = Table("random")
    r = jax.random
    keys = {"0": r.key(0), "42": r.key(42)}
    a = t.input("a", np.array([0.05, 0.7, 1.0, 2.5, 40.0, 300.0], np.float32))
    b = t.input("b", np.array([1.5, 0.3, 2.0, 9.0, 0.9, 4.0], np.float32))
    p = t.input("p", np.array([0.0, 0.02, 0.3, 0.5, 0.8, 1.0], np.float32))
    lam = t.input("lam", np.array([0.0, 0.5, 3.0, 9.9, 10.5, 200.0], np.float32))
    count = t.input("count", np.array([5.0, 10.0, 100.0, 1000.0, 37.0, 3.0], np.float32))
    cats = t.input("cats", np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    for name, key in keys.items():
        t.case("gamma " + name, r.gamma(key, a))
        t.case("loggamma " + name, r.loggamma(key, a))
        t.case("beta " + name, r.beta(key, a, b))
        t.case("dirichlet " + name, r.dirichlet(key, b, (2,)))
        t.case("chisquare " + name, r.chisquare(key, b))
        t.case("f " + name, r.f(key, a, b))
        t.case("t " + name, r.t(key, b))
        t.case("generalized_normal " + name, r.generalized_normal(key, 1.5, (6,)))
        t.case("ball " + name, r.ball(key, 3, 1.5, (2,)))
        t.case("poisson " + name, r.poisson(key, lam))
        t.case("binomial " + name, r.binomial(key, count, p))
        t.case("multinomial " + name, r.multinomial(key, 50.0, cats, shape=(2, 4)))
        t.case("geometric " + name, r.geometric(key, p[1:5]))
        t.case("multivariate_normal " + name, r.multivariate_normal(key, b[:2], jnp.array([[2.0, 0.5], [0.5, 1.0]]), (3,)))
        t.case("orthogonal " + name, r.orthogonal(key, 3, (2,)))
        t.case("maxwell " + name, r.maxwell(key, (6,)))
        t.case("double_sided_maxwell " + name, r.double_sided_maxwell(key, 0.5, 2.0, (6,)))
        t.case("pareto " + name, r.pareto(key, b))
        t.case("weibull_min " + name, r.weibull_min(key, 2.0, 1.5, (6,)))
        t.case("wald " + name, r.wald(key, b))
        t.case("triangular " + name, r.triangular(key, -1.0, 0.5, 3.0, (6,)))
        t.case("laplace " + name, r.laplace(key, (6,)))
        t.case("logistic " + name, r.logistic(key, (6,)))
        t.case("cauchy " + name, r.cauchy(key, (6,)))
        t.case("rayleigh " + name, r.rayleigh(key, 2.0, (6,)))
        t.case("lognormal " + name, r.lognormal(key, 0.5, (6,)))
        t.case("rademacher " + name, r.rademacher(key, (6,)))
        t.case("gumbel " + name, r.gumbel(key, (6,)))
        t.case("exponential " + name, r.exponential(key, (6,)))
        t.case("truncated_normal " + name, r.truncated_normal(key, -1.0, 2.0, (6,)))
        t.case("bernoulli " + name, r.bernoulli(key, 0.3, (6,)))
        t.case("categorical " + name, r.categorical(key, jnp.log(cats), shape=(6,)))
        t.case("choice " + name, r.choice(key, a, (4,)))
        t.case("choice without " + name, r.choice(key, a, (4,), replace=False))
        t.case("choice weighted " + name, r.choice(key, cats, (6,), p=cats))
        t.case("choice weighted without " + name, r.choice(key, cats, (3,), replace=False, p=cats))
        t.case("permutation " + name, r.permutation(key, 9))
        t.case("randint " + name, r.randint(key, (6,), -3, 1000))
        t.case("randint u8 " + name, r.randint(key, (6,), 0, 200, jnp.uint8))
        t.case("gamma bf16 " + name, r.gamma(key, 2.0, (4,), jnp.bfloat16))
        t.case("normal f16 " + name, r.normal(key, (6,), jnp.float16))
        t.case("normal c64 " + name, r.normal(key, (3,), jnp.complex64))
        init = nn.initializers
        for fn in "glorot_uniform glorot_normal lecun_uniform lecun_normal he_uniform he_normal".split():
            t.case(f"{fn} {name}", getattr(init, fn)()(key, (2, 3)))
        t.case("he_normal conv " + name, init.he_normal()(key, (2, 2, 3, 2)))
        t.case("variance_scaling " + name, init.variance_scaling(0.5, "fan_out", "normal")(key, (3, 2)))
        t.case("init uniform " + name, init.uniform(0.1)(key, (4,)))
        t.case("init normal " + name, init.normal(0.1)(key, (4,)))
        t.case("init truncated_normal " + name, init.truncated_normal(0.1)(key, (4,)))
    t.case("gamma grad", jax.jacobian(lambda a: r.gamma(keys["0"], a).sum())(a[:5]))
    t.case("loggamma grad", jax.jacobian(lambda a: r.loggamma(keys["0"], a).sum())(a[1:5]))
    t.write()


TABLES = {"numpy": numpy_table, "special": special_table, "linear": linear_table, "random": random_table}

if __name__ == "__main__":
    for table in sys.argv[1:] or TABLES:
        TABLES[table]()
