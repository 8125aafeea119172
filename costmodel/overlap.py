"""Overlap of compute, memory and network inside one device, as a mode beside kernels one after another.

A batch is cut into nano-batches; while one of them waits for memory or for the network, another computes (NanoFlow,
Zhu et al., arXiv 2408.12757, sections 3 and 4). Each amount may be a float, or a numpy array over a grid. Equations are
numbered as in `docs/math/overlap.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Seconds = Any
"""[s], a float or a numpy array; all of one call broadcast against each other"""
MEMORY_TAKES = 0.5
"""Of the rate of products beside it, a kernel bound by memory takes this share for each share of its own best rate:
0.4 for 0.8 of it (measured on an A100; NanoFlow, arXiv 2408.12757, section 4.1.4 and Table 3). Elsewhere a guess."""
NETWORK_TAKES = 1 / 3
"""the same for a collective: 0.1 for 0.3 (measured on an A100; Table 3 there). Elsewhere a guess."""


@dataclass(frozen=True)
class Demand:
    """How long one kernel would keep each resource of the device if it had nothing else to wait for."""

    compute_s: Seconds = 0.0
    """flops over the rate that is reached"""
    memory_s: Seconds = 0.0
    """bytes over the bandwidth that is reached"""
    network_s: Seconds = 0.0
    """time on the link, latencies included"""
    weights_s: Seconds = 0.0
    """the part of `memory_s` for what every nano-batch reads again: weights"""
    launch_s: Seconds = 0.0
    """what the kernel costs whatever its size"""

    def part(self, parts: int) -> Demand:
        """The demand of one of `parts` nano-batches: all but weights and launch divided. Equation (3)."""
        rest_s = (self.memory_s - self.weights_s) / parts
        return Demand(
            self.compute_s / parts, self.weights_s + rest_s, self.network_s / parts, self.weights_s, self.launch_s
        )


def alone_s(demand: Demand) -> Seconds:
    """[s] of one kernel by itself: its scarcest resource, and the launch. Equation (1)."""
    return np.maximum(np.maximum(demand.compute_s, demand.memory_s), demand.network_s) + demand.launch_s


def sequential_s(demands: Sequence[Demand]) -> Seconds:
    """[s] of kernels one after another, as engines without overlap run them. Equation (2)."""
    return sum(alone_s(each) for each in demands)


def busiest_s(demands: Sequence[Demand]) -> Seconds:
    """[s] for which the busiest resource is needed in all: no schedule is faster. Equation (4)."""
    compute_s = sum(each.compute_s for each in demands)
    memory_s = sum(each.memory_s for each in demands)
    network_s = sum(each.network_s for each in demands)
    return np.maximum(np.maximum(compute_s, memory_s), network_s)


def overlapped_s(demands: Sequence[Demand], nano_batches: int = 2) -> Seconds:
    """[s] of the same kernels with their batch cut into `nano_batches`, overlapped as well as can be. Equation (5).

    A lower bound that no schedule beats: the kernels of one nano-batch follow each other, and the busiest resource
    serves all nano-batches. Kernels that share a device also slow each other: see `contended_s`. With one nano-batch
    nothing overlaps. ValueError below 1.
    """
    if nano_batches < 1:
        raise ValueError(f"{nano_batches} nano-batches are no batch")
    parts = [each.part(nano_batches) for each in demands]
    return np.maximum(sequential_s(parts), nano_batches * busiest_s(parts))


def contended_s(demands: Sequence[Demand], nano_batches: int = 2) -> Seconds:
    """[s] of the same kernels in `nano_batches` that slow each other where they run side by side. Equation (8).

    Each kernel belongs to its scarcest resource. Those bound by memory or network take thread blocks and caches from
    the products beside them, in proportion to how fast they run; what limits is the busiest resource, the products
    slowed so, or the kernels of one nano-batch after each other. ValueError below 1.
    """
    bound_s = overlapped_s(demands, nano_batches)
    compute_s = memory_s = network_s = 0.0
    for each in (each.part(nano_batches) for each in demands):
        time_s, rest_s = nano_batches * alone_s(each), np.maximum(each.memory_s, each.network_s)
        is_compute, is_memory = each.compute_s >= rest_s, each.memory_s >= each.network_s
        compute_s = compute_s + np.where(is_compute, time_s, 0.0)
        memory_s = memory_s + np.where(~is_compute & is_memory, time_s, 0.0)
        network_s = network_s + np.where(~(is_compute | is_memory), time_s, 0.0)
    slowed_s = compute_s + MEMORY_TAKES * memory_s + NETWORK_TAKES * network_s
    return np.maximum(np.maximum(bound_s, slowed_s), np.maximum(memory_s, network_s))


def best_nano_batches(demands: Sequence[Demand], most: int = 8) -> int:
    """The number of nano-batches, up to `most`, with the least `overlapped_s`; the smallest of equal ones.

    More of them fill more gaps, but each reads the weights again. Equation (6). Floats only.
    """
    return min(range(1, most + 1), key=lambda count: float(overlapped_s(demands, count)))


def optimal_tokens_per_s(flops_per_s: float, active_parameters: float) -> float:
    """[tokens/s] of one device, prompt and output together, if it did nothing but products. Equation (7).

    rate / (2 P): each token takes 2 flops for each weight (arXiv 2408.12757, section 3.5, equation 5); `flops_per_s` is
    the rate that products reach. Attention is left out.
    """
    return flops_per_s / (2 * active_parameters)
