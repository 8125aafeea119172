"""Time and memory of a language model on a group of devices: prefill, decode steps, KV cache.

Equations are numbered as in `docs/math/serving.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .collectives import all_reduce_s, point_to_point_s
from .cost import Cost
from .hardware import Device
from .models import LLM, LayerGroup
from .models.mixers import Mixer
from .precision import bytes_per_element
from .roofline import efficiency, time_s

ACTIVATION_BYTES_PER_ELEMENT = 2.0
"""activations stay in 16 bits, whatever the weights are in"""
PREFILL_CHUNK_TOKENS = 8192
"""tokens that an engine prefills at once: the default of vLLM (`max_num_batched_tokens`) and of TensorRT-LLM"""
KERNELS_PER_LAYER = 9
"""launches of a layer besides attention: norms, projections, rotary embedding, cache write, gated network"""
RUNTIME_BYTES_PER_DEVICE = 1.5e9
"""context, libraries and communication buffers of one device (guess; 1-2 GB is usual)"""


@dataclass(frozen=True)
class Parallel:
    """How one replica spreads over devices: `tp` within each of `pp` stages.

    Copies beyond one are replicas, and experts are split like other weights: `ep` and `dp` other than 1 are refused.
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1

    def __post_init__(self) -> None:
        if min(self.tp, self.pp) < 1 or (self.ep, self.dp) != (1, 1):
            raise ValueError(f"{self} is not costed: tp and pp must be at least 1, ep and dp must be 1")

    @property
    def devices(self) -> int:
        """Devices of one replica."""
        return self.tp * self.pp


def fits_shape(llm: LLM, parallel: Parallel) -> bool:
    """Whether the model can be cut so: heads, feed-forward width and layers divide evenly.

    KV heads may be fewer than `tp` if they divide it; each is then held by several devices, as latent vectors are.
    """
    tp = parallel.tp
    if llm.layers % parallel.pp:
        return False
    for mixer, network in ((group.mixer, group.network) for group in llm.groups):
        products = (*network.products, *network.expert_products)
        split = [p.n if p.split == "columns" else p.k for p in products if p.split != "whole"]
        if mixer.heads % tp or any(size % tp for size in split) or (mixer.kv_parts % tp and tp % mixer.kv_parts):
            return False
    return True


def weight_bytes_per_device(llm: LLM, parallel: Parallel, precision: str | None = None) -> float:
    """[bytes] of weights that each device of a replica holds. Equation (1)."""
    return llm.weight_bytes(precision) / parallel.devices


def kv_bytes_per_device(
    llm: LLM, parallel: Parallel, tokens: float, kv_precision: str = "bf16", sequences: float | None = None
) -> float:
    """[bytes] of KV cache for `tokens` of context in all sequences, on each device of a replica. Equation (2).

    Where `sequences` says that they are so many of even length, layers with a window keep no more than that of each.
    """
    size, count = bytes_per_element(kv_precision), sequences or 1
    total = 0.0
    for group in llm.groups:
        mixer, length = group.mixer, tokens / count
        held = mixer.held(length) if sequences else length
        of_layer = held * mixer.kv_elements * size + length * mixer.index_bytes + mixer.state_bytes
        total += group.count * count * of_layer / min(parallel.tp, mixer.kv_parts)
    return total / parallel.pp


def activation_bytes_per_device(
    llm: LLM, parallel: Parallel, batch: int, prompt_tokens: float = PREFILL_CHUNK_TOKENS
) -> float:
    """[bytes] of activations at the fullest point of a step, with the runtime's own. Equation (3).

    Residual stream in and out, the two halves of the gated network, and the logits in fp32.
    """
    tokens = max(float(batch), min(prompt_tokens, PREFILL_CHUNK_TOKENS))
    width = 2 * llm.hidden + 2 * max(group.network.width for group in llm.groups) / parallel.tp
    logits = 4.0 * batch * llm.vocab / parallel.tp
    return tokens * width * ACTIVATION_BYTES_PER_ELEMENT + logits + RUNTIME_BYTES_PER_DEVICE


def prefill_s(
    llm: LLM,
    device: Device,
    parallel: Parallel,
    precision: str | None,
    prompt_tokens: float,
    cached_tokens: float = 0.0,
    batch: int = 1,
) -> float:
    """[s] to the first token of `batch` prompts of `prompt_tokens`, of which `cached_tokens` are in the cache.

    Equation (4): the work of the new tokens through all stages, with what they attend to.
    """
    new = max(1.0, prompt_tokens - cached_tokens)
    seen = max(0.0, prompt_tokens - new)
    pairs = _mean(llm, lambda mixer: mixer.pairs(new, seen))
    read = _mean(llm, lambda mixer: min(prompt_tokens, new + mixer.reach(seen)))
    work = step_work(llm, parallel, precision, batch * new, batch * pairs, batch * read, batch)
    return _step_s(work, llm, device, parallel, precision, batch * new)


