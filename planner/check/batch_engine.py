"""What a model takes of a worker by the plan's own batch: memory, starts and visits, derived for the validator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...costmodel import cold_start, serving
from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...ir.agent import LLMCallOp

CHUNK_TOKENS = 8192
"""tokens of prompts that a step takes, as engines are set"""


@dataclass(frozen=True)
class VisitOn:
    """[s] of one visit among a full batch."""

    worker_s: float
    """of the worker"""
    visit_s: float
    """from start to end"""


@dataclass(frozen=True)
class EngineOnPool:
    """One model on one worker with `batch` sequences at once."""

    calls: tuple[LLMCallOp, ...]
    """of that model, as far as they may run on the device"""
    llm: LLM
    device: Device
    tp: int
    batch: int
    visits: Mapping[str, float]
    """by node"""

    @cached_property
    def replica(self) -> serving.Replica:
        """As the calls ask for it."""
        op = self.calls[0]
        precision = op.precision.data if op.precision else self.llm.precision
        kv_precision = op.kv_precision.data if op.kv_precision else "bf16"
        return serving.Replica(self.llm, self.device, serving.Parallel(tp=self.tp), precision, kv_precision)

    @cached_property
    def weights(self) -> float:
        """[bytes] on one device."""
        return serving.weight_bytes_per_device(self.llm, self.replica.parallel, self.replica.precision)

    @property
    def held_bytes(self) -> float:
        """[bytes] on one device: weights, activations of one prompt, and a cache for each sequence.

        Sequences of the calls run in proportion to the tokens that they write.
        """
        longest = max(op.prompt_tokens.value.mean for op in self.calls)
        fixed = float(serving.activation_bytes_per_device(self.llm, self.replica.parallel, 1.0, longest))
        tokens = {op.sym_name.data: self.visits[op.sym_name.data] * op.output_tokens.value.mean for op in self.calls}
        caches = sum(tokens[op.sym_name.data] * self._cache(op) for op in self.calls) / sum(tokens.values())
        return self.weights + fixed + self.batch * caches

    def _cache(self, op: LLMCallOp) -> float:
        tokens = op.prompt_tokens.value.mean + op.output_tokens.value.mean / 2
        replica = self.replica
        return float(serving.kv_bytes_per_device(self.llm, replica.parallel, 1.0, tokens, replica.kv_precision))

    @property
    def prefixes_s(self) -> float:
        """[s] to read each shared prefix once."""
        lengths = {op.cached_prefix_tokens.value.data for op in self.calls} - {0.0}
        return sum(float(serving.prefill_s(self.replica, length)) for length in lengths)

    @property
    def start_s(self) -> float:
        """[s] from disk: weights, engine, prefixes."""
        return cold_start.cold_start_s(self.weights * self.tp) + self.prefixes_s

    @property
    def load_s(self) -> float:
        """[s] from the host's memory."""
        link = self.device.host_bandwidth_bytes_per_s or cold_start.LOADER_BYTES_PER_S
        return self.weights / link + self.prefixes_s

    def visit(self, call: str, continued: bool) -> VisitOn:
        """What one visit of `call` takes, read anew or continued."""
        op = next(op for op in self.calls if op.sym_name.data == call)
        prompt, output = op.prompt_tokens.value.mean, op.output_tokens.value.mean
        cached = op.cached_prefix_tokens.value.data
        if continued and op.continues is not None:
            source = next((each for each in self.calls if each.sym_name.data == op.continues.data), None)
            before = source.prompt_tokens.value.mean + source.output_tokens.value.mean if source else 0.0
            cached = max(cached, before)
            cached = min(cached, prompt - 1)
        new = max(1.0, prompt - cached)
        together = max(1.0, min(float(self.batch), CHUNK_TOKENS // new))
        read = float(serving.prefill_s(self.replica, prompt, cached, together)) / together
        step = float(serving.decode_step_s(self.replica, float(self.batch), prompt + output / 2))
        tokens = max(0.0, output - 1)
        return VisitOn(read + tokens * step / self.batch, read + tokens * step)
