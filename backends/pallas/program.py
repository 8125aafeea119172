"""Emitted programs that run here: on a TPU, or with every kernel in Pallas's interpreter."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from ...ir import nn
from ..dtypes import numpy_dtype
from . import kernels
from .emit import PallasSource, emit_pallas
from .frame import KERNELS


@dataclass(frozen=True)
class PallasProgram:
    """One network, ready to run on the device that JAX prefers on this machine."""

    source: PallasSource
    function: Any
    """the emitted one, of weights and inputs; with `interpret=False` it can be lowered for a TPU that is not there"""

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here)."""
        import jax

        text = "pallas on tpu" if jax.default_backend() == "tpu" else "pallas (interpret mode)"
        return [(f"{self.source.name}.run", text)]

    def __call__(self, /, *inputs: np.ndarray, **options: Any) -> tuple[np.ndarray, ...]:
        """The outputs in graph order for inputs in graph order; `interpret=` is handed on to Pallas."""
        made = self.function(*self.arguments(inputs), **options)
        return tuple(np.asarray(value) for value in (made if isinstance(made, tuple) else (made,)))

    def sharing(self, first: PallasProgram) -> PallasProgram:
        """This with the function of `first`, whose sources are equal: JAX compiles it once."""
        return replace(self, function=first.function)

    def arguments(self, inputs: Sequence[np.ndarray]) -> list[Any]:
        """The weights, and `inputs` in the types that the network declares."""
        typed = zip(inputs, self.source.inputs, strict=True)
        return [self.source.weights, *(np.asarray(given).astype(numpy_dtype(dtype)) for given, (_, dtype) in typed)]


def build_pallas(network: nn.NnModule, name: str, device: str, vmem_bytes: float) -> PallasProgram:
    """The program of `network`, lowered for an NPU, for a TPU of the catalogue; InputError as for `emit_pallas`."""
    source = emit_pallas(network, name, device, vmem_bytes)
    text, filename = source.sources[f"{source.name}.py"], f"<emitted {source.name}.py>"
    module = ModuleType(source.name)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)  # errors then quote their line
    with _kernels_importable():
        exec(compile(text, filename, "exec"), module.__dict__)
    return PallasProgram(source, getattr(module, source.name))


@contextmanager
def _kernels_importable() -> Iterator[None]:
    """The kernels of the library as the package that emitted code imports, which has copies of the same files."""
    names = [path.stem for path in sorted(kernels.FOLDER.glob("*.py")) if path.stem != "__init__"]
    modules = {f"{KERNELS}.{name}": import_module(f"{kernels.__name__}.{name}") for name in names}
    before = dict(sys.modules)
    sys.modules.update({KERNELS: kernels, **modules})
    try:
        yield
    finally:
        for name in (KERNELS, *modules):
            if name in before:
                sys.modules[name] = before[name]
            else:
                del sys.modules[name]
