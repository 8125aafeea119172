"""What the catalogue knows of devices: a table, one device in full, or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..ir.diagnostics import Diagnostic, InputError, did_you_mean
from .device import FIGURES, Device, canonical
from .figures import Figure, worst
from .hardware import catalogue_entries, device_id, load_devices
from .text_table import table

QUALITY_SIGNS = {"measured": "!", "fitted": "+", "data_sheet": "", "guess": "?"}
"""what stands behind a figure in the table"""
LEGEND = "! measured   + fitted   ? guess   (no sign) data sheet or published figure\n"
COLUMNS = (
    ("memory GiB", "memory", 2.0**30),
    ("GB/s", "bandwidth", 1e9),
    ("bf16 TFLOP/s", "flops.bf16", 1e12),
    ("fp8 TFLOP/s", "flops.fp8", 1e12),
    ("W", "tdp", 1.0),
    ("idle W", "idle", 1.0),
    ("USD", "list_price", 1.0),
    ("USD/h", "rent", 1.0),
)
"""(head, figure, base units in one unit of the column)"""


def devices_text() -> str:
    """The catalogue's devices, one line each, with the quality of each figure and the worst of all.

    InputError where an installed package adds devices that cannot be read.
    """
    devices = load_devices()
    heads = ("device", "kind", *(head for head, _, _ in COLUMNS), "worst")
    rows = [
        (id, d.kind, *(cell(d.figures.get(name), scale) for _, name, scale in COLUMNS), _worst(d))
        for id, d in devices.items()
    ]
    note = "FLOP/s are dense. `dovetail devices ID` prints every figure of one device with its source.\n"
    return f"{table(heads, rows)}\n{LEGEND}{note}"


def _worst(device: Device) -> str:
    return worst(*device.quality.values()).replace("_", " ")


def device_text(name: str) -> str:
    """Every figure of one device: as its source writes it, what it is, the source, its date and its mark.

    InputError for a name that the catalogue does not have.
    """
    id, device = _known(name)
    aliases = catalogue_entries()[id].get("aliases", ())
    head = f"{id}: {device.kind}, {device.vendor}"
    head += f", also {', '.join(map(canonical, aliases))}" if aliases else ""
    rows = [
        (name, figure.text, figure.quality.replace("_", " "), f"{figure.source} ({figure.date})", _words(name))
        for name, figure in sorted(device.figures.items(), key=lambda item: _order(item[0]))
    ]
    figures = table(("figure", "value", "mark", "source", "what it is"), rows, left=True)
    told = "".join(f"{_calibrated(group)}\n" for group in catalogue_entries()[id].get("calibration", ()))
    return f"{head}\n\n{figures}" + (f"\n{told}" if told else "")


def _calibrated(group: Mapping[str, Any]) -> str:
    """What one table of measurements was fitted to say of the device."""
    served = group.get("serving")
    what = " ".join(served[key] for key in ("model", "engine", "precision")) if served else ", ".join(group["kernels"])
    errors = ""
    if "error_before" in group and "error_after" in group:
        errors = f": median error {group['error_before']:.1%} before, {group['error_after']:.1%} after"
    return f"calibrated by {group['source']} ({group['date']}, {group['quality']}), {what}{errors}"


def _known(name: str) -> tuple[str, Device]:
    id = device_id(name)
    if id is None:
        help = did_you_mean(canonical(name), catalogue_entries()) or "`dovetail devices` lists them"
        raise InputError([Diagnostic("unknown-device", f"`{name}` is no device of the catalogue", help=help)])
    return id, load_devices()[id]


def _order(name: str) -> tuple[int, str]:
    return list(FIGURES).index(name.split(".")[0]), name


def _words(name: str) -> str:
    words = FIGURES[name.split(".")[0]].words
    return f"{words}: {name.split('.')[1]}" if "." in name else words


def devices_json(name: str | None = None) -> list[dict[str, Any]]:
    """The catalogue's devices, or the one of that name, as plain data in base units; InputError for an unknown name."""
    chosen = load_devices() if name is None else dict([_known(name)])
    return [_json(id, device) for id, device in chosen.items()]


def _json(id: str, device: Device) -> dict[str, Any]:
    head = {"id": id, "kind": device.kind, "vendor": device.vendor}
    aliases: Mapping[str, Any] = {"aliases": [canonical(a) for a in catalogue_entries()[id].get("aliases", ())]}
    told = catalogue_entries()[id].get("calibration", ())
    calibrated = {"calibration": told} if told else {}
    return {**head, **aliases, **calibrated, "figures": {n: dataclasses.asdict(f) for n, f in device.figures.items()}}


def cell(figure: Figure | None, scale: float) -> str:
    """A figure with the sign of its quality; signs stand in a column of their own, so that digits line up."""
    if figure is None:
        return "- "
    return f"{figure.value / scale:.6g}" + (QUALITY_SIGNS[figure.quality] or " ")
