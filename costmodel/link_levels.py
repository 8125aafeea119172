"""Time of collectives over the levels of links that a group of devices spans: chassis, rack, site.

Within a chassis it is that of `operators/collectives.py`; beyond, the devices of each chassis work together, and then
each with its peers in the others, over the links of the rack or the network cards. Equations are numbered as in
`docs/math/roofline.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .collectives import all_gather_s, all_reduce_s, point_to_point_s, reduce_scatter_s
from .operators import collective_s

if TYPE_CHECKING:
    from .hardware import Device
    from .models.elementwise import Values

HOP_S = 5e-6
"""latency of one message beyond the chassis (guess; 2-10 us is usual for RDMA)"""


def spanning_s(device: Device, op: str, size: Values, devices: int) -> Values:
    """[s] of a collective over `devices` equal devices. Equation (7), Equation (8), Equation (9), Equation (10).

    `op` and `size` [bytes] are those of `operators.collective_s`. ValueError where no link reaches so far.
    """
    inner = min(device.chassis, devices)
    if op != "point_to_point" and devices <= device.chassis:
        return collective_s(device, op, size, devices)
    if op == "point_to_point":
        return collective_s(device, op, size, 2) if device.chassis > 1 else beyond_s(device, size, devices)
    outer, beta = -(-devices // inner), outer_bandwidth_bytes_per_s(device, devices)

    def within(what: str, bytes_: Values) -> Values:
        return collective_s(device, what, bytes_, inner) if inner > 1 else bytes_ * 0.0

    match op:
        case "all_reduce":
            shared = all_reduce_s(size / inner, outer, beta, HOP_S)
            return within("reduce_scatter", size) + shared + within("all_gather", size)
        case "all_gather":
            return all_gather_s(size / inner, outer, beta, HOP_S) + within("all_gather", size)
        case "reduce_scatter":
            return within("reduce_scatter", size) + reduce_scatter_s(size / inner, outer, beta, HOP_S)
        case _:
            far = size * (1 - inner / devices)
            return within("all_to_all", size - far) + HOP_S + far / beta


def beyond_s(device: Device, size: Values, devices: int) -> Values:
    """[s] of one message of `size` bytes to another chassis, among so many devices. Equation (3)."""
    return point_to_point_s(size, outer_bandwidth_bytes_per_s(device, devices), HOP_S)


def joined(device: Device, devices: int) -> bool:
    """Whether links join so many equal devices, within a chassis and beyond."""
    if devices > 1 and device.chassis > 1 and not device.link_bandwidth_bytes_per_s:
        return False
    in_rack = device.rack_bandwidth_bytes_per_s and devices <= (device.rack_devices or 0)
    return devices <= device.chassis or bool(in_rack or device.network_bandwidth_bytes_per_s)


def outer_bandwidth_bytes_per_s(device: Device, devices: int) -> float:
    """[bytes/s] from one device to those of other chassis, one direction; ValueError where none is known."""
    if device.rack_bandwidth_bytes_per_s and devices <= (device.rack_devices or 0):
        return device.rack_bandwidth_bytes_per_s
    if device.network_bandwidth_bytes_per_s:
        return device.network_bandwidth_bytes_per_s
    beyond = f" beyond a chassis of {device.chassis}" if device.chassis > 1 else ""
    raise ValueError(f"`{device.id}` has no link to other devices{beyond}")
