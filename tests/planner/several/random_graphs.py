"""Random small pairs of graphs on one fleet, and all of their plans, one by one, from the documents alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.placement.search.solve import objective_within
from dovetail.planner.posing.pose import pose

Json = dict[str, Any]
MOST = 4
"""Devices of one kind."""


def instance(seed: int) -> tuple[Json, Json]:
    """Two graphs of one node each that measured figures speak of, and a fleet of two kinds of devices."""
    r = random.Random(seed)
    devices = {
        name: {"count": r.randint(1, MOST), "price": {"rent": f"{r.uniform(1, 4):.3f} USD/h"}} for name in ("x", "y")
    }
    graphs = {name: _graph(r, name) for name in ("a", "b")}
    return graphs, {"devices": devices}


def _graph(r: random.Random, name: str) -> Json:
    times = {device: r.randint(40, 300) for device in ("x", "y")}
    rows = {device: {"run": {"latency": f"{ms} ms"}} for device, ms in times.items()}
    node = {"kind": "model", "model": "some-network", "profile": rows}
    slo: Json = {"end_to_end": f"{r.randint(150, 900)} ms"}
    if r.random() < 0.5:
        slo["percentile"] = r.choice([80, 90, 95])
    return {
        "version": 1,
        "name": name,
        "nodes": {"n": node},
        "workload": {"rate": f"{r.uniform(0.3, 5):.2f} req/s"},
        "slo": slo,
    }


def least(graphs: Json, fleet: Json) -> float | None:
    """Least cost of a plan of these graphs together [USD/h]; None where there is none."""
    document = {"version": 1, "name": "both", "graphs": graphs}
    return objective_within(pose(parse_graph(document), parse_fleet(fleet), Path()).problem, None)


def least_of_all(graphs: Json, fleet: Json) -> float | None:
    """The same by trying every plan."""
    return min(costs(graphs, fleet), default=None)


def costs(graphs: Json, fleet: Json) -> Iterator[float]:
    """Cost of every plan that keeps the bounds: where each node runs, in which pool, and how many replicas it has."""
    names = list(graphs)
    for places in itertools.product(fleet["devices"], repeat=len(names)):
        at = dict(zip(names, places, strict=True))
        for pools in _partitions(names, at):
            for sizes in itertools.product(range(1, MOST + 1), repeat=len(pools)):
                taken = dict.fromkeys(fleet["devices"], 0)
                for pool, n in zip(pools, sizes, strict=True):
                    taken[at[pool[0]]] += n
                if any(n > fleet["devices"][device]["count"] for device, n in taken.items()):
                    continue
                if all(_keeps(graphs, pool, at[pool[0]], n) for pool, n in zip(pools, sizes, strict=True)):
                    yield sum(n * float(fleet["devices"][d]["price"]["rent"].split()[0]) for d, n in taken.items())


def _partitions(names: Sequence[str], at: dict[str, str]) -> Iterator[list[tuple[str, ...]]]:
    """Each alone; and those on one device together."""
    yield [(name,) for name in names]
    if len(names) == 2 and len(set(at.values())) == 1:
        yield [tuple(names)]


def service_s(graph: Json, device: str) -> float:
    return float(graph["nodes"]["n"]["profile"][device]["run"]["latency"].split()[0]) / 1e3


def rate(graph: Json) -> float:
    return float(graph["workload"]["rate"].split()[0])


def _keeps(graphs: Json, pool: tuple[str, ...], device: str, n: int) -> bool:
    """Whether `n` replicas carry the pool's graphs and keep their bounds, visits waiting as in M/M/n."""
    load = {name: rate(graphs[name]) * service_s(graphs[name], device) for name in pool}
    if sum(load.values()) >= n:
        return False
    longest = max(service_s(graphs[name], device) for name in pool)
    return all(
        kept(graphs[name], service_s(graphs[name], device), *waits(load, name, graphs, n, longest)) for name in pool
    )


def waits(load: dict[str, float], name: str, graphs: Json, n: int, longest: float) -> tuple[float, float]:
    """Probability of waiting, and the mean of the exponential time that a wait is at most [s].

    The rate of its tail by class: Davis, "Waiting-time distributions of a multi-server, priority queueing system"
    (Operations Research 14, 1966); here found by bisection of the pole, and not by its formula.
    """
    own = graphs[name].get("priority", 0)
    before = sum(a for other, a in load.items() if graphs[other].get("priority", 0) > own) / n
    upto = before + sum(a for other, a in load.items() if graphs[other].get("priority", 0) == own) / n
    return erlang_c(n, sum(load.values())), longest / n / tail_rate(before, upto)


def tail_rate(before: float, upto: float) -> float:
    """Least theta at which the law of a wait has no exponential moment, in services of the whole pool.

    -theta + (1 - upto) + before (1 - busy(-theta)) = 0, busy being the transform of a busy period of those before.
    """
    branch = (1 - math.sqrt(before)) ** 2

    def excess(theta: float) -> float:
        b = 1 + before - theta
        busy = (b - math.sqrt(max(0.0, b * b - 4 * before))) / (2 * before) if before else 1 / (1 - theta)
        return -theta + (1 - upto) + before * (1 - busy)

    if excess(branch * (1 - 1e-12)) > 0:
        return branch
    low, high = 0.0, branch
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return low


def erlang_c(n: int, a: float) -> float:
    """P(W > 0) of M/M/n by its defining sum."""
    terms = [a**k / math.factorial(k) for k in range(n)]
    last = a**n / math.factorial(n) * n / (n - a)
    return last / (sum(terms) + last)


def kept(graph: Json, service: float, probability: float, mean: float) -> bool:
    """Whether the bound holds with a service of that length after a wait of that law."""
    limit = float(graph["slo"]["end_to_end"].split()[0]) / 1e3 - service
    if "percentile" not in graph["slo"]:
        return probability * mean <= limit
    return limit >= 0 and probability * math.exp(-limit / mean) <= 1 - graph["slo"]["percentile"] / 100
