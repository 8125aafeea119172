"""
Networks that a user's Python makes: `module:function`, run in a process of its own, and only when asked for by name.

The function takes nothing and returns `(function, example_inputs)`: what `read_jax` takes. The process hands back plain
data, a module as text and arrays without pickle; nothing that it loads is loaded here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .. import nn
from ..diagnostics import Diagnostic, InputError
from ..text import parse_module, print_module

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*\Z")
TIME_LIMIT_S = 600
MODULE, WEIGHTS, NAMES, FAULTS = "module.mlir", "weights.npz", "names.json", "faults.txt"


def is_python_function(source: str) -> bool:
    """Whether `source` has the form `module:function`."""
    return bool(NAME.match(source))


def read_python_function(source: str, allowed: Container[str], folder: Path) -> nn.NnModule:
    """
    The network of `module:function`, imported from `folder` or from what is installed.

    InputError unless `source` is among `allowed`, and where the function fails or returns something else.
    """
    if source not in allowed:
        message = f"`{source}` is Python code, which is not run unless it is asked for by name"
        raise InputError([Diagnostic("python", message, help=f"add --allow-python {source}")])
    with TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "dovetail.ir.read.jaxpr", source, scratch]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError([Diagnostic("python", f"`{source}` ran longer than {TIME_LIMIT_S} s")]) from None
        faults = Path(scratch) / FAULTS
        if faults.exists():
            raise InputError([Diagnostic("python", each) for each in faults.read_text().split("\n\n")])
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise InputError([Diagnostic("python", f"`{source}` failed: {last}")])
        return load_network(Path(scratch))


def save_network(network: nn.NnModule, folder: Path) -> None:
    """Write a network as text and arrays, which `load_network` reads back; types that numpy lacks become float32."""
    (folder / MODULE).write_text(print_module(network.module, generic=True, locations=True))
    names = {"inputs": network.input_names, "outputs": network.output_names}
    (folder / NAMES).write_text(json.dumps(names))
    arrays = {name: _plain(np.asarray(each)) for name, each in network.weights.items()}
    np.savez(folder / WEIGHTS, allow_pickle=False, **arrays)


def _plain(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)


def load_network(folder: Path) -> nn.NnModule:
    """The network that `save_network` wrote to `folder`."""
    names = json.loads((folder / NAMES).read_text())
    with np.load(folder / WEIGHTS, allow_pickle=False) as stored:
        weights = dict(stored)
    module = parse_module((folder / MODULE).read_text(), MODULE)
    return nn.NnModule(module, weights, tuple(names["inputs"]), tuple(names["outputs"]))
