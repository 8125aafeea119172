"""The calibrate driver: a device's coefficients from a user's own measurements, kept in a catalogue of theirs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .driver import Json, Where, with_catalogue
from .ir.diagnostics import Diagnostic, InputError, did_you_mean

if TYPE_CHECKING:
    from .costmodel.calibration.calibrate import Found
    from .costmodel.hardware import Device

HEAD = "# Written by dovetail calibrate; `--catalogue` of plan, estimate and devices takes this file.\n"


def calibrate(device: str, measurements: Where, output: Where | None = None, catalogue: Where | None = None) -> Json:
    """What the table of measurements tells of `device`, as plain data; `output` is a catalogue that holds it.

    `device` is in our catalogue or in the user's at `catalogue`. An `output` that exists is extended, and so is
    `catalogue`, in a copy. InputError for every fault of the table, an unknown device, or an `output` that is no
    catalogue.
    """
    base = _base(output, catalogue)
    with with_catalogue(base):
        found, known = _known(device), Path(measurements)
        from .costmodel.calibration.calibrate import calibrate_table

        tables = calibrate_table(known, found, device)
        date = datetime.datetime.fromtimestamp(known.stat().st_mtime, datetime.UTC).date().isoformat()
        helped = [each.group(known.name, date) for each in tables if each.helped]
        document = _document(found, known.name, date, tables)
        if output is not None and helped:
            _write(Path(output), base, found, helped)
            document["written"] = str(output)
    return document


def _base(output: Where | None, catalogue: Where | None) -> Path | None:
    """The catalogue that is extended."""
    if catalogue is None:
        return Path(output) if output is not None and Path(output).exists() else None
    if output is not None and Path(output).exists() and not Path(output).samefile(catalogue):
        help = "name it as `--catalogue` to extend it, or write to another file"
        raise InputError(
            [Diagnostic("exists", f"`{output}` exists, and is not the catalogue `{catalogue}`", help=help)]
        )
    return Path(catalogue)


def _known(name: str) -> Device:
    from .costmodel.hardware import canonical, find_device, load_devices

    device = find_device(name)
    if device is None:
        near = did_you_mean(canonical(name), load_devices())
        help = near or "describe it by its data sheet in a file of your own, and give that as `--catalogue`"
        raise InputError([Diagnostic("unknown-device", f"`{name}` is no device of the catalogue", help=help)])
    return device


def _document(device: Device, source: str, date: str, tables: list[Found]) -> Json:
    from .costmodel.operators.chip import chip_of
    from .costmodel.operators.coefficients import nearest

    chip = chip_of(device)
    kernels = {kernel for each in tables if each.cell is None for kernel in each.values}
    own = nearest(chip) == device.id or (bool(kernels) and kernels <= set(chip.calibrated))
    return {
        "device": device.id,
        "source": source,
        "date": date,
        "start": {"quality": "fitted" if own else "guess", "nearest": nearest(chip)},
        "found": [_found(each) for each in tables],
    }


def _found(found: Found) -> Json:
    cell = dict(zip(("model", "engine", "precision"), found.cell, strict=True)) if found.cell else {}
    ttft = {"ttft_error_before": found.ttft[0], "ttft_error_after": found.ttft[1]} if found.ttft else {}
    return {
        "table": found.what,
        **cell,
        "rows": found.rows,
        "error_before": found.error_before,
        "error_after": found.error_after,
        **ttft,
        "kept": found.helped,
        "fitted": {
            kernel: {
                name: {"before": found.start[kernel][name], "after": value, "quality": "fitted"}
                for name, value in found.fitted(kernel).items()
            }
            for kernel in found.values
        },
    }


def _write(path: Path, base: Path | None, device: Device, groups: list[Json]) -> None:
    """The catalogue at `base` with the groups under the device; groups that they replace are dropped."""
    import yaml

    from .costmodel.hardware import device_id

    document: dict[str, Any] = dict(yaml.safe_load(base.read_text(encoding="utf-8")) or {}) if base else {}
    devices = dict(document.get("devices") or {})
    name = next((name for name in devices if device_id(name) == device.id), device.id)
    entry = dict(devices.get(name) or {})
    old = [group for group in entry.get("calibration", ()) if not any(_replaces(new, group) for new in groups)]
    devices[name] = {**entry, "calibration": [*old, *groups]}
    text = HEAD + yaml.safe_dump({**document, "devices": devices}, sort_keys=False, allow_unicode=True)
    aside = path.with_name(f"{path.name}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _replaces(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether all that the old group says is said by the new one."""
    keys = ("model", "engine", "precision")
    if "serving" in old:
        return "serving" in new and all(new["serving"][key] == old["serving"][key] for key in keys)
    return set(old.get("kernels", {})) <= set(new.get("kernels", {}))
