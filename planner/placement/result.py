"""What the placement planner answers: names and numbers, no solver type in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["optimal", "feasible", "infeasible", "unknown"]

COST_PARTS = ("capex", "interest", "rent", "energy", "calls", "transfer")


@dataclass(frozen=True)
class UsedTransfer:
    """A transfer between two locations that the plan makes."""

    from_piece: str
    to_piece: str
    bytes: float
    latency_s: float
    usd_per_request: float


@dataclass(frozen=True)
class LatencySummary:
    """Latencies of the chosen plan, as `docs/math/placement.md`, "Percentiles", tells them."""

    bounds: dict[str, float] = field(default_factory=dict)
    """Value that each bound limits, by the bound's name [s]; at most the limit."""
    end_to_end: dict[str, float] = field(default_factory=dict)
    """`mean`, `p50`, `p95`, `p99` over requests [s]."""
    first_output: dict[str, float] = field(default_factory=dict)
    """`mean`, `p50`, `p95`, `p99` over requests [s]."""
    ttft: dict[str, float] = field(default_factory=dict)
    """By node: the worst visit's mean, or its percentile where a bound names one [s]."""
    tbt: dict[str, float] = field(default_factory=dict)
    """By node: the worst visit's mean gap between tokens [s]."""
    graphs: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """Graph -> `end_to_end` and `first_output` over its own requests, where several graphs share the fleet [s]."""
    error_s: float = 0.0
    """How far rounding of times to a grid may have moved percentiles, were it all one way [s]."""


@dataclass(frozen=True)
class SolveStats:
    """How the answer was found; the one part that may differ between equal runs."""

    seconds: float = 0.0
    variables: int = 0
    constraints: int = 0
    cuts: int = 0
    """Percentile and mean cuts added after exact evaluation."""
    solver: str = ""


@dataclass(frozen=True)
class PlacementResult:
    """A plan with the proof that goes with it, or why there is none.

    `optimal` means a gap of at most 1e-6; `feasible`, that time ran out with a plan in hand; `unknown`, that it
    ran out without one. Without a plan all dictionaries are empty and `objective` is None.
    """

    status: Status
    objective: float | None = None
    unit: str = ""
    """`USD/h`, `USD/request` or `s`."""
    bound: float | None = None
    """No plan can do better than this; None where nothing is proved."""
    gap: float | None = None
    """(objective - bound) / |objective|."""
    placements: dict[str, str] = field(default_factory=dict)
    """Piece id to pool id."""
    replicas: dict[str, int] = field(default_factory=dict)
    """Used, counted pools only; empty without a rate."""
    devices: dict[str, int] = field(default_factory=dict)
    """Devices taken by name, whole chassis and `min_count` included; empty without a rate."""
    transfers: tuple[UsedTransfer, ...] = ()
    cost: dict[str, float] = field(default_factory=dict)
    """By `COST_PARTS` [USD/h, or USD/request without a rate]."""
    utilisation: dict[str, float] = field(default_factory=dict)
    """Load over replicas, of used, counted pools [0..1]."""
    latency: LatencySummary = field(default_factory=LatencySummary)
    binding: tuple[str, ...] = ()
    """Bounds and limits without any one of which a better plan would exist."""
    binding_complete: bool = False
    """Whether all of them were looked for: else there may be more."""
    conflict: tuple[str, ...] = ()
    """When infeasible: constraints that exclude each other, none of them to spare where `conflict_complete`."""
    conflict_complete: bool = True
    """Whether each of them was found to be needed: else time was up, and fewer may exclude each other."""
    needed: Mapping[str, float] = field(default_factory=dict)
    """Where a relaxation showed the conflict: by name of some of these what ends it by itself, if anything does, is no
    less [s, devices]; of the rate, no more [req/s]."""
    stats: SolveStats = field(default_factory=SolveStats)
