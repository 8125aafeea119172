"""Devices: the catalogue of hardware, and a fleet's devices resolved against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..ir.diagnostics import Diagnostic, InputError, did_you_mean
from ..ir.fleet import DeviceSpec, LinkSpec
from .added_devices import added_entries
from .device import FIGURES, Device, MemoryLevel, canonical, contradictions, device_of, endless, read_device
from .figures import Figure, read_entries
from .user_entries import user_entries

__all__ = [
    "FIGURES",
    "Device",
    "MemoryLevel",
    "Unresolved",
    "canonical",
    "catalogue_entries",
    "contradictions",
    "device_entry",
    "device_id",
    "entry_named",
    "find_device",
    "load_devices",
    "own_devices",
    "read_device",
    "resolve",
]

FOLDER = Path(__file__).parent / "catalogue" / "devices"
USER = "fleet"
"""The source of a figure that the user's fleet gives."""


@dataclass(frozen=True)
class Unresolved:
    """Why a fleet's device cannot be costed: data for a diagnostic, which the reader's spans place."""

    device: str
    """the fleet's name of it"""
    id: str
    """short id of the fault: `unknown-device`, `missing-figure`, `split` or `range`"""
    key: str | None
    """the key under the device that is at fault, if it is written there"""
    message: str
    help: str | None = None


@cache
def _own_entries() -> Mapping[str, Mapping[str, Any]]:
    """The entries of our own catalogue by canonical id."""
    return {canonical(id): entry for id, entry in read_entries(FOLDER)}


@cache
def _added_entries() -> Mapping[str, Mapping[str, Any]]:
    """The entries that installed packages add, by canonical id."""
    return {canonical(id): entry for id, entry in added_entries().items()}


def catalogue_entries() -> Mapping[str, Mapping[str, Any]]:
    """Every entry by canonical id: what packages add, over it our own, over both the user's file.

    InputError for a faulty package.
    """
    return {**_added_entries(), **_own_entries(), **user_entries().devices}


def entry_named(name: str, entries: Mapping[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]] | None:
    """(id, entry) of the device of that id or alias among `entries`."""
    wanted = canonical(name)
    if wanted in entries:
        return wanted, entries[wanted]
    return next(((i, e) for i, e in entries.items() if wanted in map(canonical, e.get("aliases", ()))), None)


def _find_entry(name: str) -> tuple[str, Mapping[str, Any]] | None:
    """(id, entry) of the device of that id or alias; packages are asked only where nothing else has it."""
    sources = (lambda: user_entries().devices, _own_entries, _added_entries)
    return next((found for entries in sources if (found := entry_named(name, entries()))), None)


def load_devices() -> Mapping[str, Device]:
    """Every device by id, those of installed packages and of the user's file too. InputError for a faulty package."""
    return MappingProxyType({id: _read_listed(id, entry) for id, entry in catalogue_entries().items()})


@cache
def own_devices() -> Mapping[str, Device]:
    """Every device of our own catalogue by id, as it is listed whatever packages and the user's file say."""
    return MappingProxyType({id: read_device(id, entry) for id, entry in _own_entries().items()})


def device_id(name: str) -> str | None:
    """The id of the catalogue's device of that id or alias (`_` and `-` alike), or None."""
    found = _find_entry(name)
    return found[0] if found else None


def device_entry(name: str) -> Mapping[str, Any] | None:
    """The catalogue's record of the device of that id or alias, or None."""
    found = _find_entry(name)
    return found[1] if found else None


def find_device(name: str) -> Device | None:
    """The catalogue's device of that id or alias (`_` and `-` alike), or None. InputError for a faulty package."""
    found = _find_entry(name)
    return _read_listed(*found) if found else None


def _read_listed(id: str, entry: Mapping[str, Any]) -> Device:
    """`read_device`, with InputError for an entry of a package that is not understood."""
    try:
        return read_device(id, entry)
    except (KeyError, TypeError, ValueError) as error:
        if id in _own_entries():
            raise
        message = f"the device `{id}` of an installed package is not understood: {error}"
        raise InputError([Diagnostic("added-devices", message)]) from error


