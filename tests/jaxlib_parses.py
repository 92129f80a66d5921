"""Parses and verifies every NAME.mlirbc and NAME.mlir of a folder with jaxlib; exit status 1 where one is refused."""

import pathlib
import sys

from jax._src.interpreters import mlir
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo


def refused(path):
    context = mlir.make_ir_context()
    try:
        with context:
            if path.suffix == ".mlirbc":
                module = stablehlo.deserialize_portable_artifact(context, path.read_bytes())
            else:
                module = ir.Module.parse(path.read_text())
            module.operation.verify()
    except Exception as error:
        return str(error)
    return None


files = sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.suffix in (".mlirbc", ".mlir"))
failures = [(path.name, error) for path in files if (error := refused(path))]
for name, error in failures[:20]:
    print(f"{name}: {error[:400]}")
print(f"jaxlib accepts {len(files) - len(failures)} of {len(files)} modules")
sys.exit(bool(failures) or not files)
