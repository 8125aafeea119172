"""What `dovetail.compile` takes, as a file without open sizes: a network in a file, a JAX function or a module."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..diagnostics import Diagnostic, InputError
from .networks import SUFFIXES, closed, read_network
from .python_function import is_python_function, read_python_function
from .saved import save_network

if TYPE_CHECKING:
    from ..nn import NnModule
    from .jaxpr.signature import Signature

    Model = str | os.PathLike[str] | Callable[..., Any] | NnModule


@dataclass(frozen=True)
class Source:
    """A network in a file."""

    path: Path
    folder: TemporaryDirectory[str] | None = None
    """of ours, where there was no such file; it lives while this is held"""
    signature: Signature | None = None
    """how the function that it was is called"""


def source_of(
    model: Model, example_inputs: Sequence[Any], sizes: Mapping[str, int], allow_python: Sequence[str], name: str
) -> Source:
    """
    The file of `model` with `sizes` for its open sizes: its own where it needs none, else `name`.mlir in a new folder.

    InputError where `model` cannot be read, and for sizes that it has not or needs.
    """
    if isinstance(model, str | os.PathLike) and Path(model).suffix in SUFFIXES:
        if not sizes:
            return Source(Path(model))
        network, signature = read_network(Path(model), sizes), None
    else:
        shown = model if isinstance(model, str) else "the network"
        network, signature = _read(model, example_inputs, allow_python)
        network = closed(shown, network, sizes)
    folder = TemporaryDirectory(prefix="dovetail-")
    path = Path(folder.name) / f"{name}.mlir"
    save_network(network, path)
    return Source(path, folder, signature)


def _read(
    model: Model, example_inputs: Sequence[Any], allow_python: Sequence[str]
) -> tuple[NnModule, Signature | None]:
    """The network of a JAX function, or of an IR module, and how the function is called."""
    from ..nn import NnModule

    if isinstance(model, str) and is_python_function(model):
        return read_python_function(model, allow_python, Path.cwd())
    if isinstance(model, NnModule):
        return model, None
    if callable(model):
        from .jaxpr import trace

        traced = trace(model, example_inputs)
        return traced.network, traced.signature
    shown = model if isinstance(model, str | os.PathLike) else type(model).__name__
    message = f"`{shown}` is no network: neither an .onnx, a config.json, an .mlir, a JAX function nor an IR module"
    help = "`module:function` names a function of yours"
    if str(shown).endswith((".yaml", ".yml")):
        help = f"`plan {shown} -o DIR` plans a graph, and writes code for its networks"
    raise InputError([Diagnostic("unsupported", message, help=help)])
