"""Low-rank adapters on the weights of a language model: what they hold and what a step takes for them.

Equations are numbered as in `docs/math/adapters.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import LLM, LayerGroup
from ..models.attention import Attention
from ..models.elementwise import least
from ..models.feed_forward import Dense
from .kernels import roofline_s
from .parallel import Parallel

if TYPE_CHECKING:
    from ..models.elementwise import Values
    from .replica import Batch, Replica

ELEMENT_BYTES = 2.0
"""of an adapter's weights, which engines keep in the activations' 16 bits"""
LAUNCHED_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))
"""projections of one input, whose adapters an engine multiplies in one kernel"""
TARGETS = tuple(name for names in LAUNCHED_TOGETHER for name in names)
"""the projections that may be adapted, by the names of Hugging Face's checkpoints"""


@dataclass(frozen=True)
class Adapter:
    """An update A B of rank `rank` to the weights of each of some projections (LoRA, arXiv 2106.09685)."""

    name: str
    rank: int
    targets: tuple[str, ...] = ()
    """names of projections; empty: all that the model has"""
    mixed: int = 1
    """different adapters of the model that the sequences of one batch may have"""


def projections(group: LayerGroup) -> dict[str, tuple[int, int, str]]:
    """Name -> (inputs, outputs, split over a tensor-parallel group) of what may be adapted in one layer.

    None of mixers other than attention, and of routed experts.
    """
    found: dict[str, tuple[int, int, str]] = {}
    mixer, network = group.mixer, group.network
    if isinstance(mixer, Attention):
        values = mixer.v_head_dim or mixer.head_dim
        gates = values if mixer.output_gate else 0
        found["q_proj"] = (mixer.hidden, mixer.heads * (mixer.head_dim + gates), "columns")
        found["k_proj"] = (mixer.hidden, mixer.kv_heads * mixer.head_dim, "columns")
        if not mixer.keys_are_values:
            found["v_proj"] = (mixer.hidden, mixer.kv_heads * values, "columns")
        found["o_proj"] = (mixer.heads * values, mixer.hidden, "rows")
    if isinstance(network, Dense):
        for name in ("gate_proj", "up_proj") if network.gated else ("up_proj",):
            found[name] = (network.hidden, network.ffn, "columns")
        found["down_proj"] = (network.ffn, network.hidden, "rows")
    return found


def missing_target(llm: LLM, targets: tuple[str, ...]) -> str | None:
    """The first of `targets`, or of all where it is empty, that no layer has; None where each is somewhere."""
    known = {name for group in llm.groups for name in projections(group)}
    if not targets:
        return None if known else TARGETS[0]
    return next((name for name in targets if name not in known), None)


def _elements(group: LayerGroup, adapter: Adapter, parallel: Parallel) -> float:
    """sum over adapted projections of r (d_in + d_out) on one device, for one layer.

    Of a projection cut by columns the device has all of A and its columns of B, of one cut by rows its rows of A.
    """
    total = 0.0
    for name, (inputs, outputs, split) in projections(group).items():
        if not adapter.targets or name in adapter.targets:
            inputs_here = inputs / parallel.tp if split == "rows" else inputs
            outputs_here = outputs / parallel.tp if split == "columns" else outputs
            total += adapter.rank * (inputs_here + outputs_here)
    return total


def adapter_bytes_per_device(llm: LLM, adapter: Adapter, parallel: Parallel) -> float:
    """[bytes] of one adapter on one device. Equation (1)."""
    return sum(g.count * _elements(g, adapter, parallel) for g in llm.groups) * ELEMENT_BYTES / parallel.pp


def adapters_s(replica: Replica, batch: Batch) -> Values:
    """[s] of a step for the adapters of its sequences, in all layers. Equation (2)."""
    adapter, time = replica.adapter, batch.tokens * 0.0
    if adapter is None:
        return time
    read = least(batch.sequences, float(adapter.mixed))
    for group in replica.llm.groups:
        elements = _elements(group, adapter, replica.parallel)
        if elements:
            work = roofline_s(replica.device, "bf16", 2 * batch.tokens * elements, read * elements * ELEMENT_BYTES)
            time = time + group.count * (work + len(list(_launches(group, adapter))) * replica.engine.launch_s)
    return time


def adapter_launches(replica: Replica) -> int:
    """Kernels of a step for adapters, in all layers."""
    adapter = replica.adapter
    return sum(g.count * len(list(_launches(g, adapter))) for g in replica.llm.groups) if adapter else 0


def _launches(group: LayerGroup, adapter: Adapter) -> Iterator[str]:
    """Two for all projections of one input: to rank r, and back."""
    known = projections(group)
    for names in LAUNCHED_TOGETHER:
        if any(name in known and (not adapter.targets or name in adapter.targets) for name in names):
            yield from ("down", "up")
