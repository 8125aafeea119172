"""Ways to run a language model on devices of one kind: how it is cut, and the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise

from ....costmodel import serving
from ....costmodel.hardware import Device
from ....costmodel.models import LLM
from .calls import Call, Visit

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Sequences of one attention group."""


@dataclass(frozen=True)
class Timing:
    """Seconds of the visits of one call on one replica."""

    prefill: tuple[float, ...]
    step: tuple[float, ...]
    """decode alone"""
    gap: tuple[float, ...]
    """between tokens, where prefills of others ride along"""


@dataclass(frozen=True, eq=False)
class Server:
    """One way to run a language model: devices, and the batch; each is equal to itself alone."""

    replica: serving.Replica
    batch: int
    timings: Mapping[str, Timing]
    """by node"""
    spill: serving.Spill | None = None
    """what of it lies beyond the devices' own memory"""

    @cached_property
    def weight_bytes(self) -> float:
        """In the memory of one device."""
        return weights(self.replica) if self.spill is None else self.spill.weights_held(self.replica)

    def state_bytes(self, call: Call, sequences: int) -> float:
        """In the memory of one device, besides the weights."""
        if self.spill is None:
            return state(self.replica, call, sequences)
        held = self.spill.held(self.replica, cache(self.replica, call, sequences), self.spill.cache)
        return float(held + activations(self.replica, call, sequences))

    def tier_bytes(self, call: Call, sequences: int) -> tuple[float, float]:
        """(weights, caches of `call`) in the tier of one device."""
        if self.spill is None:
            return 0.0, 0.0
        return self.spill.weights_in_tier(self.replica), self.spill.cache * cache(self.replica, call, sequences)

    @property
    def is_least(self) -> bool:
        """Whether each attention group has one sequence in each stage."""
        return self.batch == self.parallel.dp * self.parallel.pp

    @property
    def llm(self) -> LLM:
        return self.replica.llm

    @property
    def device(self) -> Device:
        return self.replica.device

    @property
    def parallel(self) -> serving.Parallel:
        return self.replica.parallel


def servers(replicas: Sequence[serving.Replica], calls: Sequence[Call]) -> Iterator[Server]:
    """Batches of replicas whose weights and caches fit the device; the replicas differ in their stages alone.

    Each attention group has 1, 2, 4, ... sequences in each stage, and up to the largest batch in all of them.
    """
    fitting = [replica for replica in replicas if _takes(replica, calls, 1)]
    if not fitting:
        return
    sequences = [[each for each in BATCHES if _takes(replica, calls, each)] for replica in fitting]
    timed = staged_timings(fitting, calls, BATCHES[: max(map(len, sequences))])
    for nth, replica in enumerate(fitting):
        for place, each in enumerate(sequences[nth]):
            own = {node: found[nth][place] for node, found in timed.items()}
            yield Server(replica, each * replica.parallel.dp * replica.parallel.pp, own)


def _takes(replica: serving.Replica, calls: Sequence[Call], each: int) -> bool:
    """Whether every attention group has room for `each` sequences in each stage."""
    parallel = replica.parallel
    batch = each * parallel.dp * parallel.pp
    return each * parallel.pp <= BATCHES[-1] and _memory(replica, calls, batch) <= replica.device.memory_bytes


def timings(replica: serving.Replica, call: Call, batches: Sequence[int]) -> list[Timing]:
    """Of each batch of a replica of one stage and one attention group."""
    return staged_timings([replica], [call], batches)[call.node][0]


def staged_timings(
    replicas: Sequence[serving.Replica], calls: Sequence[Call], sequences: Sequence[int]
) -> dict[str, list[list[Timing]]]:
    """By node: of each replica at each number of sequences of a group in a stage.

    Calls of one adapter are priced at once, and those with equal visits once.
    """
    found: dict[str, list[list[Timing]]] = {}
    for adapter in dict.fromkeys(call.adapter for call in calls):
        own = [call for call in calls if call.adapter == adapter]
        distinct = list(dict.fromkeys(call.visits for call in own))
        together = _timings([replace(r, adapter=adapter) for r in replicas], sum(distinct, ()), sequences)
        ends = list(accumulate(map(len, distinct)))
        parts = dict(zip(distinct, pairwise([0, *ends]), strict=True))
        by_visits = {v: [[_part(t, *parts[v]) for t in row] for row in together] for v in distinct}
        found |= {call.node: by_visits[call.visits] for call in own}
    return found


def _part(timing: Timing, start: int, end: int) -> Timing:
    """Of some of the visits."""
    return Timing(timing.prefill[start:end], timing.step[start:end], timing.gap[start:end])


def _timings(
    replicas: Sequence[serving.Replica], visits: Sequence[Visit], sequences: Sequence[int]
) -> list[list[Timing]]:
    """Of each replica at each number of sequences of a group in a stage, all visits."""
    import numpy as np  # slow to import; plans of hosted APIs alone do without

    prompt, cached, output, context = (
        np.array([getattr(visit, name) for visit in visits]) for name in ("prompt", "cached", "output", "context")
    )
    each = np.array(sequences, float)[:, None]
    prefills = serving.prefills_s(replicas, prompt, cached)
    steps = serving.decode_steps_s(replicas, each, np.broadcast_to(context, (len(sequences), len(context))))
    found = []
    for replica, prefill, step in zip(replicas, prefills, steps, strict=True):
        batch = each * replica.parallel.dp * replica.parallel.pp
        gap = serving.tbt_s(replica, step, prefill, batch, prompt, output)
        first = tuple(prefill.tolist())
        found.append([Timing(first, tuple(s), tuple(g)) for s, g in zip(step.tolist(), gap.tolist(), strict=True)])
    return found


def _memory(replica: serving.Replica, calls: Sequence[Call], sequences: int) -> float:
    """Bytes on one device: weights once, and room for `sequences` longest contexts of one of the calls."""
    return weights(replica) + min(adapter_bytes(replica, call) + state(replica, call, sequences) for call in calls)


def adapter_bytes(replica: serving.Replica, call: Call) -> float:
    """Bytes on one device of the call's adapter; 0 without one."""
    return serving.adapter_bytes_per_device(replica.llm, call.adapter, replica.parallel) if call.adapter else 0.0


def weights(replica: serving.Replica) -> float:
    return serving.weight_bytes_per_device(replica.llm, replica.parallel, replica.precision)


def state(replica: serving.Replica, call: Call, sequences: int) -> float:
    """What `sequences` longest contexts take besides the weights."""
    return cache(replica, call, sequences) + activations(replica, call, sequences)


def cache(replica: serving.Replica, call: Call, sequences: int) -> float:
    """KV cache of `sequences` longest contexts."""
    llm, parallel = replica.llm, replica.parallel
    return float(serving.kv_bytes_per_device(llm, parallel, sequences, call.longest, replica.kv_precision))


def activations(replica: serving.Replica, call: Call, sequences: int) -> float:
    """Activations of a step with them."""
    return float(serving.activation_bytes_per_device(replica.llm, replica.parallel, sequences, call.longest))
