"""Prints JAX's public names, one a line, with the verdicts of names.txt; names that are new there are `later`.

Run: python list.py > names.txt.new
"""

import importlib
import os
import types

MODULES = [
    "jax", "jax.numpy", "jax.numpy.linalg", "jax.numpy.fft", "jax.lax", "jax.nn", "jax.nn.initializers", "jax.random",
    "jax.scipy.special", "jax.scipy.linalg", "jax.scipy.stats", "jax.tree", "jax.debug",
]


def names(module):
    found = importlib.import_module(module)
    for name in dir(found):
        value = getattr(found, name)
        # Distributions are modules.
        if not name.startswith("_") and (module == "jax.scipy.stats" or not isinstance(value, types.ModuleType)):
            yield f"{module}.{name}"


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "names.txt")
    lines = open(path).read().splitlines() if os.path.exists(path) else []
    verdicts = dict(line.split(" ", 1) for line in lines)
    for module in MODULES:
        for name in names(module):
            print(name, verdicts.get(name, "later"))
