"""One device: its figures in base units, the levels of its memory, and how a catalogue's record is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ..ir.units import UnitError, parse
from .calibrated import NOTHING, Calibration, read_calibration
from .figures import Figure, marked_values

_NONE: Mapping[str, Any] = MappingProxyType({})


class Kind(NamedTuple):
    """What a figure of the catalogue is: the field of `Device` that holds it, what it measures, and in words."""

    field: str
    dimension: str
    """of `ir/units.py`, or `count`: a whole number without a unit"""
    words: str


FIGURES: Mapping[str, Kind] = MappingProxyType(
    {
        "memory": Kind("memory_bytes", "bytes", "memory that programs may use"),
        "bandwidth": Kind("bandwidth_bytes_per_s", "bandwidth", "of that memory"),
        "cache": Kind("cache_bytes", "bytes", "last-level cache"),
        "cache_bandwidth": Kind("cache_bandwidth_bytes_per_s", "bandwidth", "of that cache"),
        "scratchpad": Kind("scratchpad_bytes", "bytes", "on-chip memory that software manages, of all cores"),
        "scratchpad_bandwidth": Kind("scratchpad_bandwidth_bytes_per_s", "bandwidth", "of all scratchpads together"),
        "flops": Kind("flops_per_s", "flops", "dense rate by number format"),
        "multiprocessors": Kind("multiprocessors", "count", "SMs, compute units or cores that take tiles of a kernel"),
        "clock": Kind("clock_hz", "clock", "at which the dense rates hold"),
        "block_memory": Kind("block_memory_bytes", "bytes", "on-chip memory that one block of a kernel may use"),
        "thread_registers": Kind("thread_registers", "count", "32-bit registers that one thread may use"),
        "cores": Kind("cores", "count", "physical cores of a CPU"),
        "tdp": Kind("tdp_w", "power", "at full load"),
        "idle": Kind("idle_w", "power", "switched on and idle"),
        "chassis": Kind("chassis", "count", "devices in one chassis"),
        "link_bandwidth": Kind("link_bandwidth_bytes_per_s", "bandwidth", "to the rest of the chassis, one direction"),
        "link_latency": Kind("link_latency_s", "time", "of that link"),
        "rack_devices": Kind("rack_devices", "count", "devices that the rack's own links join"),
        "rack_bandwidth": Kind("rack_bandwidth_bytes_per_s", "bandwidth", "to the rest of the rack, one direction"),
        "network_bandwidth": Kind(
            "network_bandwidth_bytes_per_s", "bandwidth", "of a device's share of the network cards, one direction"
        ),
        "host_bandwidth": Kind("host_bandwidth_bytes_per_s", "bandwidth", "to the host's memory, one direction"),
        "list_price": Kind("list_price_usd", "money", "of one device"),
        "rent": Kind("rent_usd_per_hour", "rent", "on demand"),
        "spot": Kind("spot_usd_per_hour", "rent", "for a device that may be taken back"),
        "interruptions": Kind("interruptions_per_hour", "frequency", "of a spot device"),
    }
)
"""Every figure that a device may have, by the name that files use."""


class MemoryLevel(NamedTuple):
    """One level of the memory of a device; None where no source tells its bandwidth."""

    name: str
    bytes: float
    bandwidth_bytes_per_s: float | None


@dataclass(frozen=True)
class Device:
    """One device, in base units; flops are dense. `FIGURES` says in words what each field is."""

    id: str
    """catalogue id, or the fleet's name of a device that is not from the catalogue"""
    kind: str
    """`gpu`, `npu` or `cpu`"""
    vendor: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    flops_per_s: Mapping[str, float]
    """by dtype: fp32, bf16, fp16, fp8, int8, fp4"""
    tdp_w: float
    idle_w: float
    chassis: int = 1
    link_bandwidth_bytes_per_s: float = 0.0
    """0 where there is none"""
    link_latency_s: float = 0.0
    list_price_usd: float | None = None
    rent_usd_per_hour: float | None = None
    cores: int | None = None
    scratchpad_bytes: float | None = None
    block_memory_bytes: float | None = None
    thread_registers: int | None = None
    cache_bytes: float | None = None
    cache_bandwidth_bytes_per_s: float | None = None
    scratchpad_bandwidth_bytes_per_s: float | None = None
    multiprocessors: int | None = None
    clock_hz: float | None = None
    rack_devices: int | None = None
    rack_bandwidth_bytes_per_s: float | None = None
    network_bandwidth_bytes_per_s: float | None = None
    host_bandwidth_bytes_per_s: float | None = None
    spot_usd_per_hour: float | None = None
    interruptions_per_hour: float | None = None
    figures: Mapping[str, Figure] = field(default_factory=lambda: _NONE, compare=False, repr=False)
    """source and quality of each figure, by the names of the catalogue: `memory`, `flops.bf16`, ..."""
    calibration: Calibration = NOTHING
    """what was fitted to measurements of this device by `dovetail calibrate`"""

    @property
    def quality(self) -> Mapping[str, str]:
        """Quality mark of each figure, by its name."""
        return {name: figure.quality for name, figure in self.figures.items()}

    @property
    def levels(self) -> tuple[MemoryLevel, ...]:
        """The levels of memory that are known, the farthest from arithmetic first."""
        levels = (
            MemoryLevel("memory", self.memory_bytes, self.bandwidth_bytes_per_s),
            MemoryLevel("cache", self.cache_bytes or 0.0, self.cache_bandwidth_bytes_per_s),
            MemoryLevel("scratchpad", self.scratchpad_bytes or 0.0, self.scratchpad_bandwidth_bytes_per_s),
        )
        return tuple(level for level in levels if level.bytes)


