"""Prefill and decode at once in one server, each on its own part of a GPU's multiprocessors.

Equations are numbered as in `docs/math/split.md`. Such servers: semi-PD (Hong et al., arXiv 2504.19867), Nexus (Shi et
al., arXiv 2507.06608).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..hardware import Device
from ..models import LayerGroup
from ..models.elementwise import most
from ..precision import bytes_per_element
from ..roofline import efficiency
from .latency import decode_step_s, prefill_s
from .replica import Batch, Replica
from .steps import ACTIVATION_BYTES

if TYPE_CHECKING:
    from ..models.elementwise import Values

FAIR_SHARE = 0.5
"""of the bandwidth that a phase gets however much the other draws: memory serves both alike (guess)"""


class SplitTimes(NamedTuple):
    """Seconds of both phases while the other one runs too."""

    prefill: Values
    step: Values


def part_of(device: Device, share: float) -> Device:
    """So much of a GPU's multiprocessors, with their part of its power and L2 cache. Equation (1).

    It draws the whole bandwidth if that many multiprocessors can. ValueError for a share that leaves one phase nothing.
    """
    if not 0 < share < 1:
        raise ValueError(f"a part of a device is more than none of it and less than all: {share}")
    from ..operators.chip import chip_of

    chip = chip_of(device)
    cores = max(1, round(chip.multiprocessors * share))
    return replace(
        device,
        flops_per_s={dtype: rate * share for dtype, rate in device.flops_per_s.items()},
        multiprocessors=cores,
        cache_bytes=chip.cache_bytes * share,
        tdp_w=device.tdp_w * share,
        bandwidth_bytes_per_s=min(device.bandwidth_bytes_per_s, drawn_bytes_per_s(device, cores)),
    )


def drawn_bytes_per_s(device: Device, cores: float) -> float:
    """[bytes/s] that so many multiprocessors can draw: what each takes from the L2 cache in a clock. Equation (2)."""
    from ..operators.chip import chip_of
    from ..operators.coefficients import coefficients

    chip = chip_of(device)
    return cores * chip.clock_hz * coefficients("gemm_plain", chip)["cache_bytes_per_clock"]


def split_times(
    replica: Replica, share: float, prompt: Values, cached: Values, batch: Values, context: Values
) -> SplitTimes:
    """Prefill of one prompt on `share` of the multiprocessors, a decode step of `batch` on the rest. Equation (5).

    Both are taken to run all the time: where one of them rests, the other is as fast or faster.
    """
    ahead = replace(replica, device=part_of(replica.device, share))
    behind = replace(replica, device=part_of(replica.device, 1 - share))
    new, each = most(1.0, prompt - cached), most(1.0, batch / (replica.parallel.dp * replica.parallel.pp))
    prompts = Batch(1.0 + 0.0 * new, new, most(0.0, prompt - new), decoding=False)
    alone = SplitTimes(prefill_s(ahead, prompt, cached), decode_step_s(behind, batch, context))
    read = moved_bytes(replica, prompts), moved_bytes(replica, Batch(each, 1.0, context, decoding=True))
    whole = replica.device.bandwidth_bytes_per_s * efficiency(replica.device).bandwidth
    return SplitTimes(*beside_s((alone.prefill, read[0]), (alone.step, read[1]), whole))


def beside_s(first: tuple[Values, Values], second: tuple[Values, Values], bytes_per_s: float) -> tuple[Values, Values]:
    """[s] of two pieces of work, each (s alone, bytes that it moves), that share a bandwidth. Equation (4).

    Each gets what the other leaves, or half where both want more: max-min fairness.
    """
    (a_s, a_bytes), (b_s, b_bytes) = first, second
    least = FAIR_SHARE * bytes_per_s
    for_a, for_b = most(least, bytes_per_s - b_bytes / b_s), most(least, bytes_per_s - a_bytes / a_s)
    return most(a_s, a_bytes / for_a), most(b_s, b_bytes / for_b)


def moved_bytes(replica: Replica, batch: Batch) -> Values:
    """[bytes] that one step of all stages moves to and from the memory of one device. Equation (3).

    Weights that the tokens touch, the cache before them, their own, and activations between kernels.
    """
    llm, parallel = replica.llm, replica.parallel
    moved = batch.sequences * 0.0 + llm.embedding_parameters * replica.weight("table")[1] / parallel.tp
    for group in llm.groups:
        moved = moved + group.count * (_weights(replica, group, batch.tokens) + _cache(replica, group, batch))
        width = 6 * llm.hidden + (2 * group.mixer.heads * group.mixer.head_dim + 3 * group.network.width) / parallel.tp
        moved = moved + group.count * batch.tokens * width * ACTIVATION_BYTES
    return moved


def _weights(replica: Replica, group: LayerGroup, tokens: Values) -> Values:
    """[bytes] of one layer's weights that so many tokens of a group touch, on one device."""
    parallel, network = replica.parallel, group.network
    total = tokens * 0.0
    for product in (*group.mixer.products, *network.products):
        parts = 1 if product.split == "whole" else parallel.tp
        total = total + product.parameters * replica.weight(product.kind)[1] / parts
    for product in network.expert_products:
        touched = network.distinct_experts(tokens * parallel.dp)
        total = total + touched * product.parameters * replica.weight(product.kind)[1] / parallel.stage_devices
    return total


def _cache(replica: Replica, group: LayerGroup, batch: Batch) -> Values:
    """[bytes] of one layer's cache and states that a step reads and writes, on one device."""
    mixer, tp = group.mixer, replica.parallel.tp
    tokens = mixer.reach(batch.seen) + batch.new
    cut = tokens * mixer.kv_elements * bytes_per_element(replica.kv_precision) / min(tp, mixer.kv_parts)
    whole = (batch.seen + batch.new) * mixer.index_bytes
    return batch.sequences * (cut + whole + 2 * mixer.state_bytes / tp)
