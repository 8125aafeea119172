"""A scratchpad program as data: instructions in order, the memory outside, and the functions of its operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .machine import At


@dataclass(frozen=True)
class Load:
    """DMA in."""

    address: int
    tensor: str


@dataclass(frozen=True)
class Store:
    """DMA out."""

    address: int
    tensor: str


@dataclass(frozen=True)
class Streamed:
    """A weight that an operator reads from outside while it runs: the plan counts no bytes for it."""

    weight: str
    shape: tuple[int, ...]
    """as the operator sees it"""


@dataclass(frozen=True)
class Run:
    """One operator."""

    operator: str
    """its name in the plan"""
    function: str
    """one of the program's functions"""
    reads: tuple[At | Streamed, ...]
    writes: tuple[At, ...]
    over: tuple[str, ...] = ()
    """inputs that end here, over which results lie"""


@dataclass(frozen=True)
class Free:
    """The bytes of these tensors may be written by others from here on."""

    tensors: tuple[str, ...]


Instruction = Load | Store | Run | Free


@dataclass(frozen=True)
class Outside:
    """A tensor in the memory outside."""

    tensor: str
    """what loads and stores call it"""
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ScratchpadProgram:
    """A network on a scratchpad of so many bytes."""

    name: str
    """a Python identifier"""
    size_bytes: int
    steps: tuple[tuple[Instruction, ...], ...]
    """for each operator: what it waits for, its `Run`, and what leaves after it"""
    inputs: Mapping[str, Outside]
    """by the graph's name, in graph order; there before the first instruction"""
    outputs: Mapping[str, Outside]
    """by the graph's name, in graph order; there after the last"""
    weights: Mapping[str, np.ndarray]
    """what is streamed, by name"""
    parameters: Mapping[str, np.ndarray]
    """what is loaded, by tensor: there before the first instruction"""
    functions: Mapping[str, str]
    """name -> its Python source, in order of first use"""
    layers: tuple[str, ...]
    """names of the functions of `backends/jax` that these call"""
    compulsory_bytes: int
    noncompulsory_bytes: int
    """DMA bytes in both directions, as the plan says"""

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them, in order."""
        return tuple(each for step in self.steps for each in step)

    @property
    def dma_bytes(self) -> int:
        """What loads and stores move in all."""
        return self.compulsory_bytes + self.noncompulsory_bytes
