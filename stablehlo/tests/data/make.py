"""Writes the artifacts beside this file with JAX: `python make.py`. Each `main` takes no inputs and returns pairs that must agree."""
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, f, *args):
    """A module that computes f(*args) from constants, with JAX's own results as constants beside them."""
    want = [np.asarray(x) for x in jax.tree.leaves(jax.jit(f)(*args))]

    def pairs():
        got = jax.tree.leaves(f(*[lax.optimization_barrier(jnp.asarray(a)) for a in args]))
        return [x for pair in zip(got, want) for x in pair]

    exported = export.export(jax.jit(pairs), platforms=["cpu"])()
    with open(os.path.join(HERE, name + ".mlirbc"), "wb") as file:
        file.write(exported.mlir_module_serialized)


r = np.random.RandomState(0)
n = lambda *shape: r.randn(*shape).astype(np.float32)


def mlp(params, x, y):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(x @ w + b) * jax.nn.one_hot(y, 3), -1))


write("mlp_grad", lambda w, b, v, c, x, y: jax.grad(mlp)([(w, b), (v, c)], x, y), n(4, 5), n(5), n(5, 3), n(3), n(6, 4), r.randint(0, 3, 6))
write("rnn_grad", jax.grad(lambda w, xs: lax.scan(lambda h, x: ((h2 := jnp.tanh(h @ w + x)), h2), jnp.zeros(3), xs)[1].sum()), n(3, 3), n(7, 3))
write("collatz", lambda n: lax.while_loop(lambda s: s[0] != 1, lambda s: (jnp.where(s[0] % 2 == 0, s[0] // 2, 3 * s[0] + 1), s[1] + 1), (n, 0)), np.int32(27))
write("branches", lambda i, x: [lax.switch(i + k, [jnp.sin, jnp.cos, jnp.exp], x) for k in (-1, 0, 1, 5)], np.int32(1), n(4))
write("sort_keys", lambda a, b, c: lax.sort((a, b, c), num_keys=2), r.randint(0, 3, 20).astype(np.int32), n(20), np.arange(20))
write("argsort", lambda x: (jnp.argsort(x), jnp.argsort(x, descending=True), jnp.argmax(x), lax.top_k(x, 3)), n(17))
write("random", lambda key: (jax.random.bits(key, (5,)), jax.random.normal(key, (7,)), jax.random.permutation(key, 9)), np.array([0, 42], np.uint32))
write("indexing", lambda x, i: (x[i], x.at[i].add(2.0), jnp.take(x, i, axis=1), lax.dynamic_slice(x, (i[0], 0), (2, 2))), n(5, 4), np.array([0, 3, 3]))
write("convolution", lambda x, k: lax.conv_general_dilated(x, k, (2, 1), "SAME", rhs_dilation=(1, 2), dimension_numbers=("NHWC", "HWIO", "NHWC")), n(2, 6, 7, 3), n(3, 2, 3, 4))
write("pooling_grad", jax.grad(lambda x: jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2), (1, 2, 2), "VALID") ** 2)), n(2, 6, 4))
write("cumulative", lambda x: (jnp.cumsum(x, 1), lax.cummax(x, 0, reverse=True), lax.cumprod(x, 1)), n(3, 6))
write("gamma", lambda a, x: (jax.scipy.special.gammainc(a, x), jax.scipy.special.gammaincc(a, x)), np.abs(n(5)) + 0.5, np.abs(n(5)) + 0.1)
write(
    "linalg",
    lambda a, b: (
        jnp.linalg.cholesky(a @ a.T + 4 * jnp.eye(4)),
        jnp.linalg.solve(a, b),
        jnp.linalg.qr(a),
        jnp.linalg.qr(b, mode="complete"),
        jnp.linalg.eigvalsh(a),
        jnp.linalg.svd(b, compute_uv=False),
        lax.linalg.triangular_solve(a, b, left_side=True, lower=True),
        jnp.fft.irfft2(jnp.fft.rfft2(b)),
    ),
    n(4, 4),
    n(4, 2),
)
