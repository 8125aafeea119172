"""Rules on the models that an llm node may be served by, and on bounds on how good their answers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..diagnostics import did_you_mean
from .fields import Reading
from .files import check_file
from .nested import nested_drafts

Node = Mapping[str, Any]


def names_of(node: Node) -> list[str]:
    """The models that the llm node may be served by."""
    named = node.get("model", [])
    return named if isinstance(named, list) else [named]


def check_alternatives(name: str, node: Node, priced: bool, to: Reading) -> None:
    """The models of the llm node `name`: each once, files there, qualities of all or of none."""
    path, models = ("nodes", name, "model"), names_of(node)
    several = isinstance(node["model"], list)
    for number, model in enumerate(models):
        place = (*path, number) if several else path
        if model in models[:number]:
            to.fault(place, "model", f"`{name}` names the model `{model}` twice", "remove one of them")
        elif model.endswith(".json"):
            check_file(place, model, to)
    if len(models) > 1 and priced:
        message = f"a profile measures one model, and `{name}` names {len(models)}"
        to.fault(path, "conflict", message, "name the one that was measured, or remove the profile")
    if "quality" in node:
        _check_qualities(name, node["quality"], models, to)


def _check_qualities(name: str, stated: Mapping[str, float], models: list[str], to: Reading) -> None:
    path = ("nodes", name, "quality")
    for model in stated:
        if model not in models:
            message = f"`{name}` states a quality of `{model}`, which is not one of its models"
            help = did_you_mean(model, models) or f"its models are {', '.join(models)}"
            to.fault((*path, model), "quality", message, help, key=True)
    missing = [model for model in models if model not in stated]
    if missing:
        message = f"`{name}` states no quality of `{missing[0]}`"
        to.fault(path, "quality", message, "give one for each of its models, on one scale", key=True)


def check_quality_bound(plain: dict[str, Any], to: Reading) -> None:
    """A bound on quality needs qualities: of the node, or of some node of the graph."""
    nodes = plain.get("nodes") or {}
    for name, node in nodes.items():
        if node is None or node["kind"] != "llm" or "quality" in node or "quality" not in node.get("slo", {}):
            continue
        if ("nodes", name, "quality") not in to.sources.keys:  # else it was refused
            message = f"`slo.quality` of `{name}` bounds a quality that the node does not state"
            help = "give it `quality: {model: 0.7}`, for each of its models"
            to.fault(("nodes", name, "slo", "quality"), "quality", message, help, key=True)
    if "quality" in (plain.get("slo") or {}) and not any(_state_quality(plain)):
        message = "`slo.quality` bounds the quality of models, and no node states any"
        to.fault(("slo", "quality"), "quality", message, "give nodes `quality: {model: 0.7}`, or remove it", key=True)


def _state_quality(plain: dict[str, Any]) -> Iterator[bool]:
    """Of each node, those of nested graphs too, whether it states qualities."""
    yield from ("quality" in (node or {}) for node in (plain.get("nodes") or {}).values())
    for _, inner in nested_drafts(plain):
        yield from _state_quality(inner.plain)
