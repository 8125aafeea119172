"""Latencies of a plan: means and gaps worked out, percentiles simulated, and the graph's bounds held to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from ...ir.diagnostics import Diagnostics
from .classes import pieces_of_row
from .close import far
from .load import Load, waits_for_slot
from .sampling import Drawn, Simulated, Times, mixed, simulate
from .service import NOTHING, Services
from .subject import Node, Subject
from .transfer import hop_move, kv_transfer
from .ways import Hop

SLACK = 0.03
"""A stated percentile may be off by this share beyond the sampling error: the planner rounds upwards on a grid."""
GRID_SHARE = 1e-3
"""The same in seconds, as a share of the 99th percentile end to end, which the grid has to span."""
BOUND_SLACK = 1e-3
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Latencies:
    """What was derived; all in seconds."""

    simulated: Simulated
    graphs: Mapping[str, Simulated]
    """Of the requests of each graph; of all, under the empty name, where a graph has the fleet alone."""
    ttft: Mapping[str, tuple[float, float]]
    """Node -> between which values its time to first token lies, at the percentile of its bound, else on average."""
    tbt: Mapping[str, float]
    is_constant: bool
    """Whether nothing waits and nothing varies: not even what is too rare to be drawn."""


def check_latency(subject: Subject, services: Services, loads: Mapping[str, Load], faults: Diagnostics) -> None:
    """Report `check.latency` where a stated time is not the derived one, and `check.bound` where a bound is broken."""
    _check_visits(subject, services, faults)
    derived = derive(subject, services, loads)
    stated = subject.plan["latency_s"]
    forks = any(len(way.ends) > 1 for way in subject.ways)
    spans = {**dict(_of_nodes(derived, stated, faults)), **dict(_over_requests(derived, derived.simulated, forks))}
    for name, (low, high) in spans.items():
        _compare(name, stated[name[0]][name[1]], low, high, faults)
    for graph, simulated in derived.graphs.items():
        if graph:
            own = subject.plan["graphs"][graph]["latency_s"]
            forks = any(len(way.ends) > 1 for way in subject.ways_of(graph))
            for (field, name), (low, high) in _over_requests(derived, simulated, forks):
                _compare((field, f"{name} of {graph}"), own[field][name], low, high, faults)
    _check_bounds(subject, derived, faults)


def derive(subject: Subject, services: Services, loads: Mapping[str, Load]) -> Latencies:
    """All latencies of the plan."""

    def draw(rng: np.random.Generator, name: str, nth: int, size: int) -> Drawn:
        return _draw(subject, services, loads, subject.nodes[name], nth, rng, size)

    def move_s(hop: Hop) -> float:
        return hop_move(subject, hop).latency_s

    simulated = simulate(subject.ways, draw, move_s)
    graphs = {name: simulate(subject.ways_of(name), draw, move_s) if name else simulated for name in subject.members}
    llms = [node for node in subject.written.values() if node.is_llm]
    ttft = {node.name: _ttft(subject, services, loads, node, simulated) for node in llms}
    tbt = {node.name: max(services.tbt_s(each) for each in subject.placed(node.name)) for node in llms}
    rarely_waits = any(each.wait.probability for load in loads.values() for each in (load, *load.phases.values()))
    rarely_waits |= any(s.lost != NOTHING for visits in services.visits.values() for s in visits)
    is_constant = not simulated.end_to_end.vary and not rarely_waits
    return Latencies(simulated, graphs, ttft, tbt, is_constant)


def _draw(
    subject: Subject,
    services: Services,
    loads: Mapping[str, Load],
    node: Node,
    nth: int,
    rng: np.random.Generator,
    size: int,
) -> Drawn:
    """Each piece waits, if it needs a slot of its own, and runs; the KV cache moves between the two."""
    first, total = None, np.zeros(size)
    for piece in node.pieces:
        if first is not None:
            total = total + kv_transfer(subject, node).latency_s
        if waits_for_slot(subject, node, piece):
            load = loads[subject.pool_of[piece].id].at(piece)
            total = total + load.wait_law(subject.priority_of(node)).sample(rng, size)
            if load.outage != NOTHING:
                total = total + load.outage.sample(rng, size)
        served = services.visits[piece][nth - 1]
        total = total + served.time.sample(rng, size)
        if served.lost != NOTHING:
            total = total + served.lost.sample(rng, size)
        first = total if first is None else first
    assert first is not None
    return Drawn(first, total)


def _ttft(
    subject: Subject, services: Services, loads: Mapping[str, Load], node: Node, simulated: Simulated
) -> tuple[float, float]:
    """The worst visit's wait and prefill over all classes: its mean, or the percentile that the node's bound names."""
    _, percentile = bound_of(subject, node, "ttft")
    placed = subject.placed(node.name)
    if percentile is None:
        means = [[each.share * mean for mean in _mean_ttfts(subject, services, loads, each)] for each in placed]
        mean = max(sum(visit) for visit in zip(*means, strict=True))
        return mean, mean
    names = {each.name for each in placed}
    waited: dict[int, list[Times]] = {}
    for (name, nth), times in simulated.waited.items():
        if name in names:
            waited.setdefault(nth, []).append(times)
    spans = [mixed(times).quantile_interval(percentile) for times in waited.values()]
    return max(low for low, _ in spans), max(high for _, high in spans)


def _mean_ttfts(subject: Subject, services: Services, loads: Mapping[str, Load], node: Node) -> list[float]:
    """Mean wait and prefill of each visit [s]."""
    prefill = node.pieces[0]
    load = loads[subject.pool_of[prefill].id].at(prefill)
    waits = load.wait_law(subject.priority_of(node)).mean + load.outage.mean
    wait = waits if waits_for_slot(subject, node, prefill) else 0.0
    return [wait + served.time.mean + served.lost.mean for served in services.visits[prefill]]


def bound_of(subject: Subject, node: Node, kind: str) -> tuple[float | None, float | None]:
    """(limit [s], percentile 0..1) of `ttft` or `tbt` of a node: its own, else the graph's.

    No limit: (None, None). A limit without a percentile bounds the mean.
    """
    own, whole = node.asks.get("slo") or {}, subject.asked_of(node.name)["slo"]
    limit = own.get(f"{kind}_s") or whole.get(f"{kind}_s")
    percentile = own.get("percentile") or whole.get("percentile")
    return (limit, percentile / 100 if percentile else None) if limit else (None, None)


def _check_visits(subject: Subject, services: Services, faults: Diagnostics) -> None:
    for entry in subject.plan["placements"]:
        piece, stated, seconds, visits = entry["piece"], entry["latency_s"], 0.0, 0.0
        for each in pieces_of_row(subject, piece, entry["when"]):
            reached = subject.reached[each.rpartition(".")[0]]
            made = zip(reached, services.visits[each], strict=True)
            seconds += sum(share * served.time.mean for share, served in made)
            visits += sum(reached)
        derived = seconds / visits
        if far(stated, derived):
            faults.error("check.latency", f"`{piece}` states {stated:.6g} s a visit; derived {derived:.6g}")


Span = tuple[tuple[str, str], tuple[float, float]]
"""(field, its name) and between which values it must lie."""


def _of_nodes(derived: Latencies, stated: Mapping[str, Any], faults: Diagnostics) -> Iterator[Span]:
    """Of each llm node."""
    for field, found in (("ttft", derived.ttft), ("tbt", {name: (s, s) for name, s in derived.tbt.items()})):
        for name in sorted(stated[field].keys() ^ found.keys()):
            faults.error("check.latency", f"latency_s.{field} is to name each llm node and no other: `{name}`")
        yield from (((field, name), span) for name, span in found.items() if name in stated[field])


def _over_requests(derived: Latencies, simulated: Simulated, forks: bool) -> Iterator[Span]:
    """Over the requests that were simulated; `forks` where one may end in several places."""
    grid_s = GRID_SHARE * simulated.end_to_end.quantile(0.99)
    for field, times in (("first_output", simulated.first_output), ("end_to_end", simulated.end_to_end)):
        spans = {"mean": times.mean_interval()}
        spans |= {f"p{percentile}": times.quantile_interval(percentile / 100) for percentile in PERCENTILES}
        for name, (low, high) in spans.items():
            # The earliest of several ends may be overstated: the planner takes them for independent.
            if field == "first_output" and forks:
                yield (field, name), (low, inf)
            else:
                yield (field, name), (low, high if derived.is_constant else high + grid_s)


def _compare(name: tuple[str, str], stated: float, low: float, high: float, faults: Diagnostics) -> None:
    """Where `low` = `high` nothing was simulated, and only rounding may differ."""
    inside = low * (1 - SLACK) <= stated <= high * (1 + SLACK) if low < high else not far(stated, low)
    if not inside:
        between = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
        faults.error("check.latency", f"the plan states latency_s.{'.'.join(name)} {stated:.6g}; derived {between}")


def broken_bounds(subject: Subject, derived: Latencies) -> Iterator[tuple[str, float, float]]:
    """(name, [s] at the least, its limit [s]) of every bound that derived latencies surely break."""
    for node in (node for node in subject.written.values() if node.is_llm):
        for kind, least in (("ttft", derived.ttft[node.name][0]), ("tbt", derived.tbt[node.name])):
            limit, _ = bound_of(subject, node, kind)
            if limit is not None and least > limit * (1 + BOUND_SLACK):
                yield f"slo.{kind}[{node.name}]", least, limit
    for graph, simulated in derived.graphs.items():
        whole = subject.members[graph]["slo"]
        for field, times in (("first_output", simulated.first_output), ("end_to_end", simulated.end_to_end)):
            limit = whole.get(f"{field}_s")
            if limit is not None and _least(times, whole.get("percentile")) > limit * (1 + BOUND_SLACK):
                yield f"slo.{field}{of_graph(graph)}", _least(times, whole.get("percentile")), limit


def of_graph(graph: str) -> str:
    """What follows the name of a bound on the requests of one graph of several."""
    return f"[{graph}]" if graph else ""


def _check_bounds(subject: Subject, derived: Latencies, faults: Diagnostics) -> None:
    """Hold every bound against the least that the derived value can be, and against what the plan states."""
    stated = subject.plan["latency_s"]
    for node in (node for node in subject.written.values() if node.is_llm):
        for kind, least in (("ttft", derived.ttft[node.name][0]), ("tbt", derived.tbt[node.name])):
            limit, _ = bound_of(subject, node, kind)
            if limit is not None:
                worst = max(least, stated[kind].get(node.name, 0.0))
                _hold(f"slo.{kind}[{node.name}]", worst, limit, faults)
    for graph in subject.members:
        _check_requests(subject, derived, graph, faults)


def _check_requests(subject: Subject, derived: Latencies, graph: str, faults: Diagnostics) -> None:
    """Hold the bounds on whole requests of one graph."""
    stated = subject.plan["graphs"][graph]["latency_s"] if graph else subject.plan["latency_s"]
    whole, simulated = subject.members[graph]["slo"], derived.graphs[graph]
    percentile, forks = whole.get("percentile"), any(len(way.ends) > 1 for way in subject.ways_of(graph))
    for field, times in (("first_output", simulated.first_output), ("end_to_end", simulated.end_to_end)):
        limit = whole.get(f"{field}_s")
        if limit is not None:
            name = "mean" if percentile is None else f"p{percentile:g}"
            least, said = _least(times, percentile), stated[field].get(name, 0.0)
            # With several ends the planner may overstate the first of them, in what it says too.
            worst = least if field == "first_output" and forks else max(least, said)
            _hold(f"slo.{field}{of_graph(graph)}", worst, limit, faults)


def _least(times: Times, percentile: float | None) -> float:
    """The least that the bounded value can be, but for the sampling error [s]."""
    return times.mean_interval()[0] if percentile is None else times.quantile_interval(percentile / 100)[0]


def _hold(name: str, seconds: float, limit: float, faults: Diagnostics) -> None:
    if seconds > limit * (1 + BOUND_SLACK):
        faults.error("check.bound", f"{name} is {limit:.6g} s, but the plan takes {seconds:.6g} s")
