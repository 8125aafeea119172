"""Tools whose memory bursts, packed on hosts: what trying every packing finds, and that bursts change it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.posing.pose import pose

Json = dict[str, Any]
GIB = 2**30
INSTANCES = 80


def instance(seed: int) -> tuple[Json, Json]:
    """Two to four tools in a row that take next to no cores, and two kinds of hosts, the larger of which is dearer."""
    r = random.Random(seed)
    tools = {
        f"t{k}": {
            "kind": "tool",
            "latency": f"{r.randint(200, 3000)} ms",
            "cpus": 0.01,
            "memory": {"mean": f"{r.randint(50, 800)} MiB", "peak": f"{r.randint(1, 6)} GiB"},
        }
        for k in range(r.randint(2, 4))
    }
    graph = {"version": 1, "nodes": tools, "workload": {"rate": f"{r.choice([0.5, 1, 2, 4])} req/s"}}
    hosts = {
        name: {"model": "epyc-9554", "memory": f"{size} GiB", "price": {"rent": f"{rent} USD/h"}}
        for name, size, rent in (
            ("small", r.randint(6, 14), 1),
            ("large", r.randint(15, 40), r.choice([1.5, 1.9, 2.6])),
        )
    }
    return {**graph, "edges": [f"t{k} -> t{k + 1}" for k in range(len(tools) - 1)]}, {"devices": hosts}


def bytes_of(written: str) -> float:
    number, unit = written.split()
    return float(number) * {"MiB": 2**20, "GiB": GIB}[unit]


def in_flight(graph: Json, tool: Json) -> float:
    return float(graph["workload"]["rate"].split()[0]) * float(tool["latency"].split()[0]) / 1e3


def by_bursts(graph: Json, tool: Json) -> float:
    """What calls hold but for one thousandth of the time: Poisson many at their peak, at least one."""
    mean, peak = bytes_of(tool["memory"]["mean"]), bytes_of(tool["memory"]["peak"])
    at_peak = in_flight(graph, tool) * mean / peak
    covered = k = 0.0
    while True:
        covered += math.exp(-at_peak) * at_peak**k / math.gamma(k + 1)
        if covered >= 0.999:
            return peak * max(1.0, k)
        k += 1


def by_means(graph: Json, tool: Json) -> float:
    return in_flight(graph, tool) * bytes_of(tool["memory"]["mean"])


def by_peaks(graph: Json, tool: Json) -> float:
    """Every call in flight at its peak, where as many are in flight as but for one thousandth of the time."""
    peak = tool["memory"]["peak"]
    return by_bursts(graph, {**tool, "memory": {"mean": peak, "peak": peak}})


def partitions(items: Sequence[str]) -> Iterator[list[list[str]]]:
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for k, block in enumerate(rest):
            yield [*rest[:k], [items[0], *block], *rest[k + 1 :]]


def cheapest(graph: Json, fleet: Json, held: Callable[[Json, Json], float]) -> float:
    """[USD/h] of the best packing: each block of tools on the cheapest host that has room; infinite where none has."""
    sizes = {name: held(graph, tool) for name, tool in graph["nodes"].items()}
    hosts = [(bytes_of(h["memory"]), float(h["price"]["rent"].split()[0])) for h in fleet["devices"].values()]

    def rent(block: list[str]) -> float:
        return min((usd for room, usd in hosts if sum(sizes[name] for name in block) <= room), default=math.inf)

    return min(sum(map(rent, blocks)) for blocks in partitions(list(sizes)))


@pytest.mark.parametrize("batch", range(2))
def test_tools_are_packed_against_their_bursts(batch: int, tmp_path: Path) -> None:
    changed = dict.fromkeys((by_means, by_peaks), 0)
    for seed in range(batch, INSTANCES, 2):
        graph, fleet = instance(seed)
        found = solve(pose(parse_graph(graph), parse_fleet(fleet), tmp_path).problem)
        least = cheapest(graph, fleet, by_bursts)
        if math.isinf(least):
            assert found.status == "infeasible"
        else:
            assert found.objective == pytest.approx(least)
        for held in changed:
            changed[held] += cheapest(graph, fleet, held) != least
    assert min(changed.values()) >= 15
