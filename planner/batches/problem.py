"""The batch problem as data: calls, tools, workers and what each worker may hold; no IR type in, no solver type out.

Seconds, bytes and dollars throughout. `docs/math/batches.md` has the maths.

All instances are equal up to chance, so that the problem is stated for classes: `size` instances make `visits` visits
each of every operator. A worker is a group of equal devices that runs one engine for each model that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ...ir.distribution import Distribution


@dataclass(frozen=True)
class Call:
    """A call of a language model in every instance."""

    name: str
    model: str
    """name of the model with its number formats: calls of one model share its weights"""
    prompt: Distribution
    """[tokens]"""
    output: Distribution
    """[tokens]"""
    prefix: float = 0.0
    """[tokens] at the start of the prompt that all instances share"""
    continues: str | None = None
    """call whose prompt and output are the start of this call's prompt"""
    visits: float = 1.0
    """visits by an instance, on average"""


@dataclass(frozen=True)
class Tool:
    """An operator on CPU hosts, or one that leaves the graph."""

    name: str
    latency: Distribution
    """[s]"""
    cpus: float = 0.0
    """cores that a visit keeps busy all that time"""
    concurrency: int | None = None
    """visits in flight at most; None without a limit"""
    visits: float = 1.0
    usd_per_call: float = 0.0


@dataclass(frozen=True)
class Rate:
    """What one visit of a call takes of a worker in one setup, at the setup's batch."""

    fresh_s: float
    """[s] of the worker, the shared prefix being read already"""
    reused_s: float
    """[s] where the call continues another whose cache is on the worker; `fresh_s` where it continues none"""
    visit_s: float
    """[s] from start to end of the visit, alone among a full batch"""
    read_s: tuple[float, float] = (0.0, 0.0)
    """[s] of the worker to read the prompt: what `fresh_s` and `reused_s` have of it"""


@dataclass(frozen=True)
class Setup:
    """Models that a worker holds at once, and how fast each call is then."""

    models: tuple[str, ...]
    """in order of name; none of a worker that stands idle"""
    rates: Mapping[str, Rate] = field(default_factory=dict)
    """by call, of the calls whose models it holds"""
    batch: Mapping[str, int] = field(default_factory=dict)
    """by model: sequences that run at once"""


@dataclass(frozen=True)
class Workers:
    """Equal workers of one device type."""

    device: str
    """the fleet's name"""
    tp: int
    """devices of one worker"""
    count: int
    """workers there are at most"""
    setups: tuple[Setup, ...]
    """the idle one first"""
    start_s: Mapping[str, float]
    """by model: to bring its weights from disk, start its engine and read the shared prefixes"""
    load_s: Mapping[str, float]
    """by model: to bring its weights back from the host's memory, and read the shared prefixes again"""
    usd_per_hour: float = 0.0
    """of one worker while the batch runs"""
    steps: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    """by model: (sequences, [s] between two tokens), which a simulation goes by"""

    @property
    def id(self) -> str:
        """Such as `h200/tp1`."""
        return f"{self.device}/tp{self.tp}"


@dataclass(frozen=True)
class BatchProblem:
    """Everything that a plan of a batch is made from."""

    size: int
    """instances"""
    calls: tuple[Call, ...]
    tools: tuple[Tool, ...]
    edges: tuple[tuple[str, str], ...]
    """(before, after), without cycles"""
    odds: Mapping[tuple[str, str], float] = field(default_factory=dict, kw_only=True)
    """probability of an edge that excludes the other edges of its node; other edges are taken where none of those is"""
    workers: tuple[Workers, ...]
    """kinds of workers that all take part; of one device only one kind"""
    cores: float = 0.0
    """of all CPU hosts"""
    hosts_usd_per_hour: float = 0.0
    deadline_s: float | None = None
    alone_s: Mapping[str, float] = field(default_factory=dict)
    """call -> [s] of a visit that has the fastest worker to itself"""

    @cached_property
    def call(self) -> Mapping[str, Call]:
        """By name."""
        return {call.name: call for call in self.calls}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Operators in an order in which none comes before those that it waits for; ties as in the file."""
        left = [*(c.name for c in self.calls), *(t.name for t in self.tools)]
        waits = {name: {a for a, b in self.edges if b == name} for name in left}
        found: list[str] = []
        while left:
            ready = next((name for name in left if not waits[name] - set(found)), None)
            if ready is None:
                raise ValueError("the workflow has a cycle")
            found.append(ready)
            left.remove(ready)
        return tuple(found)

    @cached_property
    def before(self) -> Mapping[str, tuple[str, ...]]:
        """Operator -> those that it waits for."""
        return {name: tuple(a for a, b in self.edges if b == name) for name in self.order}

    @cached_property
    def visits(self) -> Mapping[str, float]:
        """Operator -> visits by an instance."""
        return {each.name: each.visits for each in (*self.calls, *self.tools)}

    def longest_path(self, seconds: Mapping[str, float]) -> float:
        """[s] of the longest way through the workflow, each operator taking `seconds`. Equation (9)."""
        ends: dict[str, float] = {}
        for name in self.order:
            ends[name] = seconds[name] + max((ends[a] for a in self.before[name]), default=0.0)
        return max(ends.values(), default=0.0)

    def with_counts(self, counts: Mapping[str, int]) -> BatchProblem:
        """The problem on so many workers of each device; devices with none are left out."""
        taken = tuple(replace(w, count=counts[w.device]) for w in self.workers if counts.get(w.device, 0))
        return replace(self, workers=taken)

    def bundles(self) -> Iterator[tuple[Workers, int]]:
        """(kind, workers) of the groups that are planned alike: each worker by itself, of many ever more at once."""
        for kind in self.workers:
            left, size, alone = kind.count, 1, 0
            while left:
                taken = min(left, size)
                yield kind, taken
                left, alone = left - taken, alone + 1
                size = size if alone < SINGLES else 2 * size


SINGLES = 4
"""Workers of a kind that are planned one by one; further ones in groups of 2, 4, 8 ... that do the same."""
