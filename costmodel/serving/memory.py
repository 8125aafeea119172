"""What one device of a replica holds: weights, KV cache, activations.

Equations are numbered as in `docs/math/serving.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import LLM, LayerGroup
from ..models.elementwise import least, most
from ..precision import bytes_per_element
from .parallel import Parallel, fits_shape

if TYPE_CHECKING:
    from ..models.elementwise import Values
    from .replica import Replica

ACTIVATION_BYTES = 2.0
"""activations stay in 16 bits, whatever the weights are in"""
PREFILL_CHUNK_TOKENS = 8192
"""tokens that an engine prefills at once: the default of vLLM (`max_num_batched_tokens`) and of TensorRT-LLM"""
RUNTIME_BYTES = 1.5e9
"""context, libraries and communication buffers of one device (guess; 1-2 GB is usual)"""


def weight_bytes_per_device(llm: LLM, parallel: Parallel, precision: str | None = None) -> float:
    """[bytes] of weights on the fullest device. Equation (1).

    Stages have as many layers each; where there are several, the first and the last hold one vocabulary table.
    """
    layers = sum(group.count * _layer_bytes(llm, group, parallel, precision) for group in llm.groups)
    tables = llm.table_parameters if parallel.pp == 1 else llm.embedding_parameters
    return layers / parallel.pp + tables * llm.bytes_per_parameter("table", precision) / parallel.tp


def _layer_bytes(llm: LLM, group: LayerGroup, parallel: Parallel, precision: str | None) -> float:
    """[bytes] of one layer on one device: cut over TP where it can be, its routed experts over the whole stage."""
    network = group.network
    size = llm.bytes_per_parameter("vector", precision)
    total = size * (group.mixer.vectors + network.vectors + group.norms)
    total += size * network.experts * network.expert_vectors / parallel.stage_devices
    for product in (*group.mixer.products, *network.products):
        parts = 1 if product.split == "whole" else parallel.tp
        total += product.parameters * llm.bytes_per_parameter(product.kind, precision) / parts
    for product in network.expert_products:
        routed = network.experts * product.parameters / parallel.stage_devices
        total += routed * llm.bytes_per_parameter(product.kind, precision)
    return total


def kv_bytes_per_device(
    llm: LLM, parallel: Parallel, sequences: Values, context_tokens: Values, kv_precision: str = "bf16"
) -> Values:
    """[bytes] of cache and states of `sequences` of `context_tokens` each, on one device. Equation (2)."""
    size = bytes_per_element(kv_precision)
    held = context_tokens * 0.0
    for group in llm.groups:
        mixer = group.mixer
        cut = mixer.held(context_tokens) * mixer.kv_elements * size / min(parallel.tp, mixer.kv_parts)
        whole = context_tokens * mixer.index_bytes
        held = held + group.count * (cut + whole + mixer.state_bytes / parallel.tp)
    return held * sequences / (parallel.dp * parallel.pp)


def activation_bytes_per_device(
    llm: LLM, parallel: Parallel, sequences: Values, prompt_tokens: Values = PREFILL_CHUNK_TOKENS
) -> Values:
    """[bytes] of activations at the fullest point of a step, with the runtime's own. Equation (3).

    Residual stream in and out, the two halves of the gated network, and the logits in fp32.
    """
    tokens = most(sequences / parallel.dp, least(prompt_tokens, PREFILL_CHUNK_TOKENS))
    width = 2 * llm.hidden + 2 * max(group.network.width for group in llm.groups) / parallel.tp
    logits = 4.0 * sequences / parallel.dp * llm.vocab / parallel.tp
    return tokens * width * ACTIVATION_BYTES + logits + RUNTIME_BYTES


def memory_bytes_per_device(replica: Replica, sequences: Values, context_tokens: Values) -> Values:
    """[bytes] of all of it for `sequences` of `context_tokens` each."""
    held = weight_bytes_per_device(replica.llm, replica.parallel, replica.precision)
    held = held + activation_bytes_per_device(replica.llm, replica.parallel, sequences, context_tokens)
    return held + kv_bytes_per_device(replica.llm, replica.parallel, sequences, context_tokens, replica.kv_precision)


def sequences_held(replica: Replica, context_tokens: Values) -> Values:
    """Sequences of `context_tokens` whose cache has room in the memory that the engine takes; 0 where none has."""
    taken = memory_bytes_per_device(replica, 0.0, context_tokens)
    room = replica.engine.memory_share * replica.device.memory_bytes - taken
    each = kv_bytes_per_device(replica.llm, replica.parallel, 1.0, context_tokens, replica.kv_precision)
    return most(0.0, room) / most(each, 1.0)


def fits(replica: Replica, context_tokens: float) -> bool:
    """Whether a replica runs at all: the model can be cut so, and a sequence of each attention group has room."""
    if not fits_shape(replica.llm, replica.parallel):
        return False
    held = memory_bytes_per_device(replica, float(replica.parallel.dp), context_tokens)
    return bool(held <= replica.device.memory_bytes)
