"""
The machine that executes scratchpad programs, copied, as it stands, into each of them.

It stands for a core with one memory of M bytes, and DMA to a memory outside. Every
instruction names its addresses, and the machine keeps beside the bytes which tensor owns
which of them: it stops where an instruction leaves the memory, writes over bytes that
somebody owns, or uses what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np


class MachineFault(Exception):
    """An instruction that the machine cannot execute."""


class At(NamedTuple):
    """A tensor in the scratchpad, and how an operator sees its bytes."""

    address: int
    tensor: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size; eight truth values share a byte."""
        count = prod(self.shape)
        if self.dtype == "bool":
            return -(-count // 8)
        return count * np.dtype(self.dtype).itemsize


class Scratchpad:
    """So many bytes, the memory outside them, and which tensor owns which bytes."""

    POISON = 0xFF  # in bytes that nobody owns: no number, in every floating-point type

    def __init__(self, size_bytes: int, outside: dict[str, np.ndarray]) -> None:
        self.bytes = np.full(size_bytes, self.POISON, np.uint8)
        self.outside = outside  # the bytes of each tensor that has a copy there
        self.owned: dict[str, tuple[int, int]] = {}  # first byte, and past the last
        self.loaded_bytes = self.stored_bytes = 0

    def load(self, address: int, tensor: str) -> None:
        """DMA in: the copy outside, to an address where nothing lies."""
        if tensor not in self.outside:
            raise MachineFault(f"`{tensor}` is loaded, but there is no copy outside")
        data = self.outside[tensor]
        self._claim(address, tensor, len(data))[:] = data
        self.loaded_bytes += len(data)

    def store(self, address: int, tensor: str) -> None:
        """DMA out: the bytes of a tensor that lies at the address."""
        data = self._owned(address, tensor)
        self.outside[tensor] = data.copy()
        self.stored_bytes += len(data)

    def run(
        self,
        function: Callable[..., Any],
        reads: Sequence[At | np.ndarray],
        writes: Sequence[At],
        over: Sequence[str] = (),
    ) -> None:
        """Apply an operator to tensors and weights; results lie `over` inputs that end."""
        given = [self._read(each) if isinstance(each, At) else each for each in reads]
        results = function(*given)
        results = results if isinstance(results, tuple) else (results,)
        # Bytes of their own: a result may be a view of what is read, or not yet be there.
        made = [np.array(result) for result in results]
        self.free(*over)
        for at, result in zip(writes, made, strict=True):
            self._write(at, result)

    def free(self, *tensors: str) -> None:
        """Give the bytes of tensors back."""
        for tensor in tensors:
            if tensor not in self.owned:
                raise MachineFault(f"`{tensor}` is freed, but is not there")
            start, end = self.owned.pop(tensor)
            self.bytes[start:end] = self.POISON

    def _claim(self, address: int, tensor: str, size: int) -> np.ndarray:
        end = address + size
        place = f"`{tensor}` at {address} to {end}"
        if address < 0 or end > len(self.bytes):
            raise MachineFault(f"{place} is out of the scratchpad's {len(self.bytes)}")
        if tensor in self.owned:
            raise MachineFault(f"`{tensor}` is in the scratchpad already")
        for other, (low, high) in self.owned.items():
            if address < high and low < end and size and low < high:
                raise MachineFault(f"{place} overlaps `{other}` at {low} to {high}")
        self.owned[tensor] = (address, end)
        return self.bytes[address:end]

    def _owned(self, address: int, tensor: str) -> np.ndarray:
        start, end = self.owned.get(tensor, (-1, -1))
        if start != address:
            raise MachineFault(f"`{tensor}` is used at {address}, but is not there")
        return self.bytes[start:end]

    def _read(self, at: At) -> np.ndarray:
        data = self._owned(at.address, at.tensor)
        if len(data) != at.bytes:
            kind = f"{at.dtype}{at.shape}"
            raise MachineFault(f"`{at.tensor}` of {len(data)} bytes is read as {kind}")
        return decoded(data, at.dtype, at.shape)

    def _write(self, at: At, result: np.ndarray) -> None:
        if result.shape != at.shape:
            shapes = f"{result.shape}, not as {at.shape}"
            raise MachineFault(f"`{at.tensor}` comes out as {shapes}")
        self._claim(at.address, at.tensor, at.bytes)[:] = encoded(result, at.dtype)


def encoded(array: np.ndarray, dtype: str) -> np.ndarray:
    """The bytes of an array: truth values packed, the first in the lowest bit."""
    flat = np.ascontiguousarray(array, dtype).ravel()
    if dtype == "bool":
        return np.packbits(flat, bitorder="little")
    return flat.view(np.uint8)


def decoded(data: np.ndarray, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array whose bytes are `data`: a view of them, but for truth values."""
    if dtype == "bool":
        bits = np.unpackbits(data, count=prod(shape), bitorder="little")
        return bits.astype(bool).reshape(shape)
    return data.view(dtype).reshape(shape)
