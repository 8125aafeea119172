"""Ways out of a conflict: each of its constraints by itself, loosened as little as gives a plan, found by solving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ...costmodel.hardware import Device
from ...ir.diagnostics import DovetailError
from ...ir.fleet import FleetSpec
from ...ir.wording import time
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.clock import NO_LIMIT, Clock, TimeUp
from ..placement.search.conflict import without
from ..placement.search.solve import objective_within

UNITS = {"power_w": "W", "usd_per_hour": "USD/h", "energy_j_per_request": "J", "gco2_per_request": "gCO2"}
FACTORS = (1.25, 2.0, 4.0, 10.0, 100.0)
"""By how much a constraint is loosened to see whether a plan exists then."""
HALVINGS = 3
"""Times that the room between a factor without a plan and one with it is halved."""
RATE_HALVINGS = 7
"""The same of rates, of which the most is wanted: to about 1 %."""
MOST_MORE = 512
"""More devices of one name than this are not tried."""
TRIALS_S = 20.0
"""Time for all such trials together, where the user sets no shorter limit [s]."""

LONGER = "`dovetail explain` looks longer for the least change, in what `plan --json` prints"

Loosened = tuple[PlacementProblem, str]
"""A problem with more room, and that room in words."""
Way = tuple[str, float]
"""What gives a plan, in words, and the plan's objective."""


@dataclass(frozen=True)
class Anew:
    """The same question on another fleet or at another rate: its candidates are made anew."""

    fleet: FleetSpec
    devices: Mapping[str, Device]
    rate_per_s: float | None
    pose: Callable[[FleetSpec, Mapping[str, Device], float | None, str | None, Clock], PlacementProblem | None]
    """The problem on a fleet of such devices, at a rate, with the `place` of a node left out; None where something
    else than placement stands against it. TimeUp where the clock is over before that."""
    clock: Clock = NO_LIMIT
    """Nothing is posed after this."""

    def with_count(self, name: str, count: int) -> PlacementProblem | None:
        """With at most so many devices of a name."""
        devices = tuple(replace(d, max_count=count) if d.name == name else d for d in self.fleet.devices)
        return self._posed(replace(self.fleet, devices=devices), self.devices, self.rate_per_s)

    def with_memory(self, name: str, size: float) -> PlacementProblem | None:
        """With so much memory in each device of a name [bytes]."""
        larger = {**self.devices, name: replace(self.devices[name], memory_bytes=size)}
        return self._posed(self.fleet, larger, self.rate_per_s)

    def at_rate(self, rate_per_s: float) -> PlacementProblem | None:
        """With so many requests per second."""
        return self._posed(self.fleet, self.devices, rate_per_s)

    def unpinned(self, node: str) -> PlacementProblem | None:
        """With a node on any device, whatever its `place` says."""
        return self._posed(self.fleet, self.devices, self.rate_per_s, node)

    def _posed(
        self, fleet: FleetSpec, devices: Mapping[str, Device], rate_per_s: float | None, unpinned: str | None = None
    ) -> PlacementProblem | None:
        try:
            return self.pose(fleet, devices, rate_per_s, unpinned, self.clock)
        except (DovetailError, TimeUp):
            return None


def way_out(problem: PlacementProblem, result: PlacementResult, anew: Anew, left_s: float = math.inf) -> str | None:
    """The cheapest of `ways_out`, in words, or that there was no time for a constraint by itself; or None."""
    clock = Clock(min(TRIALS_S, left_s))
    found = next(iter(ways_out(problem, result, anew, clock)), None)
    if found is not None:
        return f"there is a plan with {found[0]}, at {found[1]:.4g} {result.unit}"
    if clock.over and len(result.conflict) == 1:
        return f"there was no time to find out how far `{result.conflict[0]}` has to be loosened; {LONGER}"
    return None


def ways_out(problem: PlacementProblem, result: PlacementResult, anew: Anew, clock: Clock) -> list[tuple[str, float]]:
    """What was checked to help: one constraint of the conflict, loosened so far that a plan exists, and its objective.

    The cheapest first; at a lower rate, by what a request costs. Trials end with the clock, and where the user
    interrupts, which stops it.
    """
    anew = replace(anew, clock=clock)
    found: list[tuple[float, Way]] = []
    try:
        for name in (*result.conflict, *_memories(problem, result, anew)):
            if (way := _way(problem, anew, name, clock)) is not None:
                found.append(way)
    except KeyboardInterrupt:
        clock.stop()
    return [way for _, way in sorted(found, key=lambda each: each[0])]


def _memories(problem: PlacementProblem, result: PlacementResult, anew: Anew) -> Iterator[str]:
    """Where a node runs nowhere at all: the memory of each device, which may be too small for it."""
    if result.conflict and all(name.startswith("place[") for name in result.conflict):
        given = {o.excluded_by for o in problem.options}
        if not given & set(result.conflict):
            yield from (f"memory[{name}]" for name, device in anew.devices.items() if device.kind != "cpu")