def canonical(name: str) -> str:
    """The form in which ids are compared: lower case, `-` for `_`."""
    return name.lower().replace("_", "-")


def read_device(id: str, entry: Mapping[str, Any]) -> Device:
    """The device of a catalogue entry; KeyError, TypeError or ValueError for one that is not understood."""
    figures: dict[str, Figure] = {}
    for name, raw, source, date, quality in marked_values(entry):
        figures[name] = Figure(read_value(name, raw), source, date, quality, str(raw))
    calibration = read_calibration(entry.get("calibration", ()))
    return device_of(canonical(id), str(entry["kind"]), str(entry["vendor"]), figures, calibration)


def read_value(name: str, raw: object) -> float:
    """The figure `name` in base units, as a file writes it; KeyError for an unknown name, ValueError for its value."""
    dimension = FIGURES[name.split(".")[0]].dimension
    if dimension != "count":
        return parse(str(raw), dimension)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != int(raw):
        raise UnitError(f"`{raw}` is not a whole number", "write a bare number, such as `132`")
    return float(raw)


def device_of(
    id: str, kind: str, vendor: str, figures: Mapping[str, Figure], calibration: Calibration = NOTHING
) -> Device:
    """The device with these figures; those that every device has are 0 where they are not among them."""
    held: dict[str, Any] = {"memory_bytes": 0.0, "bandwidth_bytes_per_s": 0.0, "tdp_w": 0.0, "idle_w": 0.0}
    for name, figure in figures.items():
        if name in FIGURES:
            field, dimension, _ = FIGURES[name]
            held[field] = int(figure.value) if dimension == "count" else figure.value
    flops = {name.split(".")[1]: f.value for name, f in figures.items() if name.startswith("flops.")}
    return Device(
        id=id,
        kind=kind,
        vendor=vendor,
        flops_per_s=MappingProxyType(flops),
        figures=MappingProxyType(dict(figures)),
        calibration=calibration,
        **held,
    )


_ORDERED = (
    ("idle", "tdp", "takes more power idle than busy"),
    ("spot", "rent", "costs more as a spot device than on demand"),
    ("chassis", "rack_devices", "has more devices in a chassis than in a rack"),
    ("bandwidth", "cache_bandwidth", "reads its memory faster than its cache"),
    ("cache", "memory", "has more cache than memory"),
    ("block_memory", "scratchpad", "gives one block of a kernel more memory than it has on the chip"),
)
"""(figure, figure that it may not exceed, what is said of a device where it does)"""


LEAST_RATE = 1e3
"""bytes/s or FLOP/s, below which no device is"""


def endless(figures: Mapping[str, Figure]) -> list[str]:
    """Names of rates so low that times have no end."""
    rates = (name for name in figures if name == "bandwidth" or name.startswith("flops."))
    return [name for name in rates if figures[name].value < LEAST_RATE]


def contradictions(figures: Mapping[str, Figure]) -> Iterator[tuple[str, str]]:
    """(name of a figure, what is wrong with it) where figures of one device cannot all be right."""
    for name, bound, words in _ORDERED:
        if name in figures and bound in figures and figures[name].value > figures[bound].value:
            yield name, f"{words} (`{name}` over `{bound}`)"
    for name in endless(figures):
        yield name, f"has a rate below a thousand a second (`{name}`): times would have no end"
    narrow = max((figures[f"flops.{t}"].value for t in ("bf16", "fp16") if f"flops.{t}" in figures), default=0.0)
    for short, most in (("fp8", 2.5), ("int8", 4.5)):  # a GPU that halves the rate of fp32 sums has 4 times in int8
        rate = figures.get(f"flops.{short}")
        if rate is not None and narrow and rate.value > most * narrow:
            yield f"flops.{short}", f"is over {most} times as fast in {short} as in 16 bits: a sparse figure?"
