#!/usr/bin/env python3
"""JAX and rjax on the same programs and the same machine, in turn.

    python3 benches/compare.py [--algebra] [--only NAME,…] [--seconds S] [--one-core]

Makes a virtual environment with JAX under target/ on its first run and builds rjax-opt. Every program is a JAX function; jax.export
writes it as StableHLO, which rjax-opt reads. Printed as a table: the median time of a run of each, JAX / rjax for running and for compiling
(above 1, rjax is faster), and the largest difference of the results relative to their size.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target" / "jax-environment"
PACKAGES = ["jax==0.10.2", "numpy"]


def in_environment():
    """Runs this script again in an environment that has JAX."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


# Before JAX makes its threads, which stay where they may run then.
if "--one-core" in sys.argv:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

try:
    import jax
except ImportError:
    in_environment()

import jax.numpy as jnp
import numpy as np
from jax import export


def random(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed + sum(shape)).standard_normal(shape, np.float32))


def square(seed):
    return random(1024, 1024, seed=seed) / 32


def mlp(weights, x):
    for w, b in weights:
        x = jnp.tanh(x @ w + b)
    return x


def mlp_loss(weights, x, y):
    return ((mlp(weights, x) - y) ** 2).sum()


def layer_norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def attention(q, k, v):
    weights = jax.nn.softmax(jnp.einsum("bhsd,bhtd->bhst", q, k) / q.shape[-1] ** 0.5)
    return jnp.einsum("bhst,bhtd->bhsd", weights, v)


def convolve(x, w):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pendulum(state, steps=10000):
    def step(state, _):
        angle, speed = state
        speed = speed - 0.01 * jnp.sin(angle)
        return (angle + 0.01 * speed, speed), angle

    return jax.lax.scan(step, state, None, steps)


def gravity(x):
    apart = x[:, None] - x[None]
    return (apart / ((apart**2).sum(-1, keepdims=True) + 1e-2) ** 1.5).sum(1)


WEIGHTS = [(random(784, 512), random(512)), (random(512, 512), random(512)), (random(512, 10), random(10))]
PROGRAMS = {
    "x + 1 on a scalar": (lambda x: x + 1, [jnp.float32(1)]),
    "gradient of a network": (jax.grad(mlp_loss), [WEIGHTS, random(128, 784), random(128, 10)]),
    "gradients of 16 examples": (jax.vmap(jax.grad(mlp_loss), (None, 0, 0)), [WEIGHTS, random(16, 784), random(16, 10)]),
    "tanh(x) exp(-x²) + sin x": (lambda x: jnp.tanh(x) * jnp.exp(-x * x) + jnp.sin(x), [random(1 << 20)]),
    "softmax of rows": (lambda x: jax.nn.softmax(x), [random(4096, 512)]),
    "gradient of a layer norm": (jax.grad(lambda x: (layer_norm(x) ** 3).sum()), [random(4096, 512)]),
    "matrix product": (lambda a, b: a @ b, [random(1024, 1024), random(1024, 1024, seed=1)]),
    "attention": (attention, [random(4, 8, 256, 64), random(4, 8, 256, 64, seed=1), random(4, 8, 256, 64, seed=2)]),
    "convolution 3×3": (convolve, [random(8, 56, 56, 64), random(3, 3, 64, 64)]),
    "scan of a pendulum": (pendulum, [(jnp.float32(1), jnp.float32(0))]),
    "gravity of 1000 bodies": (gravity, [random(1000, 3)]),
    "sort": (jnp.sort, [random(1 << 20)]),
    "running sum": (jnp.cumsum, [random(1 << 22)]),
    "(A B) v": (lambda a, b, v: (a @ b) @ v, [random(1024, 1024), random(1024, 1024, seed=1), random(1024)]),
    "Hessian of x · A x": (lambda a, x: jax.hessian(lambda x: x @ a @ x)(x) + 0 * x, [random(512, 512), random(512)]),
}
# Programs with a cheaper equal, which simplification finds, and two that are best as they are: `--algebra`.
ALGEBRA = {
    "(A B) v": (lambda a, b, v: (a @ b) @ v, [square(0), square(1), random(1024)]),
    "A B C D": (lambda a, b, c, d: a @ b @ c @ d, [random(1024, 16), random(16, 1024), random(1024, 16), random(16, 1024)]),
    "sum(A B)": (lambda a, b: (a @ b).sum(), [square(0), square(1)]),
    "A B + A C + D B + D C": (lambda a, b, c, d: a @ b + a @ c + d @ b + d @ c, [square(i) for i in range(4)]),
    "x V + x W": (lambda x, v, w: x @ v + x @ w, [random(512, 1024), square(0), square(1)]),
    "x (W + B A)": (lambda x, w, b, a: x @ (w + b @ a), [random(8, 2048), random(2048, 2048), random(2048, 16), random(16, 2048)]),
    "Hessian of x · A x": (lambda a, x: jax.hessian(lambda x: x @ a @ x)(x) + 0 * x, [random(512, 512), random(512)]),
    "(Q Kᵀ) V": (lambda q, k, v: (q @ k.T) @ v, [random(4096, 64, seed=i) for i in range(3)]),
    "kron(A, B) x": (lambda a, b, x: jnp.kron(a, b) @ x, [random(64, 64), random(64, 64, seed=1), random(4096)]),
    "diag(d) A": (lambda d, a: jnp.diag(d) @ a, [random(1024), square(0)]),
    "(A B)[:, :8]": (lambda a, b: (a @ b)[:, :8], [square(0), square(1)]),
    "Aᵀ (A v), best as it is": (lambda a, v: jax.vmap(lambda v: a.T @ (a @ v))(v), [random(1024, 64), random(2048, 64)]),
    "x U, x V, x W, best as they are": (lambda x, u, v, w: (x @ u, x @ v, x @ w), [random(64, 1024), square(0), square(1), square(2)]),
}


