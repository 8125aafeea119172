"""Time of collectives over one level of links, by the alpha-beta model (Hockney 1994; Thakur et al. 2005).

alpha is the latency of one message [s], `bandwidth_bytes_per_s` what one device sends in one direction.
Equations are numbered as in `docs/math/roofline.md`.
"""

from __future__ import annotations


def all_reduce_s(size_bytes: float, devices: int, bandwidth_bytes_per_s: float, latency_s: float) -> float:
    """[s] to sum `size_bytes` over `devices`, by the faster of two algorithms. Equation (2).

    ring: 2 (n-1) alpha + 2 (n-1)/n size/bandwidth · one shot, each reading all others: alpha + (n-1) size/bandwidth
    """
    if devices <= 1:
        return 0.0
    others, wire_s = devices - 1, size_bytes / bandwidth_bytes_per_s
    ring = 2 * others * latency_s + 2 * others / devices * wire_s
    return min(ring, latency_s + others * wire_s)


def point_to_point_s(size_bytes: float, bandwidth_bytes_per_s: float, latency_s: float) -> float:
    """[s] for one message: alpha + size/bandwidth. Equation (3)."""
    return latency_s + size_bytes / bandwidth_bytes_per_s
