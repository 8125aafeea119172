"""Times of one visit of one piece where the plan puts it, from the cost model, a profile or an API's figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...costmodel import serving
from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...costmodel.networks import Network
from ...ir.distribution import Distribution
from .host import host_time
from .sampling import Array, draw_from
from .subject import Node, Pool, Subject
from .transfer import kv_transfer

GRID = np.array([0.0005, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995, 0.9995])
"""Quantiles of the prompt length at which prefill is costed; between them it is interpolated."""


class NotDerivable(ValueError):
    """The validator has no rule for this; the message says what."""


@dataclass(frozen=True)
class PieceTime:
    """One visit of a piece, without waiting [s]: its mean, and its quantile function on uniform numbers."""

    mean_s: float
    at: Callable[[Array], Array]


@dataclass(frozen=True)
class LLMVisit:
    """One visit of a language model: its pieces' times, and the mean gap between tokens of the stream [s]."""

    prefill: PieceTime
    decode: PieceTime
    gap_s: float


@dataclass(frozen=True)
class Services:
    """Every time and price of a visit that the plan's placements imply."""

    subject: Subject
    models: dict[str, LLM | Network]
    _visits: dict[tuple[str, int], Any] = field(default_factory=dict, compare=False)

    def llm(self, node: Node, nth: int) -> LLMVisit:
        """Times of the `nth` visit of an llm node."""
        if (node.name, nth) not in self._visits:
            self._visits[node.name, nth] = self._llm(node, nth)
        return self._visits[node.name, nth]

    def run(self, node: Node) -> PieceTime:
        """Time of one visit of a node that is no llm."""
        pool = self.subject.pool_of[node.pieces[0]]
        row = self._profile_row(node, pool, "run")
        if row is not None:
            return _fixed(row["latency_s"])
        if node.kind == "model_call":
            network = self.models.get(node.asks.get("model", ""))
            if not isinstance(network, Network):
                raise NotDerivable(f"the validator knows no rule for the model of `{node.name}`")
            inputs, precision = dict(node.asks["inputs"]), node.asks.get("precision")
            return _fixed(serving.network_s(network, self._device(pool), precision, inputs))
        return _drawn(host_time(node, self._device(pool)))

    def piece(self, node: Node, piece: str, nth: int) -> PieceTime:
        """Time of the `nth` visit of `piece`."""
        if node.kind != "llm_call":
            return self.run(node)
        visit = self.llm(node, nth)
        return visit.prefill if piece == node.pieces[0] else visit.decode

    def together(self, node: Node) -> bool:
        """Whether prefill and decode run in one server."""
        return len({self.subject.pool_of[piece].id for piece in node.pieces}) == 1

    def _llm(self, node: Node, nth: int) -> LLMVisit:
        before, after = (self.subject.pool_of[piece] for piece in node.pieces)
        output: Distribution = node.asks["output_tokens"]
        prefill = self._prefill(node, before, nth)
        moved_s = 0.0 if self.together(node) else kv_transfer(self.subject, self.models, node, nth).latency_s
        row = self._profile_row(node, after, "decode")
        steps = max(output.mean - 1, 0.0)
        if row is not None:
            gap = row.get("tbt_s") or (row["latency_s"] / steps if steps else 0.0)
            return LLMVisit(prefill, _fixed(row["latency_s"]), gap + (moved_s / steps if steps else 0.0))
        step = self._decode_gap(node, after, nth, prefill.mean_s)
        tokens = _drawn(output)
        decode = PieceTime(step * steps, lambda u: step * np.maximum(tokens.at(u) - 1, 0.0))
        return LLMVisit(prefill, decode, step + (moved_s / steps if steps else 0.0))

    def _prefill(self, node: Node, pool: Pool, nth: int) -> PieceTime:
        row, spec = self._profile_row(node, pool, "prefill"), self.subject.specs[pool.device]
        if row is not None:
            return _fixed(row["latency_s"])
        if spec.kind == "api":
            return _fixed(spec.ttft_s or 0.0)
        llm, device, cut = self.llm_of(node), self._device(pool), serving.Parallel(pool.tp, pool.pp)
        growth, precision = node.asks["prompt_growth"], node.asks.get("precision")
        added = (nth - 1) * growth

        def seconds(first_prompt: float) -> float:
            cached = node.asks["cached_prefix_tokens"] if nth == 1 else first_prompt + added - growth
            return serving.prefill_s(llm, device, cut, precision, first_prompt + added, cached)

        prompt: Distribution = node.asks["prompt_tokens"]
        if prompt.kind == "point":
            return _fixed(seconds(prompt.mean))
        curve = np.array([seconds(float(tokens)) for tokens in draw_from(prompt, GRID)])
        return PieceTime(seconds(prompt.mean), lambda u: np.interp(u, GRID, curve))

    def _decode_gap(self, node: Node, pool: Pool, nth: int, prefill_s: float) -> float:
        spec = self.subject.specs[pool.device]
        if spec.kind == "api":
            return spec.tbt_s or 0.0
        output = node.asks["output_tokens"].mean
        context = mean_prompt_tokens(node, nth) + output / 2
        step = serving.decode_step_s(
            self.llm_of(node),
            self._device(pool),
            serving.Parallel(pool.tp, pool.pp),
            node.asks.get("precision"),
            kv_precision_of(node),
            pool.max_batch,
            context,
        )
        # The others in the batch each prefill once while one request writes its output.
        stalls = (pool.max_batch - 1) * prefill_s / output if self.together(node) else 0.0
        return step + stalls

    def llm_of(self, node: Node) -> LLM:
        """The language model of `node`; raises NotDerivable where it is not known."""
        model = self.models.get(node.asks["model"])
        if not isinstance(model, LLM):
            raise NotDerivable(f"the validator does not know the model of `{node.name}`")
        return model

    def usd_per_request(self) -> dict[str, float]:
        """Prices that scale with requests: `calls` and `transfer`, over all visits [USD]."""
        subject, calls, moves = self.subject, 0.0, 0.0
        for node in subject.nodes.values():
            for nth, probability in enumerate(subject.reached[node.name], 1):
                calls += probability * self._usd_of_visit(node, nth)
                if node.kind == "llm_call" and not self.together(node):
                    moves += probability * kv_transfer(subject, self.models, node, nth).usd
        return {"calls": calls, "transfer": moves}

    def _usd_of_visit(self, node: Node, nth: int) -> float:
        usd = node.asks.get("usd_per_call", 0.0)
        for piece in node.pieces:
            pool = self.subject.pool_of[piece]
            tokens, part = 0.0, piece.rpartition(".")[2]
            price = self.subject.specs[pool.device].price
            per_token = {"prefill": price.input_usd_per_token, "decode": price.output_usd_per_token}.get(part)
            if part == "prefill":
                tokens = mean_prompt_tokens(node, nth)
            elif part == "decode":
                tokens = node.asks["output_tokens"].mean
            row = self._profile_row(node, pool, part)
            if row is not None:
                usd += row.get("usd_per_call", 0.0) + row.get("usd_per_token", 0.0) * tokens
            elif per_token is not None:
                usd += per_token * tokens
        return usd

    @staticmethod
    def output_tokens_per_request(subject: Subject) -> float:
        """Tokens that all llm nodes write in one request."""
        llms = [node for node in subject.nodes.values() if node.kind == "llm_call"]
        return sum(subject.visits[node.name] * node.asks["output_tokens"].mean for node in llms)

    def _profile_row(self, node: Node, pool: Pool, part: str) -> dict[str, float] | None:
        rows = self.subject.profile(node.name, pool.device)
        return None if rows is None else rows.get(part)

    def _device(self, pool: Pool) -> Device:
        if pool.device not in self.subject.devices:
            raise NotDerivable(f"the validator has no figures for the device `{pool.device}`")
        return self.subject.devices[pool.device]

    @cached_property
    def llms(self) -> list[Node]:
        return [node for node in self.subject.nodes.values() if node.kind == "llm_call"]


def mean_prompt_tokens(node: Node, nth: int) -> float:
    """Mean prompt of the `nth` visit [tokens]."""
    return node.asks["prompt_tokens"].mean + (nth - 1) * node.asks["prompt_growth"]


def kv_precision_of(node: Node) -> str:
    """16 bit unless said (the contract)."""
    return node.asks.get("kv_precision") or "bf16"


def _fixed(seconds: float) -> PieceTime:
    return PieceTime(seconds, lambda u: np.full(len(u), seconds))


def _drawn(law: Distribution) -> PieceTime:
    return PieceTime(law.mean, lambda u: draw_from(law, u))
