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
from .entry import read_llm
from .llm import LLM

FOLDER = Path(__file__).parents[1] / "catalogue" / "models"


@cache
def model_entries() -> Mapping[str, Mapping[str, Any]]:
    """The catalogue's entries of models by canonical id."""
    return MappingProxyType({canonical(id): entry for id, entry in read_entries(FOLDER)})


@cache
def load_models() -> Mapping[str, LLM | Network]:
    """The catalogue's models by canonical id."""
    return MappingProxyType({id: read_model(id, entry) for id, entry in model_entries().items()})


@cache
def _aliases() -> Mapping[str, str]:
    """Canonical Hugging Face ids of the catalogue's models, to their own."""
    entries = model_entries().items()
    return {canonical(alias): id for id, entry in entries for alias in entry.get("aliases", ())}


def find_model(name: str) -> LLM | Network | None:
    """The catalogue's model of that id or Hugging Face id (`_` and `-` alike), or None."""
    id = canonical(name)
    id = _aliases().get(id, id)
    return read_model(id, model_entries()[id]) if id in model_entries() else None


def read_model(id: str, entry: Mapping[str, Any]) -> LLM | Network:
    """The model of a catalogue entry; KeyError, TypeError or ValueError for one that is not understood."""
    return read_network(id, entry) if "unit" in entry else read_llm(id, entry)
