"""Latency of collectives among the devices of a chassis: alpha-beta with two protocols, and the one-kernel all-reduce.

Equations are numbered as in `docs/math/operators.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ..hardware import Device
from .chip import Chip, chip_of
from .coefficients import Values, coefficients
from .memory import Array

ROUNDS: Mapping[str, int] = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1, "all_to_all": 1}
"""times that all but an n-th of the bytes cross each device's link"""
OPERATIONS = (*ROUNDS, "point_to_point")
FABRIC_BYTES_PER_S = 100e9
"""links faster than this are switched or direct (NVLink, Infinity Fabric); slower ones go through PCI Express"""
SMALL_BYTES = 8 * 2**20
"""up to which serving engines sum with one kernel of their own in place of the library's"""


def collective_s(device: Device, op: str, size: ArrayLike, devices: ArrayLike) -> Array:
    """[s] of a collective over `devices` of one chassis; arrays broadcast. ValueError without a link.

    `size` is the bytes that each holds before an all-reduce, reduce-scatter or all-to-all, or after an all-gather. An
    all-reduce takes the faster of an engine's kernel and the library's.
    """
    chip = chip_of(device)
    if not chip.link_bytes_per_s:
        raise ValueError(f"`{device.id}` has no link to other devices")
    size, devices = np.asarray(size, float), np.asarray(devices, float)
    library = library_s(chip, op, size, devices)
    if op == "all_reduce":
        library = np.minimum(library, engine_s(chip, size, devices))
    return np.where(devices <= 1, 0.0, library)


def link_kind(chip: Chip) -> str:
    """`fabric` or `pcie`."""
    return "fabric" if chip.link_bytes_per_s > FABRIC_BYTES_PER_S else "pcie"


def library_s(chip: Chip, op: str, size: Array, devices: Array) -> Array:
    """[s] by a collective library, the faster of its low-latency and its bulk protocol."""
    c = coefficients(f"collective_{link_kind(chip)}", chip)
    return protocols_s(chip, c, op, size, devices)


def protocols_s(chip: Chip, c: Values, op: str, size: Array, devices: Array) -> Array:
    """As `library_s`, with coefficients given: launch + steps x hop + volume / (link x share). Equation (15)."""
    if op == "point_to_point":
        steps, volume = 1.0, size
    else:
        steps = ROUNDS[op] * (devices - 1)
        volume = steps / devices * size
    beta = chip.link_bytes_per_s * (devices / 2) ** -c["contention"]
    start = c["launch_clocks"] / chip.clock_hz + steps * c["hop"]
    low = start + volume / (beta * c["low_share"])
    bulk = start + c["bulk_start"] + volume / (beta * c["share"])
    return np.minimum(low, bulk)


def host_bound_s(chip: Chip) -> float:
    """[s] below which no all-reduce goes whose kernels the host starts one by one, without a recorded graph."""
    return coefficients("all_reduce_eager", chip)["host"]


def engine_s(chip: Chip, size: Array, devices: Array) -> Array:
    """[s] of an all-reduce by one kernel that reads the others' memory; infinite past `SMALL_BYTES`."""
    return one_kernel_s(chip, coefficients(f"all_reduce_kernel_{link_kind(chip)}", chip), size, devices)


def one_kernel_s(chip: Chip, c: Values, size: Array, devices: Array) -> Array:
    """As `engine_s`, with coefficients given: one shot or two, whichever is faster. Equation (16)."""
    others = devices - 1
    wire = size / (chip.link_bytes_per_s * c["share"] * (devices / 2) ** -c["contention"])
    start = c["launch_clocks"] / chip.clock_hz + others * c["hop"]
    time_s = start + np.minimum(others * wire, c["barrier"] + 2 * others / devices * wire)
    return np.where(size < SMALL_BYTES, time_s, np.inf)
