"""Devices: the catalogue of hardware, and a fleet's devices resolved against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..ir.diagnostics import Diagnostic, InputError, did_you_mean
from ..ir.fleet import DeviceSpec, LinkSpec
from ..ir.units import parse
from .added_devices import added_entries
from .figures import Figure, marked_values, read_entries

FOLDER = Path(__file__).parent / "catalogue" / "devices"
USER = "fleet"
"""The source of a figure that the user's fleet gives."""
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Device:
    """One device, in base units; flops are dense."""

    id: str
    """catalogue id, or the fleet's name of a device that is not from the catalogue"""
    kind: str
    """`gpu`, `npu` or `cpu`"""
    vendor: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    """of that memory"""
    flops_per_s: Mapping[str, float]
    """dense rate by dtype: fp32, bf16, fp16, fp8, int8, fp4"""
    tdp_w: float
    idle_w: float
    chassis: int = 1
    """devices in one chassis"""
    link_bandwidth_bytes_per_s: float = 0.0
    """to the other devices of the chassis, in one direction; 0 where there is none"""
    link_latency_s: float = 0.0
    list_price_usd: float | None = None
    rent_usd_per_hour: float | None = None
    cores: int | None = None
    """physical cores of a CPU"""
    scratchpad_bytes: float | None = None
    block_memory_bytes: float | None = None
    """on-chip memory that one block of a GPU kernel may use"""
    thread_registers: int | None = None
    """32-bit registers that one thread of a GPU kernel may use"""
    figures: Mapping[str, Figure] = field(default_factory=lambda: _NONE, compare=False, repr=False)
    """source and quality of each figure, by the names of the catalogue: `memory`, `flops.bf16`, ..."""

    @property
    def quality(self) -> Mapping[str, str]:
        """Quality mark of each figure, by its name."""
        return {name: figure.quality for name, figure in self.figures.items()}


@dataclass(frozen=True)
class Unresolved:
    """Why a fleet's device cannot be costed: data for a diagnostic, which the reader's spans place."""

    device: str
    """the fleet's name of it"""
    id: str
    """short id of the fault: `unknown-device` or `missing-figure`"""
    key: str | None
    """the key under the device that is at fault, if it is written there"""
    message: str
    help: str | None = None


DIMENSIONS: Mapping[str, str] = {
    "memory": "bytes",
    "bandwidth": "bandwidth",
    "flops": "flops",
    "tdp": "power",
    "idle": "power",
    "link_bandwidth": "bandwidth",
    "link_latency": "time",
    "list_price": "money",
    "rent": "rent",
    "scratchpad": "bytes",
    "block_memory": "bytes",
    "thread_registers": "count",
    "cores": "count",
    "chassis": "count",
}
"""What each figure of a device measures: a dimension of `ir/units.py`, or a count."""


def canonical(name: str) -> str:
    """The form in which ids are compared: lower case, `-` for `_`."""
    return name.lower().replace("_", "-")


@cache
def _own_entries() -> Mapping[str, Mapping[str, Any]]:
    """The entries of our own catalogue by canonical id."""
    return {canonical(id): entry for id, entry in read_entries(FOLDER)}


@cache
def _added_entries() -> Mapping[str, Mapping[str, Any]]:
    """The entries that installed packages add, by canonical id."""
    return {canonical(id): entry for id, entry in added_entries().items()}


def catalogue_entries() -> Mapping[str, Mapping[str, Any]]:
    """Every entry by canonical id: what packages add, and over it our own. InputError for a faulty package."""
    return {**_added_entries(), **_own_entries()}


def _find_entry(name: str) -> tuple[str, Mapping[str, Any]] | None:
    """(id, entry) of the device of that id or alias; packages are asked only where our own catalogue lacks it."""
    wanted = canonical(name)
    for entries in (_own_entries, _added_entries):
        if wanted in entries():
            return wanted, entries()[wanted]
        for id, entry in entries().items():
            if wanted in map(canonical, entry.get("aliases", ())):
                return id, entry
    return None


@cache
def load_devices() -> Mapping[str, Device]:
    """Every device by id, those of installed packages too. InputError for a faulty package."""
    return MappingProxyType({id: _read_listed(id, entry) for id, entry in catalogue_entries().items()})


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


def read_device(id: str, entry: Mapping[str, Any]) -> Device:
    """The device of a catalogue entry; ValueError for a figure that is not understood."""
    figures: dict[str, Figure] = {}
    for name, raw, source, date, quality in marked_values(entry):
        dimension = DIMENSIONS[name.split(".")[0]]
        value = float(raw) if dimension == "count" else parse(str(raw), dimension)
        figures[name] = Figure(value, source, date, quality, str(raw))
    return _device(canonical(id), str(entry["kind"]), str(entry["vendor"]), figures)


def _device(id: str, kind: str, vendor: str, figures: Mapping[str, Figure]) -> Device:
    def value(name: str) -> float:
        return figures[name].value if name in figures else 0.0

    def optional(name: str) -> float | None:
        return figures[name].value if name in figures else None

    flops = {name.split(".")[1]: f.value for name, f in figures.items() if name.startswith("flops.")}
    return Device(
        id=id,
        kind=kind,
        vendor=vendor,
        memory_bytes=value("memory"),
        bandwidth_bytes_per_s=value("bandwidth"),
        flops_per_s=MappingProxyType(flops),
        tdp_w=value("tdp"),
        idle_w=value("idle"),
        chassis=int(value("chassis")) or 1,
        link_bandwidth_bytes_per_s=value("link_bandwidth"),
        link_latency_s=value("link_latency"),
        list_price_usd=optional("list_price"),
        rent_usd_per_hour=optional("rent"),
        cores=int(value("cores")) or None,
        scratchpad_bytes=optional("scratchpad"),
        block_memory_bytes=optional("block_memory"),
        thread_registers=int(value("thread_registers")) or None,
        figures=MappingProxyType(dict(figures)),
    )


def resolve(
    spec: DeviceSpec, links: Iterable[LinkSpec] = (), find: Callable[[str], Device | None] = find_device
) -> Device | Unresolved:
    """The device that a fleet's entry means: the catalogue's figures, and over them the entry's own.

    `links` are the fleet's; the one within this device overrides the link of its chassis. `find` is the catalogue.
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
    _fill(figures)
    return _device(base.id if base else spec.name, kind, base.vendor if base else "", figures)


def _names() -> list[str]:
    """Every id and alias."""
    entries = catalogue_entries()
    return [*entries, *(canonical(alias) for entry in entries.values() for alias in entry.get("aliases", ()))]


def _written(spec: DeviceSpec, links: Iterable[LinkSpec]) -> dict[str, Figure]:
    """The figures that the fleet gives itself."""
    link = next((k for k in links if k.within == spec.name), None)
    written = {
        "memory": spec.memory_bytes,
        "bandwidth": spec.bandwidth_bytes_per_s,
        "tdp": spec.tdp_w,
        "idle": spec.idle_w,
        "cores": spec.cores,
        "chassis": spec.chassis,
        "scratchpad": spec.scratchpad_bytes,
        "link_bandwidth": link.bandwidth_bytes_per_s if link else None,
        "link_latency": link.latency_s if link else None,
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
