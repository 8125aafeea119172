"""The devices that take part in a placement, and what joins them: of the catalogue in one host, or of a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import ceil

from ...costmodel.hardware import PCIE_BANDWIDTH_BYTES_PER_S, Device, Unresolved, find_device, resolve
from ...ir.diagnostics import Diagnostic, Diagnostics, InputError, did_you_mean
from ...ir.fleet import LinkSpec
from ...ir.read.fleet import FleetFile
from .problem import Pair

PCIE_LATENCY_NS = 10_000
"""of a transfer over PCI Express: a guess, as for links of the catalogue without a figure"""
MOST_PLACES = 64


@dataclass(frozen=True)
class Place:
    """One device that takes part."""

    name: str
    """`h100`, or `h100.0`, `h100.1` where several do"""
    type: str
    """its name in the fleet or the catalogue"""
    hardware: Device


@dataclass(frozen=True)
class Wire:
    """The way from one device to another."""

    bandwidth_bytes_per_s: float
    latency_ns: int
    ports: tuple[str, ...]
    """what else may be busy with other transfers: the way out of one end, the way into the other"""


@dataclass(frozen=True)
class Party:
    """Who takes part, and what joins them."""

    places: tuple[Place, ...]
    wires: Mapping[Pair, Wire]
    warnings: tuple[str, ...] = ()


def party(over: Sequence[tuple[str, int]], fleet: FleetFile | None = None) -> Party:
    """
    So many of each device, by name in the fleet, or in the catalogue where there is none.

    Without a fleet all are in one host: PCI Express to its memory as the catalogue has it, the link of a chassis among
    equals. InputError with every name that is unknown or stands for no device.
    """
    faults = Diagnostics()
    types = {name: _of_catalogue(name, faults) if fleet is None else _of_fleet(name, fleet, faults) for name, _ in over}
    for name, count in over:
        least = next((spec.max_count for spec in fleet.spec.devices if spec.name == name), None) if fleet else None
        if least is not None and count > max(least, 0):
            faults.error("device", f"the fleet has {least} of `{name}`, and {count} are asked for")
    if len(types) < len(over):
        faults.error("device", "a device stands there twice", help="`h100*2` takes two of them")
    if sum(count for _, count in over) > MOST_PLACES:
        faults.error("device", f"a network is placed over {MOST_PLACES} devices at most")
    faults.raise_if_errors()
    places = tuple(
        Place(name if count == 1 else f"{name}.{k}", name, device)
        for name, count in over
        if (device := types[name]) is not None
        for k in range(count)
    )
    return Party(places, host_wires(places)) if fleet is None else _by_fleet(places, fleet)


def _of_catalogue(name: str, faults: Diagnostics) -> Device | None:
    found = find_device(name)
    if found is None:
        faults.error("device", f"`{name}` is no device of the catalogue", help="`dovetail devices` lists them")
    return found


def _of_fleet(name: str, fleet: FleetFile, faults: Diagnostics) -> Device | None:
    spec = next((spec for spec in fleet.spec.devices if spec.name == name), None)
    if spec is None:
        help = did_you_mean(name, [spec.name for spec in fleet.spec.devices])
        faults.error("device", f"`{name}` is no device of the fleet", help=help)
        return None
    if spec.kind == "api":
        faults.error("device", f"`{name}` is a hosted API, on which no op can be placed")
        return None
    found = resolve(spec, fleet.spec.links)
    if isinstance(found, Unresolved):
        path = ("devices", name) if found.key is None else ("devices", name, found.key)
        span = fleet.sources.key(path) if found.key is None else fleet.sources.value(path)
        faults.error(found.id, found.message, span, help=found.help)
        return None
    return found


def host_wires(places: Sequence[Place]) -> dict[Pair, Wire]:
    """The links of devices in one host; where the catalogue knows no figure, PCI Express 4.0 x16 is taken."""
    wires = {}
    for a, b in permutations(range(len(places)), 2):
        one, other = places[a], places[b]
        wires[a, b] = _of_chassis(one, other) or _wire(
            one, other, _pcie_bytes_per_s(one, other), PCIE_LATENCY_NS, "pcie"
        )
    return wires


def _pcie_bytes_per_s(one: Place, other: Place) -> float:
    ends = (place.hardware for place in (one, other) if place.hardware.kind != "cpu")
    speeds = (device.host_bandwidth_bytes_per_s or PCIE_BANDWIDTH_BYTES_PER_S for device in ends)
    return min(speeds, default=PCIE_BANDWIDTH_BYTES_PER_S)


def _of_chassis(one: Place, other: Place) -> Wire | None:
    """The link of a chassis, between two of one type."""
    device = one.hardware
    if one.type != other.type or not device.link_bandwidth_bytes_per_s:
        return None
    return _wire(one, other, device.link_bandwidth_bytes_per_s, ceil(device.link_latency_s * 1e9), "chassis")


def _by_fleet(places: tuple[Place, ...], fleet: FleetFile) -> Party:
    """The fleet's links; between those not listed the network of the site, with a warning."""
    wires, missing, site = dict[Pair, Wire](), dict[str, None](), fleet.spec.site
    for a, b in permutations(range(len(places)), 2):
        one, other = places[a], places[b]
        listed = _listed(fleet.spec.links, one.type, other.type)
        found = _of_chassis(one, other)
        if listed is not None and one.type != other.type:
            speed = listed.bandwidth_bytes_per_s or _pcie_bytes_per_s(one, other)
            latency = PCIE_LATENCY_NS if listed.latency_s is None else ceil(listed.latency_s * 1e9)
            found = _wire(one, other, speed, latency, "-".join(sorted((one.type, other.type))))
        if found is None:
            missing[" and ".join(sorted((one.type, other.type)))] = None
            latency = ceil(site.network_latency_s * 1e9)
            found = _wire(one, other, site.network_bandwidth_bytes_per_s, latency, "network", hosts_too=True)
        wires[a, b] = found
    notes = (f"no link is listed between {pair}: what passes between them takes the site's network" for pair in missing)
    return Party(places, wires, tuple(notes))


def _listed(links: Sequence[LinkSpec], one: str, other: str) -> LinkSpec | None:
    return next((link for link in links if link.between is not None and set(link.between) == {one, other}), None)


def _wire(
    one: Place, other: Place, bandwidth_bytes_per_s: float, latency_ns: int, medium: str, hosts_too: bool = False
) -> Wire:
    """The way from `one` to `other`. An accelerator has one port each way; a host has enough, if not to the network."""
    hosts = hosts_too or one.hardware.kind == other.hardware.kind == "cpu"
    ends = ((one, "out"), (other, "in"))
    ports = tuple(f"{medium} {end.name} {way}" for end, way in ends if hosts or end.hardware.kind != "cpu")
    return Wire(bandwidth_bytes_per_s, latency_ns, ports)


def read_over(text: str) -> list[tuple[str, int]]:
    """`cpu,h100*2`: names and how many of each. InputError for what is none."""
    found = []
    for part in text.split(","):
        name, star, count = part.strip().partition("*")
        if not name or (star and not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_PLACES)):
            message = f"`{part.strip()}` in `--over` is no device"
            raise InputError([Diagnostic("device", message, help="write `--over epyc-9554,h100-sxm*2`")])
        found.append((name, int(count) if star else 1))
    return found
