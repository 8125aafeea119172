"""
The process in which emitted kernels are interpreted or compiled: `python -m ...worker interpret|compile FOLDER NAME`.

FOLDER holds the emitted files. `interpret` reads `inputs.npz` and writes `output.npy`; `compile TARGET` writes
`kernel.s`, `kernel.bin` and `resources.json`. `processes.py` starts it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

POINTERS = {"float32": "*fp32", "float16": "*fp16"}
"""dtype -> Triton's type of a pointer to it."""


def main(verb: str, folder: str, name: str, *rest: str) -> None:
    """Do `verb` to the kernel `name` in `folder`."""
    # Triton reads the source of a kernel from its file, so the files are imported where they lie.
    sys.path.insert(0, folder)
    emitted = import_module(name)
    if verb == "interpret":
        _interpret(emitted, name, Path(folder))
    else:
        _compile(emitted, Path(folder), rest[0])


def _interpret(emitted: Any, name: str, folder: Path) -> None:
    from .interpret import HostTensor

    shape, dtype = emitted.OUTPUT
    out = np.empty(shape, dtype)
    with np.load(folder / "inputs.npz", allow_pickle=False) as given:
        inputs = [HostTensor(np.asarray(given[variable], order="C")) for variable in emitted.INPUTS]
    getattr(emitted, name)(*inputs, HostTensor(out))
    np.save(folder / "output.npy", out, allow_pickle=False)


def _compile(emitted: Any, folder: Path, target: str) -> None:
    from .ahead_of_time import compile_kernel

    types = {
        "operands": tuple(POINTERS[dtype] for _, dtype in emitted.INPUTS.values()),
        "out": POINTERS[emitted.OUTPUT[1]],
    }
    names = {
        "SIZE": emitted.SIZE,
        "CHAIN": emitted.chain,
        "VIEWS": emitted.VIEWS,
        "BLOCK": emitted.BLOCK,
        "FLOATS": True,
    }
    compiled = compile_kernel(emitted.elementwise, types, names, target)
    (folder / "kernel.s").write_text(compiled.assembly)
    (folder / "kernel.bin").write_bytes(compiled.binary)
    (folder / "resources.json").write_text(json.dumps(asdict(compiled.resources)))


if __name__ == "__main__":
    main(*sys.argv[1:])