def _way(problem: PlacementProblem, anew: Anew, name: str, clock: Clock) -> tuple[float, Way] | None:
    """The least change of one constraint that gives a plan, and what it ranks by."""
    kind, _, of = name.removesuffix("]").partition("[")
    if kind == "count":
        return _ranked(_by_count(anew, of, clock))
    if kind == "place":
        free = anew.unpinned(of)  # candidates are sized for the devices that `place` admits
        return _ranked(None if free is None else _tried((free, f"`{name}` left out"), clock))
    if kind in ("with", "apart", "survive.replicas", "survive.zone"):
        return _ranked(_tried((without(problem, [name]), f"`{name}` left out"), clock))
    if kind in ("transfer", "kv_transfer"):
        return _ranked(_tried((without(problem, [name]), f"a link of no delay for `{name}`"), clock))
    found = _by_factor(lambda factor: _loosened(problem, anew, name, factor), clock, name == "rate")
    if found is None:
        return None
    factor, way = found
    scale = factor if name == "rate" and problem.objective == "cost" else 1.0
    return way[1] * scale, way


def _ranked(way: Way | None) -> tuple[float, Way] | None:
    return None if way is None else (way[1], way)


def _tried(loose: Loosened | None, clock: Clock) -> Way | None:
    """The change in words with the best plan's objective; None without a plan in the time."""
    if loose is None or clock.over:
        return None
    value = objective_within(loose[0], clock.left)
    return None if value is None else (loose[1], value)


def _by_factor(loosened: Callable[[float], Loosened | None], clock: Clock, fine: bool) -> tuple[float, Way] | None:
    """The smallest factor found with a plan: the first of FACTORS, then the room below it halved a few times."""
    low = 1.0
    for factor in FACTORS:
        loose = loosened(factor)
        if loose is None:
            return None
        best = _tried(loose, clock)
        if best is None:
            low = factor
            continue
        high = factor
        for _ in range(RATE_HALVINGS if fine else HALVINGS):
            middle = math.sqrt(low * high)
            way = _tried(loosened(middle), clock)
            if way is None:
                low = middle
            else:
                high, best = middle, way
        return high, best
    return None


def _by_count(anew: Anew, name: str, clock: Clock) -> Way | None:
    """The fewest devices more of a name with which a plan exists, chassis by chassis where sold so."""
    spec = next(d for d in anew.fleet.devices if d.name == name)
    step = anew.devices[name].chassis if spec.sold_by_chassis and name in anew.devices else 1
    had = max(spec.max_count or 0, spec.owned)

    def with_more(steps: int) -> Way | None:
        more = (had // step + steps) * step - had
        problem = anew.with_count(name, had + more) if not clock.over else None
        return None if problem is None else _tried((problem, f"{more} more {name} (`count[{name}]`)"), clock)

    low, high, best = 0, 1, with_more(1)
    while best is None and high * step < MOST_MORE and not clock.over:
        low, high = high, 2 * high
        best = with_more(high)
    while best is not None and high - low > 1 and not clock.over:
        middle = (low + high) // 2
        way = with_more(middle)
        low, high, best = (middle, high, best) if way is None else (low, middle, way)
    return best


def _loosened(problem: PlacementProblem, anew: Anew, name: str, factor: float) -> Loosened | None:
    """The problem with more room under one constraint that has a size; None for another one."""
    for bound in problem.bounds:
        if bound.name == name:
            limit_s = float(f"{bound.limit_s * factor:.3g}")
            bounds = tuple(replace(b, limit_s=limit_s) if b is bound else b for b in problem.bounds)
            return replace(problem, bounds=bounds), f"`{name}` at {time(limit_s)}"
    for quality in problem.quality_bounds:
        if quality.name == name:
            least = float(f"{quality.least / factor:.3g}")
            lower = tuple(replace(b, least=least) if b is quality else b for b in problem.quality_bounds)
            return replace(problem, quality_bounds=lower), f"`{name}` at {least:g}"
    for limit in problem.limits:
        if f"limits.{limit[0]}" == name:
            more = float(f"{limit[1] * factor:.3g}")
            limits = tuple((key, more) if key == limit[0] else (key, value) for key, value in problem.limits)
            return replace(problem, limits=limits), f"`{name}` at {more:g} {UNITS[limit[0]]}"
    for rack in problem.racks:
        if f"racks[{rack.name}]" == name:
            watts = float(f"{rack.power_w * factor:.3g}")
            racks = tuple(replace(r, power_w=watts) if r is rack else r for r in problem.racks)
            return replace(problem, racks=racks), f"`{name}` at {watts:g} W"
    if name == "rate" and anew.rate_per_s is not None:
        rate = float(f"{anew.rate_per_s / factor:.3g}")
        made, said = anew.at_rate(rate), f"`rate` at {rate:g} req/s"
        return None if made is None else (made, said)
    device = name.removeprefix("memory[").removesuffix("]")
    if name.startswith("memory[") and device in anew.devices:
        size = float(f"{anew.devices[device].memory_bytes * factor:.3g}")
        made, said = anew.with_memory(device, size), f"`{name}` at {size / 1e9:g} GB"
        return None if made is None else (made, said)
    return None
