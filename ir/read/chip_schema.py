"""Keys of a fleet's device that describe its chip: caches, multiprocessors, what a kernel may use, and far links."""

from __future__ import annotations

from .fields import Key, Number, Quantity

_COUNT = Number(1, integer=True)
_SIZE = Quantity("bytes", positive=True)
_BANDWIDTH = Quantity("bandwidth", positive=True)

CHIP = {
    "scratchpad_bandwidth": Key(_BANDWIDTH, "of all scratchpads of one device together"),
    "cache": Key(_SIZE, "last-level cache"),
    "cache_bandwidth": Key(_BANDWIDTH, "of that cache"),
    "multiprocessors": Key(_COUNT, "SMs, compute units or cores that take tiles of a kernel"),
    "clock": Key(Quantity("clock", positive=True), "at which the dense rates hold"),
    "block_memory": Key(_SIZE, "on-chip memory that one block of a kernel may use"),
    "thread_registers": Key(_COUNT, "32-bit registers that one thread may use"),
    "rack_devices": Key(_COUNT, "devices that the rack's own links join"),
    "rack_bandwidth": Key(_BANDWIDTH, "to the rest of the rack, in one direction"),
    "network_bandwidth": Key(_BANDWIDTH, "of a device's share of the network cards, in one direction"),
    "host_bandwidth": Key(_BANDWIDTH, "to the host's memory, in one direction"),
}
