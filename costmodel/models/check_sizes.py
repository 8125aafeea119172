"""Sizes of a language model that a user wrote which contradict each other, with their place in the entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .entry import LAYER_KEYS

Place = tuple[str | int, ...]
"""the way to a value in an entry: `("groups", 1, "heads")`"""
AT_LEAST_ONE = ("hidden", "vocab", "context_tokens")
"""of the model"""
AT_LEAST_ONE_OF_HEADS = ("head_dim", "kv_heads")
"""of layers that have heads"""


@dataclass(frozen=True)
class EntryFault:
    """One fault, at `path` in the entry."""

    path: Place
    id: str
    message: str
    help: str | None = None


def size_faults(entry: Mapping[str, Any]) -> Iterator[EntryFault]:
    """What no model can be, of an entry whose values are each of their kind."""
    for key in AT_LEAST_ONE:
        if entry.get(key) == 0:
            yield EntryFault((key,), "range", f"`{key}` must be at least 1")
    for number, group in enumerate(entry.get("groups", [{}])):
        at: Place = ("groups", number) if "groups" in entry else ()
        yield from _layer_faults(layer_shape(entry, group), group, at)


def _layer_faults(shape: Mapping[str, Any], group: Mapping[str, Any], at: Place) -> Iterator[EntryFault]:
    """Of layers of this shape; `group` says which of it stands at `at`, the rest is the entry's."""

    def fault(key: str, message: str) -> EntryFault:
        return EntryFault((*at, key) if key in group else (key,), "range", message)

    heads, kv_heads = shape.get("heads") or 0, shape.get("kv_heads") or 0
    for key in AT_LEAST_ONE_OF_HEADS:
        if heads and shape.get(key) == 0:
            yield fault(key, f"`{key}` must be at least 1")
    if kv_heads and heads % kv_heads:
        yield fault("kv_heads", f"`kv_heads` is {kv_heads}, which does not divide {heads} `heads`")
    experts, taken = shape.get("experts"), shape.get("experts_per_token")
    if experts is not None and taken is not None and not min(1, experts) <= taken <= experts:
        yield fault("experts_per_token", f"a token cannot take {taken} of {experts} `experts`")


def layer_shape(entry: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of one group of its layers."""
    return {**{key: value for key, value in entry.items() if key in LAYER_KEYS}, **group}
