"""A user's own catalogue: devices and models that extend or override ours, in one YAML file.

    devices:
      h100-sxm: {figures: [{source: our quote, date: 2026-11, quality: measured, rent: 1.90 USD/h}]}
      my-npu: {kind: npu, vendor: Acme, figures: [{source: its sheet, date: 2026-10, quality: data_sheet, ...}]}
      big-l4: {like: l4, figures: [...]}
    models:
      my-llm: {like: llama-3.1-8b, layers: 40, source: its card, date: 2026-10}

An entry of a known id keeps what it does not say; `like` starts from another entry; else it stands alone. Figures
have the names and units of `costmodel/device.py`, keys of models are those of the catalogue's own files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..ir.diagnostics import Diagnostics, did_you_mean
from ..ir.read.fields import Either, Key, ListOf, MapOf, Number, Quantity, Reading, Record, Text, name_of, shown
from ..ir.read.fleet_schema import DEVICE_NAME, DEVICE_NAME_FORM, PRECISIONS
from ..ir.read.yaml import Document, read_yaml
from .device import FIGURES, contradictions, read_device
from .figures import QUALITIES
from .hardware import canonical, catalogue_entries, entry_named
from .user_entries import UserEntries

KEY_FAULTS = ("missing-key", "unknown-key")
"""faults of keys, which underline the key and not its value"""

_KINDS = ("gpu", "npu", "cpu")
_NAME = Text(pattern=DEVICE_NAME, form=DEVICE_NAME_FORM)
_NEEDED = ("memory", "bandwidth", "tdp")
MODEL_NAME, MODEL_NAME_FORM = "[A-Za-z][A-Za-z0-9_./-]{0,99}", "a letter, then up to 99 letters, digits or `-_./`"


class _AnyRecord:
    """A mapping whose keys are checked elsewhere."""

    def read(self, value: Any, path: tuple[str | int, ...], to: Reading) -> dict[str, Any] | None:
        if isinstance(value, dict):
            return value
        to.fault(path, "type", f"{name_of(path)} must be a mapping, not {shown(value)}")
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


def _figure_type(dimension: str) -> Number | Quantity:
    return Number(1, integer=True) if dimension == "count" else Quantity(dimension, positive=True)


_RATES = Record({t: Key(Quantity("flops", positive=True), f"dense rate in {t}") for t in PRECISIONS})
_GROUP = Record(
    {
        "source": Key(Text(), "where the figures come from", required=True),
        "date": Key(Either(lambda v: isinstance(v, str), Text(), Number(integer=True)), "when, as 2026-11", True),
        "quality": Key(Text(QUALITIES), "how far to trust them", required=True),
        **{n: Key(_RATES if n == "flops" else _figure_type(k.dimension), k.words) for n, k in FIGURES.items()},
    }
)
_VALUES = MapOf(Number(), "[a-z_]{1,40}", "a coefficient's name")
_PARTS = {
    "fitted": Key(_VALUES, "coefficients that the measurements moved"),
    "inherited": Key(_VALUES, "coefficients that they left as they were"),
}
_CALIBRATION = Record(
    {
        "source": Key(Text(), "the file of measurements", required=True),
        "date": Key(Text(), "when it was fitted", required=True),
        "quality": Key(Text(QUALITIES), "`fitted`", required=True),
        "rows": Key(Number(1, integer=True), "measurements"),
        "error_before": Key(Number(), "median error without them, relative"),
        "error_after": Key(Number(), "with them, of rows left out of the fit"),
        "kernels": Key(MapOf(Record(_PARTS), "[a-z0-9_]{1,40}", "a kernel's name"), "coefficients by kernel"),
        "serving": Key(
            Record(
                {
                    "model": Key(Text(), "id of the model", required=True),
                    "engine": Key(Text(), "id of the engine", required=True),
                    "precision": Key(Text(), "of the weights", required=True),
                    **_PARTS,
                }
            ),
            "coefficients of an engine with one model",
        ),
    }
)
_DEVICE = Record(
    {
        "like": Key(_NAME, "the device of the catalogue to start from"),
        "kind": Key(Text(_KINDS), "gpu, npu or cpu"),
        "vendor": Key(Text(), "who makes it"),
        "aliases": Key(ListOf(_NAME), "further names"),
        "figures": Key(ListOf(_GROUP), "groups of figures: each one source, its date and quality, and what it says"),
        "calibration": Key(ListOf(_CALIBRATION), "what `dovetail calibrate` fitted, a group for each table"),
    }
)
CATALOGUE = Record(
    {
        "devices": Key(MapOf(_DEVICE, DEVICE_NAME, DEVICE_NAME_FORM), "devices by id"),
        "models": Key(MapOf(_AnyRecord(), MODEL_NAME, MODEL_NAME_FORM), "models by id"),
    }
)


def catalogue_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of such a file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Dovetail catalogue"}
    return head | CATALOGUE.schema()


def read_user_catalogue(path: Path) -> UserEntries:
    """The records in the file at `path`, whole; InputError with every fault and its place."""
    document = read_yaml(path)
    to = Reading(document.sources, Diagnostics())
    CATALOGUE.read(document.value, (), to)
    to.faults.raise_if_errors()
    from .models import model_entries  # it reads the catalogue of models

    entries = UserEntries(
        _whole(document, "devices", catalogue_entries(), _merge_device, to),
        _whole(document, "models", model_entries(), lambda base, own: {**base, **own}, to),
    )
    to.faults.raise_if_errors()
    for id, entry in entries.devices.items():
        _check_device(id, entry, to)
    for id, entry in entries.models.items():
        _check_model(id, entry, to)
    to.faults.raise_if_errors()
    return entries


def _whole(
    document: Document,
    section: str,
    known: Mapping[str, Mapping[str, Any]],
    merge: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]],
    to: Reading,
) -> dict[str, Mapping[str, Any]]:
    """The entries of a section by canonical id, each with what it extends; entries may extend earlier ones."""
    whole: dict[str, Mapping[str, Any]] = {}
    for name, entry in (document.value.get(section) or {}).items():
        own = {key: value for key, value in entry.items() if key != "like"}
        every = {**known, **whole}
        found = entry_named(str(entry.get("like", name)), every)
        if "like" in entry and found is None:
            help = did_you_mean(canonical(str(entry["like"])), every)
            if entry["like"] in document.value[section]:
                help = "`like` starts from an entry of the catalogue, or from one above it in this file"
            message = f"`like: {entry['like']}` is in no catalogue"
            to.fault((section, name, "like"), f"unknown-{section[:-1]}", message, help)
        elif found is None:
            whole[canonical(name)] = own
        else:
            base = {key: value for key, value in found[1].items() if key != "aliases"} if "like" in entry else found[1]
            id = canonical(name) if "like" in entry else found[0]
            whole[id] = merge(base, own)
    return whole


def _merge_device(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a later group replace those of an earlier one, and so do coefficients."""
    lists = {key: [*base.get(key, ()), *own.get(key, ())] for key in ("figures", "calibration")}
    return {**base, **own, **{key: groups for key, groups in lists.items() if groups}}


