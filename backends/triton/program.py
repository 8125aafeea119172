"""Emitted networks that run here: every kernel in Triton's interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...costmodel.hardware import Device
from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import numpy_dtype
from .interpreter import Interpreter
from .messages import Named
from .network import emit_network
from .network_source import NetworkSource

if TYPE_CHECKING:
    from .autotune import Tuner


@dataclass
class TritonProgram:
    """One network, ready to run in the interpreter, whose process is kept for all its calls."""

    source: NetworkSource
    _folder: TemporaryDirectory[str] = field(repr=False)
    _interpreter: Interpreter = field(repr=False)

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here)."""
        return [(f"{self.source.name}.run", "triton (interpreter)")]

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """
        The outputs in graph order for inputs in graph order.

        Raises `InputError` for inputs of another number or shape, and where a kernel fails.
        """
        wanted = [shape for _, shape, _ in self.source.inputs]
        if [np.shape(given) for given in inputs] != wanted:
            shapes = [np.shape(given) for given in inputs]
            raise InputError([Diagnostic("program-input", f"`{self.source.name}` takes {wanted}, not {shapes}")])
        arrays = [
            np.asarray(given).astype(numpy_dtype(dtype))
            for given, (_, _, dtype) in zip(inputs, self.source.inputs, strict=True)
        ]
        function = Named(self.source.name, self.source.name, Path(self._folder.name))
        try:
            return self._interpreter.apply(function, self.source.weights, arrays)
        except ValueError as error:
            raise InputError([Diagnostic("triton", f"`{self.source.name}` fails: {error}")]) from error

    def tuned(self, tuner: Tuner) -> tuple[TritonProgram, list[dict[str, Any]]]:
        """This with the tiles that `tuner` finds to be fastest, and what it says of them; before the first call."""
        source, rows = tuner.tuned(self.source)
        write_sources(source, Path(self._folder.name))
        return replace(self, source=source), rows

    def sharing(self, first: TritonProgram) -> TritonProgram:
        """This with the files of `first`, whose sources are equal."""
        return replace(first, source=self.source)

    def close(self) -> None:
        """End the process and remove the files."""
        self._interpreter.close()
        self._folder.cleanup()


def build_triton(
    network: nn.NnModule, name: str, device: Device, interpreter: Interpreter | None = None
) -> TritonProgram:
    """
    The program for `network`, lowered for a GPU, in an interpreter of its own unless one is given.

    Programs that share one have different names. InputError where code cannot be emitted for it, and without triton.
    """
    interpreter = interpreter or Interpreter()
    source = emit_network(network, name, device)
    folder = TemporaryDirectory(prefix="dovetail-triton-")
    write_sources(source, Path(folder.name))
    return TritonProgram(source, folder, interpreter)


def write_sources(source: NetworkSource, folder: Path) -> None:
    """The emitted file, and the kernels beside it."""
    for path, text in source.sources.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def run_network(
    network: nn.NnModule, name: str, device: Device, inputs: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """The outputs of `network` for `inputs`, in a process that ends with it."""
    program = build_triton(network, name, device)
    try:
        return program(*inputs)
    finally:
        program.close()