def decode_step_s(
    llm: LLM,
    device: Device,
    parallel: Parallel,
    precision: str | None,
    kv_precision: str = "bf16",
    batch: float = 1,
    context_tokens: float = 1,
) -> float:
    """[s] of one decode step of `batch` sequences, each with `context_tokens` behind it. Equation (5)."""
    context = batch * _mean(llm, lambda mixer: mixer.reach(context_tokens))
    work = step_work(llm, parallel, precision, batch, context, context, batch, kv_precision)
    return _step_s(work, llm, device, parallel, precision, batch) + efficiency(device).sequence_s * batch


def tbt_s(step_s: float, prefill_s: float, batch: float, output_tokens: float) -> float:
    """[s] between tokens under continuous batching, prefill and decode in one server. Equation (6).

    The decode step at the mean context, and the prefills of the others that stop it: with `batch` sequences
    in flight, (batch - 1) / output_tokens of them start in each step.
    """
    return step_s + max(0.0, batch - 1) / max(1.0, output_tokens) * prefill_s


def _mean(llm: LLM, figure: Callable[[Mixer], float]) -> float:
    """The mean of a figure over the layers."""
    return sum(group.count * figure(group.mixer) for group in llm.groups) / llm.layers


def step_work(
    llm: LLM,
    parallel: Parallel,
    precision: str | None,
    tokens: float,
    pairs: float,
    context: float,
    sequences: float,
    kv_precision: str = "bf16",
) -> tuple[Cost, Cost]:
    """Work of one device over all stages of a step: (matrix products, attention). Equation (7) and Equation (8).

    `tokens` are new in this step, `pairs` how many (query, key) pairs they make, `context` how many tokens of KV
    cache are read, `sequences` how many rows the head has.
    """
    tp, groups = parallel.tp, llm.groups
    active = sum(g.count * (g.mixer.parameters + g.network.active_parameters) for g in groups)
    flops = 2 * tokens * active + 2 * sequences * llm.embedding_parameters
    weights = sum(g.count * _weights_read(g, llm, precision, tokens) for g in groups)
    weights += llm.embedding_parameters * llm.bytes_per_parameter("table", precision)
    width = sum(g.count * (4 * llm.hidden + _split_width(g) / tp) for g in groups)
    moved = tokens * width * ACTIVATION_BYTES_PER_ELEMENT
    products = Cost(flops / tp, weights / tp + moved / 2, moved / 2, llm.layers * KERNELS_PER_LAYER)
    size = bytes_per_element(kv_precision)
    kv_bytes = sum(g.count * g.mixer.kv_elements * size / min(tp, g.mixer.kv_parts) for g in groups)
    pair_flops = pairs * sum(g.count * g.mixer.flops_per_pair(tokens <= sequences) for g in groups) / tp
    return products, Cost(pair_flops, context * kv_bytes, tokens * kv_bytes, llm.layers)


def _weights_read(group: LayerGroup, llm: LLM, precision: str | None, tokens: float) -> float:
    """[bytes] of one layer's weights that a step of `tokens` reads: of a mixture, the experts that it touches."""
    touched = group.network.parameters_with(group.network.distinct_experts(tokens))
    attention = group.mixer.parameters * llm.bytes_per_parameter("attention", precision)
    return attention + touched * llm.bytes_per_parameter("network", precision)


def _split_width(group: LayerGroup) -> float:
    """Elements of one token that a layer makes in parts over the devices: queries, their output, the network's."""
    return 2 * group.mixer.heads * group.mixer.head_dim + 3 * group.network.width


def _step_s(
    work: tuple[Cost, Cost], llm: LLM, device: Device, parallel: Parallel, precision: str | None, tokens: float
) -> float:
    """[s] matrix products at `precision`, attention in 16 bits, collectives, the step itself. Equation (9)."""
    products, attention = work
    compute = time_s(products, device, precision or llm.precision) + time_s(attention, device, "bf16")
    message = tokens * llm.hidden * ACTIVATION_BYTES_PER_ELEMENT
    return compute + _collectives_s(llm, device, parallel, message) + efficiency(device).step_s


def _collectives_s(llm: LLM, device: Device, parallel: Parallel, message_bytes: float) -> float:
    """[s] two all-reduces a layer over `tp`, and a message between stages, inside the chassis. Equation (10)."""
    if parallel.devices == 1:
        return 0.0
    if not device.link_bandwidth_bytes_per_s:
        raise ValueError(f"`{device.id}` has no link to other devices, so {parallel} cannot be costed")
    link = (device.link_bandwidth_bytes_per_s, device.link_latency_s)
    reduce = 2 * llm.layers * all_reduce_s(message_bytes, parallel.tp, *link)
    return reduce + (parallel.pp - 1) * point_to_point_s(message_bytes, *link)


def transfer_s(size_bytes: float, bandwidth_bytes_per_s: float, latency_s: float = 0.0) -> float:
    """[s] to move a KV cache over a link: latency + bytes / bandwidth; 0 bytes take no time. Equation (11)."""
    return point_to_point_s(size_bytes, bandwidth_bytes_per_s, latency_s) if size_bytes else 0.0
