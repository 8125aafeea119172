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
from typing import TYPE_CHECKING, Any

from .. import nn
from ..diagnostics import Diagnostic, InputError
from .saved import load_network

if TYPE_CHECKING:
    from .jaxpr.signature import Signature

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*\Z")
TIME_LIMIT_S = 600
NETWORK, SIGNATURE, FAULTS = "network.mlir", "signature.json", "faults.json"


def is_python_function(source: str) -> bool:
    """Whether `source` has the form `module:function`."""
    return bool(NAME.match(source))


def read_python_function(source: str, allowed: Container[str], folder: Path) -> tuple[nn.NnModule, Signature | None]:
    """
    The network of `module:function`, imported from `folder` or from what is installed, and how its function is called.

    That is not known where its trees have nodes of its own.

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
            told = json.loads(faults.read_text())
            raise InputError([Diagnostic("python", message, help=help) for message, help in told])
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise InputError([Diagnostic("python", f"`{source}` failed: {last}")])
        said = json.loads((Path(scratch) / SIGNATURE).read_text())
        return load_network(Path(scratch) / NETWORK), None if said is None else _signature(said)


def _signature(document: dict[str, Any]) -> Signature:
    from .jaxpr.signature import read_signature

    return read_signature(document)
