"""How long one step of a replica takes: all layers over a batch of sequences.

Equations are numbered as in `docs/math/serving.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from ..models import LLM, LayerGroup
from ..models.elementwise import most
from ..models.feed_forward import FeedForward
from . import kernels
from .adapters import adapter_launches, adapters_s
from .parallel import Parallel
from .replica import Batch, Replica

if TYPE_CHECKING:
    from ..models.elementwise import Values

ACTIVATION_BYTES = 2.0
"""activations stay in 16 bits, whatever the weights are in"""


@dataclass(frozen=True)
class StepTime:
    """[s] of a step by what takes it."""

    products: Values
    """with weights that every token passes, the head's too, and with adapters"""
    experts: Values
    attention: Values
    """scores, weighted sums and recurrences, with the cache's traffic"""
    elementwise: Values
    """kernels between them: norms, activations, rotary positions, routing"""
    collectives: Values
    engine: Values
    """scheduling, sampling, and what is done for each sequence"""

    @property
    def device_s(self) -> Values:
        """What the devices do, one after the other."""
        return self.products + self.experts + self.attention + self.elementwise + self.collectives

    @property
    def total(self) -> Values:
        """With the engine's part."""
        return self.device_s + self.engine


def step_time(replica: Replica, batch: Batch) -> StepTime:
    """Time of one step through all stages. Equation (12)."""
    return through_stages(replica, batch, layers_time(replica, batch))


def through_stages(replica: Replica, batch: Batch, layers: StepTime) -> StepTime:
    """The step whose layers take that long, with the messages from stage to stage. Equation (12)."""
    hops = kernels.hops_s(replica, batch.tokens * replica.llm.hidden * ACTIVATION_BYTES)
    return replace(layers, collectives=layers.collectives + hops)


def layers_time(replica: Replica, batch: Batch) -> StepTime:
    """Time of all layers of a step, the same however many stages they are divided into."""
    experts = attention = elementwise = collectives = batch.tokens * 0.0
    for group in replica.llm.groups:
        experts = experts + group.count * _experts_s(replica, group.network, batch.tokens)
        attention = attention + group.count * kernels.attention_s(replica, group.mixer, batch)
        elementwise = elementwise + group.count * _elementwise_s(replica, group, batch.tokens)
        collectives = collectives + group.count * _collectives_s(replica, group, batch.tokens)
    return StepTime(
        products=_products_s(replica, batch) + adapters_s(replica, batch),
        experts=experts,
        attention=attention,
        elementwise=elementwise,
        collectives=collectives,
        engine=replica.engine.step_s + replica.engine.sequence_s * batch.sequences,
    )


def _products_s(replica: Replica, batch: Batch) -> Values:
    """[s] of the products that every token passes, in all layers, and of the head for each sequence. Equation (10)."""
    total = batch.tokens * 0.0
    for kind, shapes in _shapes(replica.llm, replica.parallel).items():
        for count, several in shapes.items():
            total = total + count * kernels.products_s(replica, kind, batch.tokens, several)
    head = (replica.llm.vocab / replica.parallel.tp, float(replica.llm.hidden))
    return total + kernels.products_s(replica, "table", batch.sequences, (head,))


@cache
def _shapes(llm: LLM, parallel: Parallel) -> dict[str, dict[int, tuple[tuple[float, float], ...]]]:
    """Kind of product -> layers that have them -> (n, k) of each on one device."""
    found: dict[str, dict[int, tuple[tuple[float, float], ...]]] = {}
    for group in llm.groups:
        for product in (*group.mixer.products, *group.network.products):
            n = product.n / (parallel.tp if product.split == "columns" else 1)
            k = product.k / (parallel.tp if product.split == "rows" else 1)
            by_count = found.setdefault(product.kind, {})
            by_count[group.count] = (*by_count.get(group.count, ()), (n, k))
    return found


def _experts_s(replica: Replica, network: FeedForward, tokens: Values) -> Values:
    """[s] of the routed experts of one layer, spread over all devices of the stage. Equation (11).

    All attention groups' tokens go to the same experts; a device holds 1/ep of those that they touch.
    """
    if not network.experts:
        return tokens * 0.0
    parallel, everyone = replica.parallel, tokens * replica.parallel.dp
    touched = network.distinct_experts(everyone)
    rows = everyone * network.experts_per_token / touched
    local = most(1.0, touched / parallel.ep)
    total = tokens * 0.0
    for product in network.expert_products:
        n = product.n / (parallel.expert_tp if product.split == "columns" else 1)
        k = product.k / (parallel.expert_tp if product.split == "rows" else 1)
        total = total + kernels.grouped_product_s(replica, product.kind, local, rows, n, k)
    return total


def _elementwise_s(replica: Replica, group: LayerGroup, tokens: Values) -> Values:
    """[s] of what is no product and no attention in one layer: launches, and activations moved. Equation (14)."""
    mixer, network = group.mixer, group.network
    split = 2 * mixer.heads * mixer.head_dim + 3 * network.width
    moved = tokens * (6 * replica.llm.hidden + split / replica.parallel.tp) * ACTIVATION_BYTES
    launches = kernels.small_kernels(mixer, network.experts, network.width > 0)
    return kernels.moved_s(replica.device, moved) + launches * replica.engine.launch_s


def _collectives_s(replica: Replica, group: LayerGroup, tokens: Values) -> Values:
    """[s] of one layer's sums over a tensor-parallel group, and of its tokens' way to experts. Equation (15)."""
    parallel, network = replica.parallel, group.network
    message = tokens * replica.llm.hidden * ACTIVATION_BYTES
    sums = int(any(p.split == "rows" for p in group.mixer.products))
    if network.experts and parallel.dp > 1:
        copies = min(network.experts_per_token, parallel.ep)
        there = kernels.all_to_all_s(replica, message * copies / parallel.tp)
        return 2 * there + sums * kernels.all_reduce_s(replica, message)
    sums += int(network.experts > 0 or any(p.split == "rows" for p in network.products))
    return sums * kernels.all_reduce_s(replica, message)


def host_launch_s(replica: Replica) -> float:
    """[s] that the host takes to launch all kernels of a step one by one. Equation (17)."""
    launches = 0
    for group in replica.llm.groups:
        mixer, network = group.mixer, group.network
        products = len(mixer.products) + len(network.products) + len(network.expert_products)
        small = kernels.small_kernels(mixer, network.experts, network.width > 0)
        launches += group.count * (products + small + (mixer.heads > 0))
    return (launches + adapter_launches(replica)) * replica.engine.host_launch_s
