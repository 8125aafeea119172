"""
The problem of placing the pieces of a graph on devices, and what solves it, as plain data.

Times are whole nanoseconds and sizes whole bytes: what is optimal of them is optimal to the last unit. The model is
written down in `docs/math/op_placement.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

Pair = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """What runs on one device, from its start to its end without a break: an op, or a convex set of ops."""

    name: str
    times_ns: tuple[int | None, ...]
    """[ns] on each device; None where it cannot run"""
    weight_bytes: int = 0
    """resident on its device, whether it runs or not"""
    work_bytes: int = 0
    """held while it runs, beside what it reads and makes"""


@dataclass(frozen=True)
class Tensor:
    """What one piece makes and others read."""

    name: str
    producer: int
    users: tuple[int, ...]
    """pieces, none twice; none for an output of the graph, which is handed over when its producer ends"""
    bytes: int


@dataclass(frozen=True)
class Device:
    """What runs one piece at a time."""

    name: str
    memory_bytes: int | None = None
    """None: as much as is wanted"""


@dataclass(frozen=True)
class Route:
    """The way from one device to another."""

    bytes_per_s: float
    latency_ns: int = 0
    links: tuple[int, ...] = ()
    """indices of the links that it occupies, each of which carries one tensor at a time; none: nothing is in its way"""

    def transfer_ns(self, size: int) -> int:
        """[ns] that `size` bytes take. Equation (1)."""
        return self.latency_ns + -int(-size * 1e9 // self.bytes_per_s)


@dataclass(frozen=True)
class OpPlacementProblem:
    """Pieces in an order in which each stands after what it reads."""

    pieces: tuple[Piece, ...]
    tensors: tuple[Tensor, ...]
    devices: tuple[Device, ...]
    routes: Mapping[Pair, Route]
    """by (from, to); what has none cannot send there"""
    links: tuple[str, ...] = ()
    """names"""

    @cached_property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """The tensors that each piece reads."""
        found: list[list[int]] = [[] for _ in self.pieces]
        for t, tensor in enumerate(self.tensors):
            for user in tensor.users:
                found[user].append(t)
        return tuple(map(tuple, found))

    @cached_property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """The tensors that each piece makes."""
        found: list[list[int]] = [[] for _ in self.pieces]
        for t, tensor in enumerate(self.tensors):
            found[tensor.producer].append(t)
        return tuple(map(tuple, found))

    @cached_property
    def allowed(self) -> tuple[tuple[int, ...], ...]:
        """The devices on which each piece can run."""
        return tuple(tuple(d for d, ns in enumerate(p.times_ns) if ns is not None) for p in self.pieces)

    def time_ns(self, piece: int, device: int) -> int:
        """[ns] of a piece on a device that it can run on; ValueError for another."""
        ns = self.pieces[piece].times_ns[device]
        if ns is None:
            raise ValueError(f"`{self.pieces[piece].name}` cannot run on `{self.devices[device].name}`")
        return ns

    def transfer_ns(self, tensor: int, source: int, target: int) -> int | None:
        """[ns] that a tensor takes from one device to another, 0 on the same; None where there is no route."""
        if source == target:
            return 0
        route = self.routes.get((source, target))
        return None if route is None else route.transfer_ns(self.tensors[tensor].bytes)


@dataclass(frozen=True)
class Schedule:
    """One run of the graph: where and when each piece runs, and when each copy of a tensor is sent."""

    device: tuple[int, ...]
    """of each piece"""
    start_ns: tuple[int, ...]
    """of each piece"""
    sent_ns: Mapping[Pair, int] = field(default_factory=dict)
    """(tensor, device that it is sent to) -> start of the transfer"""
    makespan_ns: int = 0


@dataclass(frozen=True)
class Pipeline:
    """One period of runs without end: the stage of a piece is how many periods its run began before."""

    device: tuple[int, ...]
    stage: tuple[int, ...]
    period_ns: int = 0


@dataclass(frozen=True)
class Answer:
    """What was found, and what nothing can beat."""

    status: str
    """`optimal`, `feasible` (a gap is left), `infeasible` or `unknown` (none was found, and none is proved away)"""
    bound_ns: int
    """no answer takes less"""
    best: Schedule | Pipeline | None = None
    way: str = ""
    """what found it, as `heft` or `cp-sat`"""
    seconds: float = 0.0

    @property
    def value_ns(self) -> int | None:
        """[ns] the makespan or the period."""
        if self.best is None:
            return None
        return self.best.makespan_ns if isinstance(self.best, Schedule) else self.best.period_ns

    @property
    def gap(self) -> float | None:
        """Share of the value that a better answer may save."""
        value = self.value_ns
        return None if value is None else (value - self.bound_ns) / value if value else 0.0
