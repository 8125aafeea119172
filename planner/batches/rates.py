"""What calls take of a worker, by the cost model of serving: setups of one kind of worker.

Equations are numbered as in `docs/math/batches.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import log2

import numpy as np

from ...costmodel import serving
from ...costmodel.cold_start import ENGINE_START_S, LOADER_BYTES_PER_S, load_s
from ...costmodel.serving.memory import PREFILL_CHUNK_TOKENS
from .problem import Call, Rate, Setup

MOST_SEQUENCES = 256
"""sequences that an engine runs at once, as candidates of online plans have it at most"""
MOST_TOGETHER = 3
"""models that a worker holds at once"""


@dataclass(frozen=True)
class Engine:
    """A model on one worker, and the calls that it answers."""

    model: str
    replica: serving.Replica
    calls: tuple[Call, ...]

    @property
    def weight_bytes(self) -> float:
        """[bytes] on one device."""
        return serving.weight_bytes_per_device(self.replica.llm, self.replica.parallel, self.replica.precision)

    @property
    def fixed_bytes(self) -> float:
        """[bytes] on one device besides caches."""
        prompt = max(call.prompt.mean for call in self.calls)
        held = serving.activation_bytes_per_device(self.replica.llm, self.replica.parallel, 1.0, prompt)
        return self.weight_bytes + float(held)

    def cache_bytes(self, call: Call) -> float:
        """[bytes] on one device of the cache of a visit in the middle of its output."""
        tokens = call.prompt.mean + call.output.mean / 2
        kv = self.replica.kv_precision
        return float(serving.kv_bytes_per_device(self.replica.llm, self.replica.parallel, 1.0, tokens, kv))

    @property
    def need(self) -> float:
        """Bytes times tokens of all visits of an instance: what a share of the cache's room goes by."""
        return sum(call.visits * call.output.mean * self.cache_bytes(call) for call in self.calls)

    def batch(self, room_bytes: float, instances: int) -> int:
        """Sequences that run at once with so much room for caches; 0 where one does not fit. Equation (12)."""
        weights = [call.visits * call.output.mean for call in self.calls]
        each = self.need / sum(weights)
        most = min(MOST_SEQUENCES, instances * len(self.calls))
        largest = max(self.cache_bytes(call) for call in self.calls)
        return 0 if room_bytes < largest else max(1, min(most, int(room_bytes / each)))

    def steps(self) -> tuple[tuple[int, float], ...]:
        """(sequences, [s] between two tokens) at the mean context of its calls."""
        tokens = sum(call.visits * call.output.mean for call in self.calls)
        mean = sum(c.visits * c.output.mean * (c.prompt.mean + c.output.mean / 2) for c in self.calls) / tokens
        sizes = [2**power for power in range(int(log2(MOST_SEQUENCES)) + 1)]
        seconds = serving.decode_step_s(self.replica, np.array(sizes, float), np.full(len(sizes), mean))
        return tuple(zip(sizes, seconds.tolist(), strict=True))

    def prefixes_s(self) -> float:
        """[s] to read each shared prefix once."""
        lengths = sorted({call.prefix for call in self.calls if call.prefix})
        return sum(float(serving.prefill_s(self.replica, length)) for length in lengths)

    def start_s(self) -> float:
        """[s] from disk, with the start of the engine. Equation (14)."""
        weights = self.weight_bytes * self.replica.parallel.devices
        return load_s(weights) + ENGINE_START_S + self.prefixes_s()

    def load_s(self) -> float:
        """[s] to bring the weights back from the host's memory, or from disk where that link is not known. (14)."""
        bandwidth = self.replica.device.host_bandwidth_bytes_per_s or LOADER_BYTES_PER_S
        return self.weight_bytes / bandwidth + self.prefixes_s()


def setups(engines: Sequence[Engine], instances: int) -> tuple[Setup, ...]:
    """The idle setup, then every set of up to `MOST_TOGETHER` models that one worker holds with room for a cache."""
    found = [Setup(())]
    ordered = sorted(engines, key=lambda engine: engine.model)
    for together in range(1, MOST_TOGETHER + 1):
        for chosen in combinations(ordered, together):
            setup = _setup(chosen, instances)
            if setup is not None:
                found.append(setup)
    return tuple(found)


def _setup(engines: Sequence[Engine], instances: int) -> Setup | None:
    """Models side by side: what their weights leave of the memory is cut in proportion to their needs."""
    device, share = engines[0].replica.device, engines[0].replica.engine.memory_share
    room = share * device.memory_bytes - sum(engine.fixed_bytes for engine in engines)
    need = sum(engine.need for engine in engines)
    batches = {e.model: e.batch(room * e.need / need, instances) for e in engines}
    if room <= 0 or not all(batches.values()):
        return None
    rates: dict[str, Rate] = {}
    for engine in engines:
        rates |= call_rates(engine, batches[engine.model])
    return Setup(tuple(engine.model for engine in engines), rates, batches)


def call_rates(engine: Engine, batch: int) -> Mapping[str, Rate]:
    """What a visit of each call takes among a full batch. Equation (13)."""
    return {call.name: _rate(engine, call, batch) for call in engine.calls}


def _rate(engine: Engine, call: Call, batch: int) -> Rate:
    fresh = read_s(engine, call, call.prefix, batch)
    continued = 0.0
    if call.continues is not None:
        before = next((c for c in engine.calls if c.name == call.continues), None)
        continued = before.prompt.mean + before.output.mean if before else 0.0
    reused = read_s(engine, call, min(max(continued, call.prefix), call.prompt.mean - 1), batch) if continued else fresh
    step = step_s(engine, call, batch)
    tokens = max(0.0, call.output.mean - 1)
    each = tokens * step / batch
    return Rate(fresh + each, reused + each, fresh + tokens * step, (fresh, reused))


def read_s(engine: Engine, call: Call, cached: float, batch: int) -> float:
    """[s] of the worker to read one prompt, as many at once as a step takes."""
    new = max(1.0, call.prompt.mean - cached)
    several = max(1.0, min(float(batch), PREFILL_CHUNK_TOKENS // new))
    return float(serving.prefill_s(engine.replica, call.prompt.mean, cached, several)) / several


def step_s(engine: Engine, call: Call, batch: int) -> float:
    """[s] between two tokens of a visit, `batch` sequences running."""
    return float(serving.decode_step_s(engine.replica, float(batch), call.prompt.mean + call.output.mean / 2))


def alone_s(engine: Engine, call: Call) -> float:
    """[s] of one visit with the worker to itself, its prefix read before."""
    cached = call.prefix
    if call.continues is not None:
        before = next((c for c in engine.calls if c.name == call.continues), None)
        cached = max(cached, before.prompt.mean + before.output.mean) if before else cached
    read = read_s(engine, call, min(cached, call.prompt.mean - 1), 1)
    return read + max(0.0, call.output.mean - 1) * step_s(engine, call, 1)


def without_prefixes(calls: Sequence[Call]) -> Iterator[Call]:
    """The calls as they are where every prompt is read whole."""
    for call in calls:
        yield replace(call, prefix=0.0, continues=None)
