"""Time of collectives over one level of links, by the alpha-beta model (Hockney 1994; Thakur et al. 2005).

alpha is the latency of one message [s], `bandwidth_bytes_per_s` what one device sends in one direction.
Equations are numbered as in `docs/math/roofline.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .models.elementwise import least

if TYPE_CHECKING:
    from .models.elementwise import Values


def all_reduce_s(size_bytes: Values, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] to sum `size_bytes` over `devices`, by the faster of two algorithms. Equation (2).

    ring: 2 (n-1) alpha + 2 (n-1)/n size/bandwidth · one shot, each reading all others: alpha + (n-1) size/bandwidth
    """
    if devices <= 1:
        return size_bytes * 0.0
    others, wire_s = devices - 1, size_bytes / bandwidth_bytes_per_s
    ring = 2 * others * latency_s + 2 * others / devices * wire_s
    return least(ring, latency_s + others * wire_s)


def point_to_point_s(size_bytes: Values, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] for one message: alpha + size/bandwidth. Equation (3)."""
    return latency_s + size_bytes / bandwidth_bytes_per_s


def all_gather_s(size_bytes: Values, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] until each of `devices` has all parts of `size_bytes` in all. Equation (4).

    A ring, (n-1) alpha + (n-1)/n S/beta: half of an all-reduce's ring, whose other half is the reduce-scatter.
    """
    return _ring_s(size_bytes, devices, bandwidth_bytes_per_s, latency_s)


def reduce_scatter_s(size_bytes: Values, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] until each of `devices` has its part of the sum of `size_bytes`. Equation (5).

    (n-1) alpha + (n-1)/n S/beta
    """
    return _ring_s(size_bytes, devices, bandwidth_bytes_per_s, latency_s)


def all_to_all_s(size_bytes: Values, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] until each of `devices`, which hold `size_bytes` each, has sent each other its part. Equation (6).

    Pair by pair: (n-1) alpha + (n-1)/n S/beta
    """
    return _ring_s(size_bytes, devices, bandwidth_bytes_per_s, latency_s)


def _ring_s(size_bytes: Values, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> Values:
    """[s] of n-1 messages one after another, each of an n-th of the bytes."""
    others = devices - 1
    return others * latency_s + others / devices * size_bytes / bandwidth_bytes_per_s
