"""What is wrong with an entry of a language model that a user wrote: every fault, with its place in the entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from ...ir.diagnostics import did_you_mean
from ..figures import QUALITIES
from ..precision import BYTES_PER_ELEMENT
from .check_sizes import EntryFault, Place, layer_shape, size_faults
from .entry import LAYER_KEYS, MIXERS, MODEL_KEYS, NETWORKS, mixer_name, network_name
from .llm import LLM
from .vision import Vision

KEYS = {*LAYER_KEYS, *MODEL_KEYS, "vision", "groups", "aliases"}
NETWORK_KEYS = frozenset({"unit", "precision", "aliases", "figures"})
NEEDED = ("hidden", "vocab", "source", "date")
COUNTS = ("layers", "norms", "norm_parameters")
WORDS = {"int": "a whole number of at least 0", "bool": "true or false", "str": "text", "float | None": "a number"}


def entry_faults(entry: Mapping[str, Any]) -> list[EntryFault]:
    """Every independent fault of the entry of a language model, once; of sizes only where all are readable."""
    return list(dict.fromkeys(_form_faults(entry))) or list(dict.fromkeys(size_faults(entry)))


def network_faults(entry: Mapping[str, Any]) -> list[EntryFault]:
    """Keys that the entry of a network (`costmodel/networks.py`) does not have: its sizes stand under `figures`."""
    help = "its sizes stand under `figures`, with their source and date"
    faults = (EntryFault((key,), "unknown-key", f"`{key}` is no key of a network", help) for key in entry)
    return [fault for fault in faults if fault.path[0] not in NETWORK_KEYS]


def _form_faults(entry: Mapping[str, Any]) -> Iterator[EntryFault]:
    yield from _unknown(entry, KEYS, ())
    yield from _kinds(entry, LLM, ())
    if isinstance(entry.get("vision"), Mapping):
        yield from _vision(entry["vision"])
    elif entry.get("vision") is not None:
        yield EntryFault(("vision",), "type", "`vision` must be a mapping")
    yield from _names(entry)
    groups = entry.get("groups", [{}])
    if not isinstance(groups, list) or not groups or not all(isinstance(group, Mapping) for group in groups):
        yield EntryFault(("groups",), "type", "`groups` must be a list of mappings, one for each kind of layer")
        return
    lacking: dict[Place, list[str]] = {(): [key for key in NEEDED if key not in entry]}
    for number, group in enumerate(groups):
        at: Place = ("groups", number) if "groups" in entry else ()
        if at:
            yield from _unknown(group, LAYER_KEYS, at)
        yield from _group(entry, group, at)
        lacking.setdefault(at, []).extend(_lacking(layer_shape(entry, group)))
    for at, keys in lacking.items():
        if keys:
            yield EntryFault(at, "missing-key", f"it needs {', '.join(f'`{key}`' for key in keys)}")


def _vision(entry: Mapping[str, Any]) -> Iterator[EntryFault]:
    names = [field.name for field in fields(Vision)]
    yield from _unknown(entry, names, ("vision",))
    yield from _kinds(entry, Vision, ("vision",))
    lacking = ", ".join(f"`{key}`" for key in names if key not in entry)
    if lacking:
        yield EntryFault(("vision",), "missing-key", f"`vision` needs {lacking}")


def _names(entry: Mapping[str, Any]) -> Iterator[EntryFault]:
    """Precisions and the mark must be known ones."""
    precisions = entry.get("precisions", {})
    if not isinstance(precisions, Mapping):
        yield EntryFault(
            ("precisions",), "type", "`precisions` must be a mapping from a kind of weights to a precision"
        )
        precisions = {}
    named = [(("precision",), entry.get("precision", "bf16"))]
    named += [(("precisions", kind), precision) for kind, precision in precisions.items()]
    for path, precision in named:
        if isinstance(precision, str) and precision not in BYTES_PER_ELEMENT:
            help = did_you_mean(precision, BYTES_PER_ELEMENT) or f"known are {', '.join(BYTES_PER_ELEMENT)}"
            yield EntryFault(path, "precision", f"`{precision}` is no precision", help)
    if entry.get("mark", QUALITIES[0]) not in QUALITIES:
        yield EntryFault(("mark",), "mark", f"`{entry['mark']}` is no quality mark", f"one of {', '.join(QUALITIES)}")


def _group(entry: Mapping[str, Any], group: Mapping[str, Any], at: Place) -> Iterator[EntryFault]:
    """Faults of one group of layers, with what the entry says for all."""
    shape = layer_shape(entry, group)
    for key, names, chosen in (("mixer", MIXERS, mixer_name(shape)), ("network", NETWORKS, network_name(shape))):
        where = (*at, key) if key in group else (key,)
        if chosen not in names:
            help = did_you_mean(str(chosen), names) or f"one of {', '.join(names)}"
            yield EntryFault(where, key, f"`{chosen}` is no {key}", help)
            continue
        yield from _kinds(group if at else shape, names[chosen], at)
    for key in COUNTS:
        if key in group or (not at and key in shape):
            yield from _kind(shape[key], "int", (*at, key))


def _lacking(shape: Mapping[str, Any]) -> Iterator[str]:
    """Keys that layers of this shape need and do not have."""
    if "layers" not in shape:
        yield "layers"
    for kind in (MIXERS.get(mixer_name(shape)), NETWORKS.get(network_name(shape))):
        for field in fields(kind) if kind is not None and is_dataclass(kind) else ():
            if field.init and field.default is MISSING and field.name not in shape and field.name != "hidden":
                yield field.name


def _unknown(entry: Mapping[str, Any], known: Iterable[str], at: Place) -> Iterator[EntryFault]:
    names = sorted(known)
    for key in entry:
        if key not in names:
            yield EntryFault((*at, key), "unknown-key", f"`{key}` is no key of a model", did_you_mean(str(key), names))


def _kinds(entry: Mapping[str, Any], of: type[Any], at: Place) -> Iterator[EntryFault]:
    """Values that are not of the kind of their field."""
    for field in fields(of):
        if field.init and field.name in entry and str(field.type) in WORDS and field.name != "date":
            yield from _kind(entry[field.name], str(field.type), (*at, field.name))


def _kind(value: Any, kind: str, path: Place) -> Iterator[EntryFault]:
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "float | None": value is None or (isinstance(value, int | float) and value >= 0),
    }
    if not fits[kind]:
        yield EntryFault(path, "type", f"`{path[-1]}` must be {WORDS[kind]}")
