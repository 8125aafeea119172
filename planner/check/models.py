"""Which of several models serves each node: one of the user's list, and as good on average as is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...ir.diagnostics import Diagnostics
from .close import far
from .latency import of_graph
from .subject import Node, Subject

ROUNDING = 1e-6


def with_chosen_models(nodes: Mapping[str, Node], plan: Mapping[str, Any]) -> dict[str, Node]:
    """The nodes, each asking for the one model that the pool of its first piece serves, where it has several."""
    stated = {pool["id"]: pool.get("model") for pool in plan["pools"]} if "pools" in plan else {}
    served = {placed["piece"]: stated.get(placed["pool"]) for placed in plan.get("placements", ())}
    return {name: _with_model(node, served.get(node.pieces[0])) for name, node in nodes.items()}


def _with_model(node: Node, model: str | None) -> Node:
    if model not in node.asks.get("models", ()):
        return node
    return replace(node, asks={**node.asks, "model": model})


def check_models(subject: Subject, faults: Diagnostics) -> None:
    """Report `check.model` faults, and `check.bound` where a bound on quality is broken."""
    for node in subject.nodes.values():
        if node.is_llm and subject.chooses_models:
            _check_model(subject, node, faults)
    found = dict(_qualities(subject))
    mean = _mean(subject, found)
    _check_stated(subject, found, mean, faults)
    for name, value, least in _bounded(subject, found):
        if value is None or value < least * (1 - ROUNDING):
            faults.error("check.bound", f"the quality that {name} bounds is {value}, under {least:g}")


def _check_model(subject: Subject, node: Node, faults: Diagnostics) -> None:
    named = node.asks.get("models") or [node.asks["model"]]
    for piece in node.pieces:
        pool = subject.pool_of[piece]
        model = pool.model
        expected = node.adapter["name"] if node.adapter and subject.is_api(pool) else node.asks["model"]
        if subject.row(piece) is None and model != expected:
            message = f"`{piece}` is in a pool of the model `{model}`, and `{node.name}` is served by one of {named}"
            faults.error("check.model", message)
    llm, reached = subject.llms.get(node.asks["model"]), len(subject.reached[node.name])
    grown = node.asks["prompt_tokens"].mean + (reached - 1) * node.asks["prompt_growth"]
    own = any(not subject.is_api(subject.pool_of[piece]) for piece in node.pieces)
    if own and len(named) > 1 and llm and grown + node.asks["output_tokens"].mean > llm.context_tokens:
        faults.error("check.model", f"the context of `{node.asks['model']}` has no room for the calls of `{node.name}`")


def _qualities(subject: Subject) -> Iterator[tuple[str, float]]:
    """(node, quality of its model) of the nodes that state any."""
    for node in subject.nodes.values():
        stated = node.asks.get("qualities") or {}
        if stated:
            yield node.name, stated[node.asks["model"]]


def _mean(subject: Subject, found: Mapping[str, float]) -> float | None:
    """The mean over visits to nodes that state qualities; None without any."""
    visits = sum(subject.visits[name] for name in found)
    return sum(subject.visits[name] * value for name, value in found.items()) / visits if visits else None


def _bounded(subject: Subject, found: Mapping[str, float]) -> Iterator[tuple[str, float | None, float]]:
    """(bound's name, what it bounds, the least that is asked)."""
    for graph, asks in subject.members.items():
        prefix = f"{graph}/" if graph else ""
        own = {name: value for name, value in found.items() if name.startswith(prefix)}
        if "quality" in asks["slo"]:
            yield f"slo.quality{of_graph(graph)}", _mean(subject, own), asks["slo"]["quality"]
    for node in subject.nodes.values():
        least = (node.asks.get("slo") or {}).get("quality")
        if least is not None:
            yield f"slo.quality[{node.name}]", found.get(node.name), least


def _check_stated(subject: Subject, found: Mapping[str, float], mean: float | None, faults: Diagnostics) -> None:
    stated = subject.plan.get("model_quality") or {"nodes": {}, "mean": mean}
    if stated["nodes"].keys() != found.keys() or any(far(stated["nodes"][name], found[name]) for name in found):
        faults.error("check.model", f"the plan states the qualities {stated['nodes']}; derived {dict(found)}")
    if mean is not None and far(stated["mean"], mean):
        faults.error("check.model", f"the plan states a mean quality of {stated['mean']:.6g}; derived {mean:.6g}")
