"""The partition driver: reads a network and shares it among devices, its tensors or its ops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .ir.diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from .costmodel.hardware import Device
    from .ir.nn import NnModule

Sizes = Mapping[str, int]


def partition(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """
    How the network in the file `model` is best shared among `devices` of the catalogue's `device`, as plain data.

    `sizes` gives a number to each open size. InputError for what is wrong in the file or with the device, Infeasible
    where the network does not fit.
    """
    from .planner.partition.plan import plan_partition

    network, found = _read(model, devices, device, sizes)
    document, _ = plan_partition(network, devices, found, memory_bytes)
    return {"model": Path(model).name, **document}


def pipeline(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """As `partition`, but as stages of whole ops in file order, one on each device, with the least period."""
    from .planner.partition.plan import plan_pipeline

    network, found = _read(model, devices, device, sizes)
    return {"model": Path(model).name, **plan_pipeline(network, devices, found, memory_bytes)}


def _read(model: str, devices: int, device: str, sizes: Sizes | None) -> tuple[NnModule, Device]:
    """The network, without open sizes, and the device; InputError for what is wrong with either."""
    from .costmodel.hardware import find_device
    from .ir.read.networks import read_network

    found = find_device(device)
    if found is None:
        message = f"`{device}` is no device of the catalogue"
        raise InputError([Diagnostic("device", message, help="`dovetail devices` lists them")])
    if devices < 1:
        raise InputError([Diagnostic("device", f"a network cannot be shared among {devices} devices")])
    if devices > 1 and not found.link_bandwidth_bytes_per_s:
        help = "`dovetail devices` lists others"
        raise InputError([Diagnostic("device", f"`{device}` has no link to others of its kind", help=help)])
    return read_network(Path(model), sizes), found
