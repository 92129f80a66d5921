#!/usr/bin/env python3
"""The memory of training steps in JAX and in rjax.

    python3 benches/memory.py [--only NAME,…]

What a call needs beside its arguments, in MiB: results and temporary memory. "planned" is what the compiler of each sets aside: XLA's buffer
assignment, and rjax's arena with the results. "taken" is what a call makes of it: for JAX the growth of the resident memory of the process, each
program in a process of its own; for rjax the greatest total of its blocks, which is no less. What packing operands takes is in "taken" only.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from compare import ROOT, attention, layer_norm, mlp_loss, random  # First of all this sees to it that there is JAX.
import jax
import jax.numpy as jnp
import numpy as np
from jax import export

MEBI = 1 << 20


def dense(m, n):
    return random(m, n) / m**0.5


def step(loss):
    """A step of gradient descent."""
    return lambda weights, *data: jax.tree.map(lambda w, g: w - 0.01 * g, weights, jax.grad(loss)(weights, *data))


def adam(loss):
    def run(weights, means, squares, *data):
        gradient = jax.grad(loss)(weights, *data)
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, gradient)
        return jax.tree.map(lambda w, m, s: w - 1e-3 * m / (jnp.sqrt(s) + 1e-8), weights, means, squares), means, squares

    return run


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1).mean()


def conv_net(weights, x, labels):
    for kernel in weights[:2]:
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.lax.reduce_window(jax.nn.relu(x), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ weights[2]) @ weights[3]
    return cross_entropy(x, labels)


def lstm(weights, xs):
    by_input, by_state, bias = weights

    def cell(state, x):
        hidden, memory = state
        i, f, g, o = jnp.split(x @ by_input + hidden @ by_state + bias, 4, -1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((xs.shape[1], by_state.shape[0]))
    return (jax.lax.scan(cell, (zeros, zeros), xs)[1] ** 2).mean()


def transformer(heads):
    def loss(weights, tokens, labels):
        embedding, layers = weights
        x = embedding[tokens]
        for into, out, up, down in layers:
            split = lambda y: y.reshape(*y.shape[:2], heads, -1).transpose(0, 2, 1, 3)
            a = attention(*(split(y) for y in jnp.split(layer_norm(x) @ into, 3, -1)))
            x = x + a.transpose(0, 2, 1, 3).reshape(x.shape) @ out
            x = x + jax.nn.gelu(layer_norm(x) @ up) @ down
        return cross_entropy(x @ embedding.T, labels)

    return loss


def decoder(layers, width, words):
    return dense(words, width), [
        (dense(width, 3 * width), dense(width, width), dense(width, 4 * width), dense(4 * width, width)) for _ in range(layers)
    ]


def labels(bound, *shape):
    return jnp.asarray(np.random.default_rng(bound).integers(0, bound, shape))


NETWORK = [(dense(784, 512), random(512)), (dense(512, 512), random(512)), (dense(512, 10), random(10))]
IMAGES = [random(3, 3, 1, 32) / 3, random(3, 3, 32, 64) / 17, dense(3136, 128), dense(128, 10)]
TWO = decoder(2, 256, 1000)
PROGRAMS = {
    "network of three layers": (step(mlp_loss), [NETWORK, random(128, 784), random(128, 10)]),
    "convolutional network": (step(conv_net), [IMAGES, random(64, 28, 28, 1), labels(10, 64)]),
    "LSTM of 128 steps": (step(lstm), [(dense(256, 1024), dense(256, 1024), random(1024)), random(128, 32, 256)]),
    "transformer of 2 layers, Adam": (
        adam(transformer(8)),
        [TWO, jax.tree.map(jnp.zeros_like, TWO), jax.tree.map(jnp.zeros_like, TWO), labels(1000, 8, 128), labels(1000, 8, 128)],
    ),
    "transformer of 12 layers": (step(transformer(4)), [decoder(12, 128, 256), labels(256, 2, 64), labels(256, 2, 64)]),
    "attention": (
        jax.grad(lambda qkv: (attention(*qkv) ** 2).sum()),
        [tuple(random(4, 8, 512, 64, seed=seed) for seed in range(3))],
    ),
    "layer norm": (jax.grad(lambda x: (layer_norm(x) ** 3).sum()), [random(4096, 1024)]),
}


def status(key):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(key)


def measure(name):
    """Planned and taken memory of JAX and of rjax."""
    function, arguments = PROGRAMS[name]
    flat, tree = jax.tree.flatten(arguments)
    jitted = jax.jit(lambda *flat: tuple(jax.tree.leaves(function(*jax.tree.unflatten(tree, flat)))))
    compiled = jitted.lower(*flat).compile()
    sizes = compiled.memory_analysis()
    results = sizes.output_size_in_bytes
    # From here on the peak of resident memory is that of the calls.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    for _ in range(3):
        jax.block_until_ready(compiled(*flat))
    jax_taken = status("VmHWM") - before
    with tempfile.TemporaryDirectory() as folder:
        program, inputs = pathlib.Path(folder, "program.mlirbc"), pathlib.Path(folder, "in.npz")
        program.write_bytes(export.export(jitted, platforms=["cpu"])(*flat).mlir_module_serialized)
        np.savez(inputs, **{f"in{i}": np.asarray(x) for i, x in enumerate(flat)})
        tool = ROOT / "target/release/rjax-opt"
        kir = subprocess.run([tool, program, "--emit=kir"], check=True, capture_output=True, text=True).stdout
        command = [tool, "run", program, "--inputs", inputs, "--json", "--repeat", "3"]
        report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    arena = int(re.search(r"^module \(arena (\d+) bytes\)", kir, re.MULTILINE)[1])
    given = sum(x.nbytes for x in flat)
    planned = (sizes.temp_size_in_bytes + results) / MEBI, (arena + results) / MEBI
    return *planned, jax_taken, (report["peak_bytes"] - given) / MEBI


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="programs to measure, by parts of their names, separated by commas")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        return print(json.dumps(measure(options.program)))
    subprocess.run(["cargo", "build", "--quiet", "--release", "--bin", "rjax-opt"], cwd=ROOT, check=True)
    print("| step | JAX planned | rjax planned | rjax / JAX | JAX taken | rjax taken | rjax / JAX |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in PROGRAMS:
        if any(part in name for part in options.only.split(",")):
            found = subprocess.run([sys.executable, __file__, "--program", name], check=True, capture_output=True).stdout
            a, b, c, d = json.loads(found)
            print(f"| {name} | {a:.1f} | {b:.1f} | {b / a:.2f} | {c:.1f} | {d:.1f} | {d / c:.2f} |", flush=True)


if __name__ == "__main__":
    main()