def difference(found, wanted):
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return float(np.abs(found - wanted).max(initial=0) / max(np.abs(wanted).max(initial=0), 1e-30))


def measure(function, arguments, seconds, one_core, folder):
    flat, tree = jax.tree.flatten(arguments)
    jitted = jax.jit(lambda *flat: tuple(jax.tree.leaves(function(*jax.tree.unflatten(tree, flat)))))
    start = time.perf_counter()
    compiled = jitted.lower(*flat).compile()
    jax_compile = (time.perf_counter() - start) * 1e3
    wanted = compiled(*flat)
    program, inputs, outputs = (folder / name for name in ("program.mlirbc", "in.npz", "out.npz"))
    program.write_bytes(export.export(jitted, platforms=["cpu"])(*flat).mlir_module_serialized)
    np.savez(inputs, **{f"in{i}": np.asarray(x) for i, x in enumerate(flat)})
    jax_ms, rjax_ms, rjax_compile = [], [], []
    for _ in range(3):
        end = time.perf_counter() + seconds
        runs = 0
        while runs < 3 or time.perf_counter() < end and runs < 2000:
            start = time.perf_counter()
            jax.block_until_ready(jitted(*flat))
            jax_ms.append((time.perf_counter() - start) * 1e3)
            runs += 1
        command = [ROOT / "target/release/rjax-opt", "run", program, "--inputs", inputs, "--outputs", outputs, "--json"]
        command += ["--warmup", "2", "--repeat", str(runs)] + (["--threads", "1"] if one_core else [])
        report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        rjax_ms += report["run_ms"]
        rjax_compile.append(report["compile_ms"])
    found = np.load(outputs)
    error = max(difference(found[f"out{i}"], x) for i, x in enumerate(wanted))
    medians = [statistics.median(times) for times in (jax_ms, rjax_ms, rjax_compile)]
    return medians[0], medians[1], jax_compile, medians[2], error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="programs to measure, by parts of their names, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each program runs, three times in each system")
    parser.add_argument("--one-core", action="store_true", help="on one core")
    parser.add_argument("--algebra", action="store_true", help="programs that simplification makes cheaper, instead of the others")
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--bin", "rjax-opt"], cwd=ROOT, check=True)
    wanted = options.only.split(",") if options.only else [""]
    print("| program | JAX ms | rjax ms | JAX / rjax | JAX compiles, ms | rjax compiles, ms | JAX / rjax | difference |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for name, (function, arguments) in (ALGEBRA if options.algebra else PROGRAMS).items():
        if not any(part in name for part in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            a, b, c, d, error = measure(function, arguments, options.seconds, options.one_core, pathlib.Path(folder))
        ratios.append((a / b, c / d))
        print(f"| {name} | {a:.3f} | {b:.3f} | {a / b:.1f} | {c:.1f} | {d:.1f} | {c / d:.0f} | {error:.0e} |", flush=True)
    run, compile_ = (statistics.geometric_mean(column) for column in zip(*ratios))
    print(f"| geometric mean | | | {run:.1f} | | | {compile_:.0f} | |")


if __name__ == "__main__":
    main()
