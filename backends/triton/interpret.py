"""
Runs Triton kernels on numpy arrays in Triton's own interpreter, with neither a GPU nor torch.

Triton reads `TRITON_INTERPRET` when it is imported, so interpreting and compiling need separate processes: set
it to 1 before anything imports triton, and pass `HostTensor(array)` where a kernel takes a tensor.
"""

from __future__ import annotations

from typing import Self

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
