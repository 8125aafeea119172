"""Numbers of graph.yaml that may be wrong, and the graph with one of them changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]
Change = Callable[[Json, float], Json]
NODE_INPUTS = {
    "prompt_tokens": 1,
    "output_tokens": 1,
    "prompt_growth": 1,
    "cached_prefix_tokens": -1,
    "audio": 1,
    "characters": 1,
    "latency": 1,
    "cpus": 1,
    "cpu": 1,
    "memory": 1,
    "usd_per_call": 1,
}
"""Key of a node -> direction in which no plan gets better. Times at a percentile and means grow with each of them."""
BOUNDS = ("ttft", "tbt", "first_output", "end_to_end")
_QUANTITY = re.compile(r"^\s*([0-9][0-9_.]*(?:[eE][-+]?\d+)?)(.*)$", re.DOTALL)


def graph_inputs(graph: Mapping[str, Any]) -> Iterator[tuple[str, int, Change]]:
    """(name, harm, change) of every number of a normalised graph that a factor makes sense of."""
    if "rate" in graph.get("workload", {}):
        yield "workload.rate", 1, _at("workload", "rate")
    for name, own in (graph.get("graphs") or {}).items():
        yield from ((f"{name}/{what}", harm, _within(name, change)) for what, harm, change in graph_inputs(own))
    for node, entry in (graph.get("nodes") or {}).items():
        for key, harm in NODE_INPUTS.items():
            if entry.get(key):
                yield f"{node}.{key}", harm, _at("nodes", node, key)
        for kind in BOUNDS:
            if (entry.get("slo") or {}).get(kind):
                yield f"{node}.slo.{kind}", -1, _at("nodes", node, "slo", kind)
    for number, edge in enumerate(graph.get("edges", ())):
        if isinstance(edge, Mapping) and edge.get("probability") and _others_take_the_rest(graph["edges"], edge):
            yield f"probability[{edge['from']}->{edge['to']}]", 0, _at("edges", number, "probability")
    for kind in BOUNDS:
        if (graph.get("slo") or {}).get(kind):
            yield f"slo.{kind}", -1, _at("slo", kind)


def _others_take_the_rest(edges: list[Any], edge: Mapping[str, Any]) -> bool:
    """Whether an unmarked edge leaves the same node, so that a probability can change by itself."""
    unmarked = (e.partition("->")[0].strip() if isinstance(e, str) else e["from"] for e in edges if not _marked(e))
    return edge["from"] in set(unmarked)


def _marked(edge: Any) -> bool:
    return isinstance(edge, Mapping) and edge.get("probability") is not None


def _at(*path: str | int) -> Change:
    def change(graph: Json, factor: float) -> Json:
        return _changed(graph, path, factor)

    return change


def _within(name: str, change: Change) -> Change:
    """The change made in one of several graphs that share a fleet."""

    def within(graph: Json, factor: float) -> Json:
        return {**graph, "graphs": {**graph["graphs"], name: change(graph["graphs"][name], factor)}}

    return within


def _changed(value: Any, path: tuple[str | int, ...], factor: float) -> Any:
    """A copy of `value` with the number under `path` times `factor`."""
    if not path:
        return scaled(value, factor)
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_changed(item, rest, factor) if i == key else item for i, item in enumerate(value)]
    new = {**value, key: _changed(value[key], rest, factor)}
    if key == "probability":
        new[key] = min(1.0, new[key])
    return new


def scaled(value: Any, factor: float) -> Any:
    """A number, a quantity with its unit, or a distribution, times `factor`; whole numbers may become others."""
    if isinstance(value, Mapping):
        return {key: item if key == "unit" else scaled(item, factor) for key, item in value.items()}
    if isinstance(value, list):
        return [scaled(item, factor) for item in value]
    if isinstance(value, str):
        found = _QUANTITY.match(value)
        return value if found is None else f"{float(found[1].replace('_', '')) * factor!r}{found[2]}"
    return value if isinstance(value, bool) or value is None else value * factor
