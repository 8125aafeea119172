"""Time of one kernel of a layer in an engine: by the fitted operators on GPUs, by the roofline elsewhere.

Equations are numbered as in `docs/math/serving.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hardware import Device
from ..models.elementwise import least, most
from ..precision import bytes_per_element
from ..roofline import compute_dtype, efficiency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models.elementwise import Values
    from ..models.mixers import Mixer
    from .replica import Batch, Replica

SMOOTH = 4.0
"""of the maximum of compute and traffic: (a^4 + b^4)^(1/4), 19 % over it where both are equal"""


def either_s(first: Values, second: Values) -> Values:
    """[s] of two that overlap, near the greater of them. Equation (16)."""
    return (first**SMOOTH + second**SMOOTH) ** (1 / SMOOTH)


def products_s(replica: Replica, kind: str, rows: Values, shapes: Sequence[tuple[float, float]]) -> Values:
    """[s] of several products (rows, k) x (k, n), one after the other; `shapes` are pairs (n, k). Equation (10)."""
    dtype, stored = replica.weight(kind)
    device = replica.device
    if device.kind != "gpu":
        return sum((_roofline_product_s(device, dtype, stored, rows, n, k) for n, k in shapes), start=rows * 0.0)
    import numpy as np

    from ..operators.gemm import gemm_s, quantising_s

    m, place = np.unique(np.asarray(rows, float), return_inverse=True)  # a grid repeats few numbers of rows
    n, k = (np.array(column)[:, None] for column in zip(*shapes, strict=True))
    time = gemm_s(device, dtype, m, n, k)
    fused = (1 - replica.engine.quantise_share) * quantising_s(device, dtype, m, k)
    return _as_given((time - fused).sum(axis=0)[place].reshape(np.shape(rows)), rows)


def _roofline_product_s(device: Device, dtype: str, stored: float, m: Values, n: float, k: float) -> Values:
    return roofline_s(device, dtype, 2 * m * n * k, n * k * stored + 2 * m * (n + k))


def grouped_product_s(replica: Replica, kind: str, groups: Values, rows: Values, n: float, k: float) -> Values:
    """[s] of `groups` products of `rows` rows each with weights of their own, in one kernel. Equation (11).

    Rows are padded to a tile: an expert of few tokens takes the arithmetic of a whole one.
    """
    engine, device = replica.engine, replica.device
    dtype, stored = replica.weight(kind)
    padded = either_s(rows, engine.expert_rows)
    peak = device.flops_per_s[compute_dtype(device, dtype)] * engine.expert_compute_share
    bandwidth = device.bandwidth_bytes_per_s * engine.expert_bandwidth_share
    return either_s(2 * groups * padded * n * k / peak, groups * n * k * stored / bandwidth) + engine.launch_s


def attention_s(replica: Replica, mixer: Mixer, batch: Batch) -> Values:
    """[s] of attention or a recurrence in one layer, on one device. Equation (13)."""
    time = batch.tokens * 0.0
    if mixer.state_bytes:
        tp = replica.parallel.tp
        flops = batch.tokens * mixer.flops_per_token / tp
        time = time + roofline_s(replica.device, "bf16", flops, 2 * batch.sequences * mixer.state_bytes / tp)
    if mixer.kv_elements:
        time = time + replica.engine.attention_share * _cached_attention_s(replica, mixer, batch)
    if mixer.index_flops_per_pair:
        pairs = batch.sequences * mixer.index_pairs(batch.new, batch.seen)
        read = batch.sequences * (batch.seen + batch.new) * mixer.index_bytes
        time = time + roofline_s(replica.device, "fp8", pairs * mixer.index_flops_per_pair, read)
    return time


def _cached_attention_s(replica: Replica, mixer: Mixer, batch: Batch) -> Values:
    """[s] of scores and weighted sums over the cache.

    A cache that has no heads (latent vectors) is one head of that width, read by all query heads; what its scores take
    beyond the arithmetic of ordinary heads is added as a bound of its own.
    """
    tp, device = replica.parallel.tp, replica.device
    heads, kv_heads = most(1.0, mixer.heads / tp), most(1.0, mixer.kv_parts / tp)
    flops = batch.sequences * mixer.pairs(batch.new, batch.seen) * mixer.flops_per_pair(batch.decoding) / tp
    if device.kind != "gpu":
        size = bytes_per_element(replica.kv_precision) / min(tp, mixer.kv_parts)
        read = batch.sequences * (mixer.reach(batch.seen) + batch.new) * mixer.kv_elements * size
        return roofline_s(device, "bf16", flops, read)
    from ..operators import decode_attention_s, prefill_attention_s

    cached_dim = mixer.kv_elements / mixer.kv_parts / 2
    if batch.decoding:
        call = (batch.sequences, mixer.reach(batch.seen) + 1, heads, kv_heads, cached_dim)
        moved = decode_attention_s(device, "bf16", replica.kv_precision, *call)
        return _as_given(either_s(moved, flops / _attention_flops_per_s(device)), batch.tokens)
    head_dim = mixer.flops_per_pair(False) / (4 * mixer.heads)
    call = (batch.sequences, batch.new, batch.seen, heads, least(heads, kv_heads), head_dim, _window(mixer))
    return _as_given(prefill_attention_s(device, "bf16", replica.kv_precision, *call), batch.tokens)


def _window(mixer: Mixer) -> float:
    """Tokens that one reads of an endless context; 0 for all."""
    endless = 1e18
    reach = mixer.reach(endless)
    return float(reach) if reach < endless else 0.0


def _attention_flops_per_s(device: Device) -> float:
    return device.flops_per_s[compute_dtype(device, "bf16")] * efficiency(device).compute


def roofline_s(device: Device, dtype: str, flops: Values, moved_bytes: Values) -> Values:
    """[s] of work bound by arithmetic or by traffic, at the shares that the kind of device reaches. Equation (16)."""
    reached = efficiency(device)
    peak = device.flops_per_s[compute_dtype(device, dtype)]
    return either_s(flops / (peak * reached.compute), moved_s(device, moved_bytes))


def moved_s(device: Device, moved_bytes: Values) -> Values:
    """[s] to move so many bytes to or from memory."""
    return moved_bytes / (device.bandwidth_bytes_per_s * efficiency(device).bandwidth)


def small_kernels(mixer: Mixer, experts: int, has_network: bool) -> int:
    """Kernels of a layer that are neither products nor attention.

    Norm, rotary positions, cache write, residual sum and the head reshuffle of a mixer; norm and activation of a
    network; routing (scores, top-k, order of tokens, weighted sum) of a mixture.
    """
    return (5 if mixer.products else 0) + (2 if has_network else 0) + (5 if experts else 0)


def all_reduce_s(replica: Replica, message_bytes: Values) -> Values:
    """[s] of a sum over a tensor-parallel group. Equation (15)."""
    return _collective_s(replica, "all_reduce", message_bytes, replica.parallel.tp)


def all_to_all_s(replica: Replica, message_bytes: Values) -> Values:
    """[s] for tokens to reach their experts. Equation (15)."""
    return _collective_s(replica, "all_to_all", message_bytes, replica.parallel.ep)


def hops_s(replica: Replica, message_bytes: Values) -> Values:
    """[s] from the first stage to the last, pp - 1 messages. Equation (15).

    As many stages as fit stand in one chassis; from there to the next the message goes over the links beyond it.
    """
    parallel, device = replica.parallel, replica.device
    if parallel.pp == 1:
        return message_bytes * 0.0
    from ..link_levels import beyond_s, spanning_s

    chassis = -(-parallel.pp // max(1, device.chassis // parallel.stage_devices))
    near, far = parallel.pp - chassis, chassis - 1
    time = message_bytes * 0.0
    if near:
        time = time + near * spanning_s(device, "point_to_point", message_bytes, 2)
    if far:
        time = time + far * beyond_s(device, message_bytes, parallel.devices)
    return _as_given(time, message_bytes) + (parallel.pp - 1) * replica.engine.reduce_s


def _collective_s(replica: Replica, op: str, message_bytes: Values, devices: int) -> Values:
    if devices == 1:
        return message_bytes * 0.0
    from ..link_levels import spanning_s

    time = spanning_s(replica.device, op, message_bytes, devices)
    return _as_given(time, message_bytes) + replica.engine.reduce_s


def _as_given(time: Values, given: Values) -> Values:
    """A plain number where the caller works with numbers."""
    return float(time) if isinstance(given, int | float) else time
