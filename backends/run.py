"""`dovetail run DIR`: executes on this machine the networks that `plan -o` or `compile -o` wrote."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..ir.diagnostics import Diagnostic, InputError
from .jax import FOLDER
from .writer import MARKER

if TYPE_CHECKING:
    from .jax.program import JaxProgram


def run_folder(path: Path, requests: int = 1) -> int:
    """
    Run every network under `path` on `requests` seeded random inputs, and print its outputs and seconds per request.

    The code under `path` is executed in this process. Returns 0; raises `InputError` for a folder that is not ours
    or holds nothing to run.
    """
    if requests < 1:
        raise InputError([Diagnostic("run", f"cannot run {requests} requests", help="give `--requests 1` or more")])
    places = _networks_in(path)
    from .jax.program import load_program

    for place in places:
        _run(place.relative_to(path / FOLDER).as_posix(), load_program(place), requests)
    return 0


def _networks_in(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InputError([Diagnostic("run", f"there is no folder `{path}`")])
    if not (path / MARKER).is_file():
        raise InputError([Diagnostic("run", f"`{path}` was not written by Dovetail, so nothing in it is run")])
    places = sorted({weights.parent for weights in path.glob(f"{FOLDER}/**/*.safetensors")})
    if not places:
        help = "only networks given as ONNX files (`graph: model.onnx`) become code that runs here"
        raise InputError([Diagnostic("run", f"`{path}` holds nothing to run", help=help)])
    root = path.resolve()
    if outside := [place for place in places if not place.resolve().is_relative_to(root)]:
        raise InputError([Diagnostic("run", f"`{outside[0]}` is a link out of `{path}`")])
    return places


def _run(name: str, program: JaxProgram, requests: int) -> None:
    began = time.perf_counter()
    program(*_random_inputs(program, 0))
    compile_s = time.perf_counter() - began
    checksums = [0] * len(program.outputs)
    outputs: tuple[np.ndarray, ...] = ()
    seconds = 0.0
    for request in range(requests):
        inputs = _random_inputs(program, request)
        began = time.perf_counter()
        outputs = program(*inputs)
        seconds += time.perf_counter() - began
        checksums = [zlib.crc32(o.tobytes(), c) for o, c in zip(outputs, checksums, strict=True)]
    executor = program.trace[0][1]
    speed = f"{1e3 * seconds / requests:.3f} ms each after {compile_s:.2f} s to compile"
    print(f"{name}: {requests} {'request' if requests == 1 else 'requests'} with {executor}, {speed}")
    for label, output, checksum in zip(program.outputs, outputs, checksums, strict=True):
        print(f"  {label} {output.shape} {output.dtype} checksum {checksum:08x}")


def _random_inputs(program: JaxProgram, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(dtype) for shape, dtype in program.inputs.values()]
