"""Whether a plan holds over the ranges of its inputs: all of it derived again at the ends and in the middle.

Where few ranges stand, at every combination of the ends of rates and token counts, and else at each end alone and at
all of them. Prices enter costs alone, so the middle and the worst ends tell all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...ir.agent import graph_of
from ...ir.diagnostics import Diagnostics
from ...ir.ranges import Range, document_at
from ...ir.read.fleet import parse_fleet
from ...ir.read.graph import parse_graph
from ...passes.agent.inline_agents import inline_agents
from .classes import keep_classes
from .close import far
from .cost import Bill, bill, over_limits
from .latency import broken_bounds, derive
from .load import Load, loads_of
from .memory import memory_bytes
from .racks import SLACK as RACK_SLACK
from .racks import rack_power
from .service import Services
from .subject import Subject, read_workflow

MOST_CROSSED = 4
"""Ranges of which every combination of ends is derived."""


def check_robust(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.robust` where the plan breaks at an end of the ranges, or misstates what it says of them."""
    inputs, said = subject.plan["inputs"], subject.plan.get("robust")
    graph, fleet = parse_graph(inputs["graph"]).ranges, parse_fleet(inputs["fleet"]).ranges
    due = {each.name: _entry(each) for each in (*graph, *fleet)}
    if {each["path"]: each for each in subject.plan.get("ranges", [])} != due or (said is None) == bool(due):
        faults.error("check.robust", "the plan is to speak of each range of its inputs and of no other")
        return
    if said is None:
        return
    worst = 0.0
    for shares in _corners(graph, fleet):
        at = _at(subject, shares)
        worst = max(worst, _hold(at, shares, faults))
    _check_figures(subject, said, worst, _at(subject, [(each, 0.5) for each in (*graph, *fleet)]), faults)


def _entry(each: Range) -> dict[str, Any]:
    ends = {"low": each.low, "high": each.high, "nominal": each.nominal}
    return {"path": each.name, **ends, "unit": each.unit, "worst": each.worst}


def _corners(graph: tuple[Range, ...], fleet: tuple[Range, ...]) -> Iterator[list[tuple[Range, float]]]:
    """Ends of all ranges of rates and tokens, prices at their worst."""
    ranges = (*graph, *fleet)
    free = [each for each in ranges if not each.is_price]
    if len(free) <= MOST_CROSSED:
        chosen: Iterator[tuple[Range, ...]] = itertools.chain.from_iterable(
            itertools.combinations(free, count) for count in range(len(free) + 1)
        )
    else:
        chosen = itertools.chain([(), tuple(free)], ((each,) for each in free))
    for best in chosen:
        yield [(each, 0.0 if each in best else 1.0) for each in ranges]


def _at(subject: Subject, shares: list[tuple[Range, float]]) -> Subject:
    """The plan with its inputs at one point of the ranges."""
    inputs = subject.plan["inputs"]
    documents = {
        name: document_at(inputs[name], [(each, share) for each, share in shares if each.path[0] in inputs[name]])
        for name in ("graph", "fleet")
    }
    module = parse_graph(documents["graph"]).module
    inline_agents(module)
    graph, nodes, hops = read_workflow(graph_of(module))
    keep_classes(nodes, subject.kept)
    fleet = parse_fleet(documents["fleet"]).spec
    return replace(subject, graph=graph, written=nodes, edges=hops, fleet=fleet)


def _hold(at: Subject, shares: list[tuple[Range, float]], faults: Diagnostics) -> float:
    """Report what breaks at a corner; the objective there, where it is a cost."""
    services = Services(at)
    loads = loads_of(at, services, {entry["id"]: entry.get("spare", 0) for entry in at.plan["pools"]})
    found = bill(at, services, loads_of(at, services))
    where = ", ".join(f"{each.name} = {each.written(share)}" for each, share in shares if not each.is_price)
    for what in _broken(at, services, loads, found):
        faults.error("check.robust", f"with {where or 'the worst prices'} {what}")
    return found.total


def _broken(at: Subject, services: Services, loads: Mapping[str, Load], found: Bill) -> Iterator[str]:
    for pool in at.pools.values():
        device = at.devices.get(pool.device)
        if at.rate is not None and loads[pool.id].utilisation >= 1:
            yield f"pool `{pool.id}` is asked for {loads[pool.id].utilisation:.4g} times what it can carry"
        elif device is not None and memory_bytes(at, services, pool) > device.memory_bytes * (1 + 1e-6):
            yield f"pool `{pool.id}` does not fit its devices"
    yield from over_limits(at, found)
    for rack in at.fleet.racks if at.rate is not None else ():
        if rack_power(at, loads, rack)[1] > rack.exceed + RACK_SLACK:
            yield f"the rack `{rack.name}` draws over its limit too often"
    if all(load.utilisation < 1 for load in loads.values()):
        for name, seconds, limit in broken_bounds(at, derive(at, services, loads)):
            yield f"{name} is {limit:.6g} s, but the plan takes {seconds:.6g} s"


def _check_figures(
    subject: Subject, said: Mapping[str, Any], worst: float, middle: Subject, faults: Diagnostics
) -> None:
    """The greatest cost, that in the middle, and the difference to what it is held against."""
    if subject.plan["objective"]["name"] == "cost":
        services = Services(middle)
        nominal = bill(middle, services, loads_of(middle, services)).total
        for name, stated, derived in (("worst", said["worst"], worst), ("nominal", said["nominal"], nominal)):
            if stated is None or far(stated, derived):
                faults.error("check.robust", f"the plan states robust.{name} {stated}; derived {derived:.6g}")
    ends = said["nominal"], said["nominal_best"]
    price = None if None in ends else max(0.0, ends[0] - ends[1])
    stated = said["price_of_robustness"]
    if (stated is None) != (price is None) or (price is not None and abs(stated - price) > 1e-6 * max(1.0, ends[0])):
        faults.error("check.robust", f"the plan states a price of robustness of {stated}; derived {price}")
