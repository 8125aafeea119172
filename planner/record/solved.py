"""A solved placement problem with what the figures of its plan are derived from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...costmodel.hardware import Device
from ...ir.fleet import FleetSpec
from ..placement.evaluate import Books
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import LatencySummary, PlacementResult
from ..placement.search.throughput import Throughput
from .waits import chosen_options

Json = dict[str, Any]


@dataclass(frozen=True)
class Solved:
    """A solved problem with all that its figures are derived from."""

    problem: PlacementProblem
    result: PlacementResult
    latency: LatencySummary
    """with the waits of the plan's own load"""
    fleet: FleetSpec
    devices: Mapping[str, Device]
    output_tokens_per_request: float
    """of all llm nodes"""
    goal: str = "cost"
    """what is to be best"""
    served: Throughput | None = None
    """how the rate was found, where it is the goal"""

    @cached_property
    def chosen(self) -> dict[str, Option]:
        """Piece id -> option."""
        return chosen_options(self.problem, self.result)

    @cached_property
    def pools(self) -> dict[str, Pool]:
        """The candidate pools in use, by the number that the plan gives them: p1, p2, ..."""
        used = sorted({option.pool for option in self.chosen.values()})
        by_id = {pool.id: pool for pool in self.problem.pools}
        return {f"p{number}": by_id[id] for number, id in enumerate(used, 1)}

    @cached_property
    def number(self) -> dict[str, str]:
        """Candidate pool id -> its number in the plan."""
        return {pool.id: number for number, pool in self.pools.items()}

    @cached_property
    def given_back(self) -> dict[str, float]:
        """Devices by name that are down with their pools, on average."""
        return Books(self.problem).given_back(self.result.replicas)

    def inside(self, pool: Pool) -> list[Option]:
        """What runs in a pool."""
        return [option for option in self.chosen.values() if option.pool == pool.id]

    def replicas(self, pool: Pool) -> int:
        """How many there are: one where nothing is sized, none of a hosted API."""
        if not pool.capacity:
            return 0
        return self.result.replicas.get(pool.id, 0) if self.problem.rate_per_s is not None else 1
