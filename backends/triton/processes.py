"""Runs emitted kernels in Triton's interpreter, and compiles them, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...ir.diagnostics import Diagnostic, InputError
from .ahead_of_time import CompiledKernel, KernelResources
from .emit import TritonSource


def run_interpreted(source: TritonSource, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """
    What the kernel writes for `inputs`, in the order of `source.inputs`, in Triton's interpreter on this CPU.

    Raises `InputError` without the triton package, for inputs of another number or shape, and where the kernel fails.
    """
    given = {variable: array for (variable, _, _), array in zip(source.inputs, inputs, strict=False)}
    wanted = [shape for _, shape, _ in source.inputs]
    if [array.shape for array in inputs] != wanted:
        raise _error(f"`{source.name}` takes inputs of shapes {wanted}, not {[a.shape for a in inputs]}")
    arrays = {variable: given[variable].astype(dtype) for variable, _, dtype in source.inputs}
    with _folder_of(source) as folder:
        np.savez(folder / "inputs.npz", allow_pickle=False, **arrays)
        _work("interpret", folder, source.name, interpret=True)
        return np.load(folder / "output.npy", allow_pickle=False)


def compile_source(source: TritonSource, target: str = "sm_90") -> CompiledKernel:
    """
    The kernel compiled for GPUs of `target` (`sm_90`, `gfx942`), none of which need be there.

    Raises `InputError` without the triton package and where the compiler refuses the kernel or the target.
    """
    with _folder_of(source) as folder:
        _work("compile", folder, source.name, target, interpret=False)
        usage = KernelResources(**json.loads((folder / "resources.json").read_text()))
        return CompiledKernel((folder / "kernel.s").read_text(), (folder / "kernel.bin").read_bytes(), usage)


@contextmanager
def _folder_of(source: TritonSource) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dovetail-triton-") as folder:
        for name, text in source.sources.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        yield Path(folder)


def _work(verb: str, folder: Path, name: str, *rest: str, interpret: bool) -> None:
    if find_spec("triton") is None:
        help = "pip install 'dovetail[triton]' (Linux)"
        raise InputError([Diagnostic("triton", "Triton kernels need the extra `dovetail[triton]`", help=help)])
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if interpret:
        environment["TRITON_INTERPRET"] = "1"
    command = [sys.executable, "-m", f"{__package__}.worker", verb, str(folder), name, *rest]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise _error(f"`{name}` does not {verb}: {lines[-1]}")


def _error(message: str) -> InputError:
    return InputError([Diagnostic("triton", message)])