def resolve(
    spec: DeviceSpec, links: Iterable[LinkSpec] = (), find: Callable[[str], Device | None] = find_device
) -> Device | Unresolved:
    """The device that a fleet's entry means: the catalogue's figures, and over them the entry's own.

    `links` are the fleet's; the one within this device overrides the link of its chassis, the one between it and
    itself the link from chassis to chassis. `find` is the catalogue.
    What cannot be costed comes back as `Unresolved`. Hosted APIs have no figures: ValueError for kind `api`.
    """
    if spec.kind == "api":
        raise ValueError(f"`{spec.name}` is a hosted API and has no figures")
    base = find(spec.model) if spec.model else None
    if spec.model and base is None:
        known = did_you_mean(canonical(spec.model), _names())
        message = f"`{spec.model}` is no device of the catalogue"
        return Unresolved(spec.name, "unknown-device", "model", message, known)
    figures = dict(base.figures) if base else {}
    figures.update(_written(spec, links))
    kind = spec.kind or (base.kind if base else None)
    if kind not in ("gpu", "npu", "cpu"):
        message = f"device `{spec.name}` has no `model` of the catalogue and no `kind`"
        return Unresolved(spec.name, "missing-figure", None, message, "set `kind` to gpu, npu, cpu or api")
    missing = _missing(spec, kind, figures)
    if missing:
        message = f"device `{spec.name}` lacks {', '.join(f'`{name}`' for name in missing)}"
        return Unresolved(spec.name, "missing-figure", None, message)
    if spec.splits and kind != "gpu":
        message = f"`split` parts the multiprocessors of a GPU, and the device `{spec.name}` is none ({kind})"
        return Unresolved(spec.name, "split", "split", message, "leave `split` out")
    unknown = [tier.name for tier in spec.tiers if tier.bandwidth_bytes_per_s is None]
    if unknown and (unknown != ["dram"] or "host_bandwidth" not in figures):
        message = f"nobody knows how fast `{spec.name}` reads its tier `{unknown[-1]}`"
        help = "say it: `bandwidth: 25 GB/s`"
        return Unresolved(spec.name, "missing-figure", "tiers", message, help)
    slow = endless(figures)
    if slow:
        message = f"device `{spec.name}` has a rate below a thousand a second: {', '.join(f'`{n}`' for n in slow)}"
        return Unresolved(spec.name, "range", slow[0].partition(".")[0], message)
    _fill(figures)
    if base is None:
        return device_of(spec.name, kind, "", figures)
    return device_of(base.id, kind, base.vendor, figures, base.calibration)


def _names() -> list[str]:
    """Every id and alias."""
    entries = catalogue_entries()
    return [*entries, *(canonical(alias) for entry in entries.values() for alias in entry.get("aliases", ()))]


_ELSEWHERE = {"flops", "link_bandwidth", "link_latency", "list_price", "rent", "spot", "interruptions"}
"""figures that a fleet writes under keys of their own: rates by number format, links and prices"""


def _written(spec: DeviceSpec, links: Iterable[LinkSpec]) -> dict[str, Figure]:
    """The figures that the fleet gives itself."""
    links = tuple(links)
    link = next((k for k in links if k.within == spec.name), None)
    beyond = next((k for k in links if k.between == (spec.name, spec.name)), None)
    written = {
        "link_bandwidth": link.bandwidth_bytes_per_s if link else None,
        "link_latency": link.latency_s if link else None,
        **{name: getattr(spec, kind.field, None) for name, kind in FIGURES.items() if name not in _ELSEWHERE},
        **({"network_bandwidth": beyond.bandwidth_bytes_per_s} if beyond else {}),
        **{f"flops.{dtype}": rate for dtype, rate in spec.flops_per_s.items()},
    }
    return {n: Figure(float(v), USER, "", "data_sheet") for n, v in written.items() if v is not None}


def _missing(spec: DeviceSpec, kind: str, figures: Mapping[str, Figure]) -> list[str]:
    """Names of figures without which the device cannot be costed; power only where the user pays for energy."""
    needed = ["memory", "bandwidth"] + (["cores"] if kind == "cpu" else [])
    if spec.price.rent_usd_per_hour is None or spec.price.energy_extra:
        needed.append("tdp")
    missing = [name for name in needed if name not in figures]
    if not any(name.startswith("flops.") for name in figures):
        missing.append("flops")
    return missing


IDLE_SHARE_OF_TDP = 0.12
"""idle power of a device that states none: about what the catalogue's have"""
PCIE_BANDWIDTH_BYTES_PER_S = 31.5e9
"""one direction of PCI Express 4.0 x16"""


def _fill(figures: dict[str, Figure]) -> None:
    """Add, marked as guesses, the figures that have a usual value."""

    def guess(name: str, value: float, why: str) -> None:
        if name not in figures:
            figures[name] = Figure(value, why, "", "guess")

    guess("tdp", 0.0, "not given; the rent includes energy")
    guess("idle", IDLE_SHARE_OF_TDP * figures["tdp"].value, "share of the maximum power")
    if "chassis" in figures and figures["chassis"].value > 1:
        guess("link_bandwidth", PCIE_BANDWIDTH_BYTES_PER_S, "PCI Express 4.0 x16")
        guess("link_latency", 10e-6, "PCI Express")
