"""Where the cases run: on a GPU with torch, or small ones here in Triton's interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dovetail.backends.dtypes import numpy_dtype
from dovetail.backends.triton.interpreter import Interpreter
from dovetail.backends.triton.messages import Named
from dovetail.costmodel.hardware import Device

if TYPE_CHECKING:
    from .case import Case

FLOATS = ("float64", "float32", "float16", "bfloat16")


class Machine(Protocol):
    """Makes tensors, runs kernels on them and widens them to float64."""

    device: Device
    """whose figures choose tiles"""
    xp: Any
    """numpy or torch, for what both call the same"""

    def normal(self, *shape: int, dtype: str) -> Any:
        """Seeded random numbers, normally distributed."""

    def empty(self, *shape: int, dtype: str) -> Any:
        """Not-a-number throughout, so that what is not written shows."""

    def given(self, array: np.ndarray) -> Any:
        """The values of an array of integers or truths."""

    def narrow(self, tensor: Any, dtype: str) -> Any:
        """A tensor of float64, rounded."""

    def wide(self, tensor: Any) -> Any:
        """A tensor of floats in float64; others as they are."""

    def run(self, case: Case) -> None:
        """Launch the kernel, which writes into its tensors."""


class Host:
    """Arrays of numpy, and kernels in Triton's interpreter."""

    xp: Any = np

    def __init__(self, device: Device, interpreter: Interpreter) -> None:
        self.device = device
        self._interpreter = interpreter
        self._random = np.random.default_rng(0)

    def normal(self, *shape: int, dtype: str) -> np.ndarray:
        return self._random.standard_normal(shape, np.float32).astype(numpy_dtype(dtype))

    def empty(self, *shape: int, dtype: str) -> np.ndarray:
        return np.full(shape, np.nan, numpy_dtype(dtype))

    def given(self, array: np.ndarray) -> np.ndarray:
        return array

    def narrow(self, tensor: np.ndarray, dtype: str) -> np.ndarray:
        return tensor.astype(numpy_dtype(dtype))

    def wide(self, tensor: np.ndarray) -> np.ndarray:
        return tensor.astype(np.float64) if tensor.dtype.name in FLOATS else tensor

    def run(self, case: Case) -> None:
        """The interpreter works on copies in another process: what it leaves there is taken over."""
        found = self._interpreter.call(case.kernel, case.tensors, case.writes, **case.options)
        for name, array in zip(case.writes, found, strict=True):
            case.tensors[name][...] = array


class Cuda:
    """Tensors of torch on the GPU, and kernels as they are."""

    def __init__(self, device: Device, torch: Any) -> None:
        self.device = device
        self.xp: Any = torch
        torch.manual_seed(0)

    def normal(self, *shape: int, dtype: str) -> Any:
        return self.xp.randn(shape, device="cuda", dtype=getattr(self.xp, dtype))

    def empty(self, *shape: int, dtype: str) -> Any:
        return self.xp.full(shape, float("nan"), device="cuda", dtype=getattr(self.xp, dtype))

    def given(self, array: np.ndarray) -> Any:
        return self.xp.from_numpy(array).to("cuda")

    def narrow(self, tensor: Any, dtype: str) -> Any:
        return tensor.to(getattr(self.xp, dtype))

    def wide(self, tensor: Any) -> Any:
        return tensor.double() if tensor.is_floating_point() else tensor

    def run(self, case: Case) -> None:
        options = {k: _imported(v) if isinstance(v, Named) else v for k, v in case.options.items()}
        _imported(case.kernel)(**case.tensors, **options)


def _imported(named: Named) -> Any:
    return getattr(import_module(named.module), named.function)


def torch_tensor(torch: Any, array: np.ndarray) -> Any:
    """An array as a tensor of torch on the CPU, of the same element type."""
    floats = array.dtype.name in FLOATS
    plain = torch.from_numpy(array.astype(np.float32) if floats else array)
    return plain.to(getattr(torch, array.dtype.name)) if floats else plain


def numpy_array(tensor: Any) -> np.ndarray:
    """A tensor of torch as an array of float64."""
    return tensor.double().numpy()


def found_torch() -> Any | None:
    """The module torch, or None where it is not installed."""
    try:
        return import_module("torch")
    except ImportError:
        return None


def namespace(on: Machine, tensors: Mapping[str, Any]) -> SimpleNamespace:
    """The tensors by name in float64; of sequences each."""
    return SimpleNamespace(**{name: _widened(on, value) for name, value in tensors.items()})


def _widened(on: Machine, value: Any) -> Any:
    if isinstance(value, Sequence):
        return [on.wide(each) for each in value]
    return None if value is None else on.wide(value)
