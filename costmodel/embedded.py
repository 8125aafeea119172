"""The part of the catalogue that a plan used, as plain data: a plan can be checked without the catalogue of its day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .hardware import Device, canonical, device_entry, device_id, read_device
from .models import LLM, model_entries, read_model
from .models.entry import write_llm
from .networks import Network
from .work import Work, read_work, work_record


@dataclass(frozen=True)
class Catalogue:
    """Devices by id, models by the name that the graph uses, tensor graphs by their path in the graph."""

    devices: Mapping[str, Device]
    models: Mapping[str, LLM | Network]
    works: Mapping[str, Work]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """further names of the devices, to their ids"""

    def find_device(self, name: str) -> Device | None:
        """The device of that id or alias (`_` and `-` alike), or None."""
        return self.devices.get(self.aliases.get(canonical(name), canonical(name)))


def embed(devices: Iterable[str], models: Mapping[str, LLM | Network], works: Mapping[str, Work]) -> dict[str, Any]:
    """The entries of `devices` (catalogue ids or aliases), of `models` by name, and `works` by path.

    JSON data with keys `devices` and `models`; `read_catalogue` reads it back.
    """
    found = {id: _plain(device_entry(id)) for name in devices if (id := device_id(name)) is not None}
    records = {name: _model_record(model) for name, model in models.items()}
    records |= {path: {"work": work_record(work)} for path, work in works.items()}
    return {"devices": dict(sorted(found.items())), "models": dict(sorted(records.items()))}


def read_catalogue(embedded: Mapping[str, Any]) -> Catalogue:
    """What `embed` wrote down; KeyError, TypeError or ValueError where it was tampered with."""
    devices = {canonical(id): read_device(id, entry) for id, entry in embedded["devices"].items()}
    models = {name: read_model(name, entry) for name, entry in embedded["models"].items() if "work" not in entry}
    works = {name: read_work(entry["work"]) for name, entry in embedded["models"].items() if "work" in entry}
    aliases = {canonical(a): canonical(id) for id, e in embedded["devices"].items() for a in e.get("aliases", ())}
    return Catalogue(devices, models, works, aliases)


def _model_record(model: LLM | Network) -> dict[str, Any]:
    """The catalogue's entry of a model; for a model of a user's config.json, its shape in the same form."""
    entry = model_entries().get(canonical(model.id))
    if entry is not None and read_model(model.id, entry) == model:
        return _plain(entry)
    assert isinstance(model, LLM)
    return write_llm(model)


def _plain(value: Any) -> Any:
    """Dates and the like of YAML as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
