"""The models that Dovetail knows by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..figures import read_entries
from ..hardware import canonical
from ..networks import Network, read_network
from ..user_entries import user_entries
from .entry import read_llm
from .llm import LLM

FOLDER = Path(__file__).parents[1] / "catalogue" / "models"


@cache
def _own_entries() -> Mapping[str, Mapping[str, Any]]:
    return MappingProxyType({canonical(id): entry for id, entry in read_entries(FOLDER)})


def model_entries() -> Mapping[str, Mapping[str, Any]]:
    """The entries of models by canonical id: the catalogue's, and over them those of the user's file."""
    return {**_own_entries(), **user_entries().models}


def load_models() -> Mapping[str, LLM | Network]:
    """The catalogue's models by canonical id."""
    return MappingProxyType({id: read_model(id, entry) for id, entry in model_entries().items()})


def _aliases() -> Mapping[str, str]:
    """Canonical further names of the models, whole and without the publisher's, to their ids; the first has a name."""
    aliases = {canonical(alias): id for id, entry in model_entries().items() for alias in entry.get("aliases", ())}
    short = {alias.partition("/")[2]: id for alias, id in reversed(aliases.items()) if "/" in alias}
    return {**short, **aliases}


def names() -> list[str]:
    """Every name that `find_model` finds."""
    return [*model_entries(), *_aliases()]


def find_model(name: str) -> LLM | Network | None:
    """The catalogue's model of that id or Hugging Face id, or None.

    Names go with their publisher or without, `_` and `-` are alike.
    """
    id, entries = canonical(name), model_entries()
    if id not in entries:
        id = _aliases().get(id, id)
    return read_model(id, entries[id]) if id in entries else None


def read_model(id: str, entry: Mapping[str, Any]) -> LLM | Network:
    """The model of a catalogue entry; KeyError, TypeError or ValueError for one that is not understood."""
    return read_network(id, entry) if "unit" in entry else read_llm(id, entry)
