"""
Runs Triton kernels on numpy arrays in Triton's own interpreter, with neither a GPU nor torch.

Triton reads `TRITON_INTERPRET` when it is imported, so interpreting and compiling need separate processes: set
it to 1 before anything imports triton, and pass `HostTensor(array)` where a kernel takes a tensor.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np


class HostTensor:
    """
    A numpy array behind the part of torch's tensor interface that kernels' wrappers and Triton's interpreter call.

    The interpreter copies arguments to the host and back; this one lives there, so that each copy is the array
    itself and a kernel writes straight into `array`.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.dtype = str(array.dtype)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self.array.ctypes.data

    def untyped_storage(self) -> Self:
        return self

    def storage_offset(self) -> int:
        return 0

    def size(self) -> tuple[int, ...]:
        return self.array.shape

    def stride(self) -> tuple[int, ...]:
        """Strides [elements]."""
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def as_strided(
        self,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        storage_offset: int = 0,
    ) -> HostTensor:
        """The elements from `storage_offset` on of a contiguous tensor, in another shape."""
        steps = [step * self.array.itemsize for step in stride]
        flat = self.array.reshape(-1)[storage_offset:]
        return HostTensor(np.lib.stride_tricks.as_strided(flat, size, steps))

    def cpu(self) -> Self:
        return self

    def new_empty(self, *size: int, device: str) -> HostTensor:
        """What `set_` then points at the storage."""
        return HostTensor(self.array)

    def set_(
        self,
        storage: HostTensor,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
    ) -> None:
        self.array = storage.array

    def copy_(self, source: HostTensor) -> None:
        """Nothing to copy back: `source` is this array."""


def round_as_gpus_do() -> None:
    """
    Lets casts from float32 to bfloat16 round to the nearest number, of two the even one.

    Triton's interpreter cuts the lower bits off (`_convert_float` of triton.runtime.interpreter, 3.9.0), which errs
    twice as far and to one side. It must be imported with TRITON_INTERPRET set.
    """
    import triton.language as tl
    from triton.runtime import interpreter

    cut = interpreter.InterpreterBuilder.cast_impl

    def cast(builder: Any, src: Any, dst_type: Any) -> Any:
        if (src.dtype.scalar, dst_type.scalar) == (tl.float32, tl.bfloat16):
            src = interpreter.TensorHandle(nearest_bfloat16(src.data), src.dtype)
        return cut(builder, src, dst_type)

    setattr(interpreter.InterpreterBuilder, "cast_impl", cast)  # noqa: B010  Triton's own type refuses it


def nearest_bfloat16(values: np.ndarray) -> np.ndarray:
    """The nearest numbers of which bfloat16 has all bits, in float32; NaN stays."""
    bits = np.asarray(values, np.float32, order="C").view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    rounded = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(values), values, rounded)