def _check_device(id: str, entry: Mapping[str, Any], to: Reading) -> None:
    at = ("devices", _written(id, "devices", entry, to))
    missing = [key for key in ("kind", "vendor") if key not in entry]
    for key in missing:
        to.fault(at, "missing-key", f"the device `{id}` is in no catalogue, and needs `{key}`", key=True)
    if missing:
        return
    _check_calibration(at, entry, to)
    device = read_device(id, entry)
    lacking = [name for name in _NEEDED + (("cores",) if device.kind == "cpu" else ()) if name not in device.figures]
    lacking += [] if device.flops_per_s else ["flops"]
    if lacking:
        message = f"the device `{id}` lacks {', '.join(f'`{name}`' for name in lacking)}"
        help = "add them to its `figures`, or name a device to start from: `like`"
        to.fault(at, "missing-figure", message, help, key=True)
    for name, words in contradictions(device.figures):
        to.fault(_place_of(name, at, to), "range", f"the device `{id}` {words}")


def _check_calibration(at: tuple[str | int, ...], entry: Mapping[str, Any], to: Reading) -> None:
    """Its kernels, and the coefficients of kernels and engines, are ones that the model has."""
    if not entry.get("calibration"):
        return
    from .operators.coefficients import read
    from .serving.engines import find_engine

    kernels = {
        name: {*each["shared"], *(n for values in each["devices"].values() for n in values)}
        for name, each in read()["kernels"].items()
    }
    engine = {name for name, value in vars(find_engine()).items() if isinstance(value, float)}
    for group in entry["calibration"]:
        told = [(f"kernels.{name}", parts, kernels.get(name)) for name, parts in group.get("kernels", {}).items()]
        told += [("serving", group["serving"], engine)] if "serving" in group else []
        for where, parts, known in told:
            named = {name for key in ("fitted", "inherited") for name in parts.get(key, {})}
            for name in sorted(named - known) if known is not None else [where]:
                message = f"the calibration by `{group['source']}` has `{name}`, which the model has not"
                to.fault(at, "unknown-coefficient", message, "calibrate the device again", key=True)


def _place_of(name: str, at: tuple[str | int, ...], to: Reading) -> tuple[str | int, ...]:
    """Where the file writes the figure `name`; the device, where it is one of those extended."""
    paths = [p for p in to.sources.keys if p[:2] == at and p[-len(name.split(".")) :] == tuple(name.split("."))]
    return paths[-1] if paths else at


def _check_model(id: str, entry: Mapping[str, Any], to: Reading) -> None:
    from .models import read_model
    from .models.check_entry import entry_faults, network_faults

    at = ("models", _written(id, "models", entry, to))
    faults = network_faults(entry) if "unit" in entry else entry_faults(entry)
    for fault in faults:
        words = f"the model `{id}`: {fault.message}"
        to.fault((*at, *fault.path), fault.id, words, fault.help, key=fault.id in KEY_FAULTS)
    if faults:
        return
    try:
        read_model(id, entry)
    except KeyError as fault:
        to.fault(at, "missing-key", f"the model `{id}` needs {fault.args[0]!r}".replace("'", "`"), key=True)
    except (TypeError, ValueError, AttributeError) as fault:
        to.fault(at, "model", f"the model `{id}` is not understood: {fault}", key=True)


def _written(id: str, section: str, entry: Mapping[str, Any], to: Reading) -> str:
    """The name under which the file writes the entry of `id`: the id, or an alias."""
    known = {id, *map(canonical, entry.get("aliases", ()))}
    names = (str(path[1]) for path in to.sources.keys if len(path) == 2 and path[0] == section)
    return next((name for name in names if canonical(name) in known), id)
