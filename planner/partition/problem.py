"""
The partition problem as data: names and numbers. `docs/math/partition.md` has the maths.

Layers that are alike are one step with a count. Bytes are those of one rank; seconds of one run of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One way to share an op among the ranks."""

    operands: tuple[str, ...]
    """state in which it takes each operand: B, S(axis), P(sum), ..."""
    results: tuple[str, ...]
    """state in which it gives each result"""
    seconds: float
    """[s] on each rank, moves left out"""

    def __str__(self) -> str:
        return f"{','.join(self.operands)}->{','.join(self.results)}"


@dataclass(frozen=True)
class Step:
    """Ops that are decided alike: an op of the network, an input, a weight, or what the outputs are wanted as."""

    name: str
    count: int
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Tensor:
    """Tensors that are made and used by the same steps."""

    name: str
    count: int
    producer: tuple[int, int]
    """index of the step, and which of its results"""
    users: tuple[tuple[int, int], ...]
    """index of the step, and which of its operands"""
    bytes: Mapping[str, float]
    """[bytes] on one rank, by state"""
    moves: Mapping[tuple[str, str], float]
    """[s] to bring one tensor from one state to another; what is absent cannot be done"""


@dataclass(frozen=True)
class Moment:
    """What is in memory at once: (index of the tensor, how many of it, how many whose copies count too)."""

    held: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class PartitionProblem:
    """A network on the equal devices of one mesh axis."""

    ranks: int
    steps: tuple[Step, ...]
    tensors: tuple[Tensor, ...]
    moments: tuple[Moment, ...]
    memory_bytes: float
    """of one device"""


@dataclass(frozen=True)
class PartitionResult:
    """The way of each step."""

    status: str
    """`optimal`, `feasible` (time was over) or `infeasible`"""
    ways: tuple[int, ...] = ()
    seconds: float = 0.0
    bound_s: float = 0.0
    """no plan takes less"""
