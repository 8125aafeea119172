"""Nodes that call a language model, and the token counts and times of their visits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ....costmodel.serving import Adapter
from ....ir.alternatives import quality_of
from ....ir.distribution import Distribution
from ....ir.llm import DecodeOp, PrefillOp, weights_name

TOKEN_QUANTILE = 0.999
"""Memory is sized for contexts up to this quantile of the token counts."""


@dataclass(frozen=True)
class Visit:
    """Token counts of one visit."""

    prompt: float
    cached: float
    output: float

    @property
    def context(self) -> float:
        """Mean context while decoding [tokens]."""
        return self.prompt + self.output / 2


def visits_of(prefill: PrefillOp, decode: DecodeOp, count: int) -> tuple[Visit, ...]:
    """Mean token counts of visits 1 to `count`: the prompt grows, and what was read before is cached."""
    first, growth = prefill.prompt_tokens.value.mean, prefill.prompt_growth.value.data
    output = decode.output_tokens.value.mean
    cached = (prefill.cached_prefix_tokens.value.data, *(first + growth * k for k in range(count - 1)))
    return tuple(Visit(first + growth * k, cached[k], output) for k in range(count))


def decode_time(output: Distribution, gap_s: float) -> Distribution:
    """All tokens after the first, `gap_s` apart [s]."""
    if output.kind == "point":
        return Distribution.point(max(0.0, output.mean - 1) * gap_s)
    # One gap too many for a random length, so that no time is ever negative: below 1 % from 100 tokens on.
    return output.scaled(gap_s)


def first_of(total: Distribution, gap_s: float) -> Distribution:
    """The first token of decode comes one gap in, and not after the last."""
    return Distribution.point(gap_s) if total.minimum >= gap_s else total


@dataclass(frozen=True)
class Call:
    """A node of the graph that calls a language model, with its mean visits."""

    node: str
    prefill: PrefillOp
    decode: DecodeOp
    visits: tuple[Visit, ...]
    mass: tuple[float, ...]
    """Share of requests that make each visit."""
    model: str
    """The model that answers, where there are several one of them."""
    adapter: Adapter | None = None
    """On the model's weights."""

    @property
    def weights_key(self) -> str:
        """Calls of one key share weights in a pool, as `to_problem.memory_key` has it."""
        return weights_name(self.model, self.prefill.precision)

    @property
    def adapter_key(self) -> str:
        """Calls of one key share the adapter in a pool; empty without one."""
        a = self.adapter
        return "" if a is None else f"{self.weights_key}+{a.name}.{a.rank}.{'.'.join(a.targets)}"

    @property
    def score(self) -> float | None:
        """Quality that the user states of the model; None where none is stated."""
        return quality_of(self.prefill, self.model)

    @cached_property
    def prompt(self) -> Distribution:
        """Tokens of the first visit's prompt."""
        return self.prefill.prompt_tokens.value

    @cached_property
    def output(self) -> Distribution:
        """Tokens that a visit writes."""
        return self.decode.output_tokens.value

    def spread(self, seconds: float) -> Distribution:
        """Prefill times that go with the prompt's length about their mean `seconds`."""
        return self.prompt.scaled(seconds / self.prompt.mean)

    @cached_property
    def longest(self) -> float:
        """Tokens in the KV cache of the longest visit, at TOKEN_QUANTILE of random counts."""
        grown = self.visits[-1].prompt - self.visits[0].prompt
        return self.prompt.quantile(TOKEN_QUANTILE) + grown + self.output.quantile(TOKEN_QUANTILE)


def per_request(call: Call, seconds: tuple[float, ...] | list[float]) -> float:
    """Seconds of all visits of one request on average."""
    return sum(share * s for share, s in zip(call.mass, seconds, strict=True))


def node_of(call: Call) -> str:
    """The node that makes the call, or the class of its visits."""
    return call.node
