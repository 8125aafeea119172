"""Times and prices of visits where the plan puts them: from the cost model, a profile or an API's figures.

One visit with prompt p, of which c tokens are cached, and o output tokens (the first of them from prefill):

    prefill  T(p, c)      decode  (o - 1) g      TBT  g + transfer / (o - 1)
    g = s(batch, p + o/2), and in one server with prefill g = s + (batch / dp - 1) (T - e) / o: each of the others in
    the batch of its attention group prefills once meanwhile, e being what the engine adds to any step; where the
    phases have parts of the device T and g = s are those of `docs/math/split.md`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ...costmodel import serving
from ...costmodel.cpu import NodeWork, node_work
from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...ir.distribution import Distribution
from .interruptions import Outage, outage_of
from .subject import Node, Pool, Subject
from .transfer import kv_precision_of, kv_transfer, prompt_tokens


class NotDerivable(ValueError):
    """The validator has no rule or no figures for this; the message says what."""


NOTHING = Distribution.point(0.0)
ALWAYS_UP = Outage()


@dataclass(frozen=True)
class Served:
    """One visit of one piece: its time without waiting, how long it holds a slot, and its price."""

    time: Distribution
    """[s]"""
    slot_s: float
    """mean time in one slot of the pool: of a batch, or of a core; repeats count where devices are taken back"""
    usd: float
    gap_s: float = 0.0
    """decode: between tokens, the KV transfer not counted"""
    lost: Distribution = NOTHING
    """[s] of tries that an interruption ended"""
    outage: Outage = ALWAYS_UP
    stages: int = 1
    """that it passes one after the other, holding a slot of one of them"""

    @property
    def up_share(self) -> float:
        """Of the time, that the replicas which serve it are up."""
        return self.outage.up_share

    @property
    def kept_s(self) -> float:
        """Mean time of a slot that a visit takes, the time that the replica is down among it."""
        return self.slot_s / self.up_share


@dataclass(frozen=True)
class Services:
    """Every time and price of a visit that the plan's placements imply."""

    subject: Subject

    @cached_property
    def visits(self) -> dict[str, tuple[Served, ...]]:
        """Piece -> its visits, the first, second, ...; raises NotDerivable."""
        visits = {}
        for node in self.subject.nodes.values():
            count = len(self.subject.reached[node.name])
            for piece in node.pieces:
                visits[piece] = tuple(self._serve_again(node, piece, nth) for nth in range(1, count + 1))
        return visits

    def tbt_s(self, node: Node) -> float:
        """Mean gap between tokens of the worst visit, the KV transfer spread over the gaps [s]."""
        gaps = max(1.0, node.asks["output_tokens"].mean - 1)
        return max(v.gap_s for v in self.visits[node.pieces[1]]) + kv_transfer(self.subject, node).latency_s / gaps

    def usd_per_request(self, graph: str = "") -> dict[str, float]:
        """`calls` (tokens, calls and profile prices) and `transfer` of one request on average [USD].

        Of the nodes of one graph, or of all.
        """
        calls = moves = 0.0
        for node in self.subject.nodes.values():
            if not self.subject.is_of(node.name, graph):
                continue
            reached = self.subject.reached[node.name]
            for piece in node.pieces:
                calls += sum(p * served.usd for p, served in zip(reached, self.visits[piece], strict=True))
            if node.is_llm:
                moves += kv_transfer(self.subject, node).usd
        return {"calls": calls, "transfer": moves}

    def output_tokens_per_request(self) -> float:
        """Tokens that all llm nodes write in one request."""
        llms = (node for node in self.subject.nodes.values() if node.is_llm)
        return sum(self.subject.visits[node.name] * node.asks["output_tokens"].mean for node in llms)

    def host_work(self, node: Node) -> NodeWork:
        """What one visit of a node that is neither a language model nor a network takes of its host."""
        visits_per_s = (self.subject.rate or 0.0) * self.subject.visits[node.name]
        return node_work(node.op, self.device(self.subject.pool_of[node.pieces[0]]), visits_per_s)

    def device(self, pool: Pool) -> Device:
        """The figures of the pool's device."""
        if pool.device not in self.subject.devices:
            raise NotDerivable(f"there are no figures for the device `{pool.device}`")
        return self.subject.devices[pool.device]

    def llm(self, node: Node) -> LLM:
        """The figures of the node's model."""
        if node.asks["model"] not in self.subject.llms:
            raise NotDerivable(f"there are no figures for the model `{node.asks['model']}` of `{node.name}`")
        return self.subject.llms[node.asks["model"]]

    def adapter(self, node: Node) -> serving.Adapter | None:
        """The node's adapter, beside those that other nodes have on its model."""
        asked = node.adapter
        if asked is None:
            return None
        mixed = self.subject.adapters_of(node.asks["model"])
        return serving.Adapter(asked["name"], asked["rank"], tuple(asked.get("targets", ())), mixed)

    def _serve_again(self, node: Node, piece: str, nth: int) -> Served:
        """A visit with the tries that interruptions end: the whole of each, and a decode's prefill beside it."""
        pool, once = self.subject.pool_of[piece], self._serve(node, piece, nth)
        outage = self._outage(node, pool)
        if outage == ALWAYS_UP:
            return once
        # What a failed try takes of a slot: a model keeps one all the time, other work its share of the cores.
        try_s = again_s = once.time.mean
        if node.is_llm and self.subject.row(piece) is None:
            try_s = again_s = once.slot_s * once.stages
            if piece == node.pieces[1] and self.subject.together(node):
                again_s += self._prefill_s(node, pool, nth)
        of_slot = once.slot_s / try_s if try_s else 0.0
        return replace(
            once,
            slot_s=once.slot_s + outage.failures(try_s) * again_s * of_slot,
            lost=outage.lost(try_s, again_s),
            outage=outage,
        )

    def _outage(self, node: Node, pool: Pool) -> Outage:
        if self.subject.is_api(pool):
            return ALWAYS_UP
        return outage_of(self.subject, pool, self.weight_bytes(node, pool))

    def weight_bytes(self, node: Node, pool: Pool) -> float:
        """Weights of the node's model on one device of a replica; 0 where it is measured or has none."""
        if self.subject.row(node.pieces[0]) is not None:
            return 0.0
        if node.is_llm:
            return serving.weight_bytes_per_device(self.llm(node), pool.cut, node.asks.get("precision"))
        return self.subject.works[node.name].weight_bytes if node.name in self.subject.works else 0.0

    def _serve(self, node: Node, piece: str, nth: int) -> Served:
        pool, row = self.subject.pool_of[piece], self.subject.row(piece)
        if row is not None:
            return self._measured(node, piece, nth)
        if node.is_llm:
            prefill_s = self._prefill_s(node, self.subject.pool_of[node.pieces[0]], nth)
            return (
                self._prefill(node, nth, prefill_s) if piece == node.pieces[0] else self._decode(node, nth, prefill_s)
            )
        if node.kind == "model_call":
            if node.name not in self.subject.works:
                raise NotDerivable(f"there are no figures for the network of `{node.name}`")
            seconds = self.subject.works[node.name].seconds(self.device(pool))
            return Served(Distribution.point(seconds), seconds, 0.0)
        work = self.host_work(node)
        # Core-seconds, where visits share the host by cores; seconds of all of it in one line, as beside a network.
        cores = self.device(pool).cores or 1
        return Served(work.latency, work.cpus * work.busy_s / (cores if pool.max_batch == 1 else 1), work.usd_per_call)

    def _measured(self, node: Node, piece: str, nth: int) -> Served:
        row = self.subject.row(piece)
        if not row:
            raise NotDerivable(f"the profile has no figures of `{piece}` on `{self.subject.pool_of[piece].device}`")
        seconds, tokens, gap = row.get("latency_s", 0.0), 0.0, 0.0
        if piece == f"{node.name}.prefill":
            tokens = prompt_tokens(node, nth)
        elif piece == f"{node.name}.decode":
            tokens = node.asks["output_tokens"].mean
            gap = row.get("tbt_s") or seconds / max(1.0, tokens - 1)
        usd = row.get("usd_per_call", 0.0) + row.get("usd_per_token", 0.0) * tokens
        return Served(Distribution.point(seconds), seconds, usd, gap)

    def replica(self, node: Node, pool: Pool) -> serving.Replica:
        """A replica of the pool, of the node's model."""
        precision = node.asks.get("precision")
        replica = serving.Replica(self.llm(node), self.device(pool), pool.cut, precision, kv_precision_of(node))
        return replace(replica, adapter=self.adapter(node))

    def _prefill_s(self, node: Node, pool: Pool, nth: int) -> float:
        if self.subject.is_api(pool):
            return self.subject.specs[pool.device].ttft_s or 0.0
        if pool.split is not None:
            return self._split(node, pool, nth).prefill
        prompt, cached = prompt_tokens(node, nth), self._cached_tokens(node, nth)
        replica, spill = self.replica(node, pool), self.spill(pool)
        seconds = serving.prefill_s(replica, prompt, cached)
        return float(seconds if spill is None else spill.prefill_s(replica, seconds, prompt))

    def spill(self, pool: Pool) -> serving.Spill | None:
        """What of a pool lies beyond its devices' own memory; NotDerivable for a tier that the fleet does not have."""
        if pool.tier is None:
            return None
        name, weights, cache = pool.tier
        tiers = serving.tiers_of(self.subject.specs[pool.device], self.device(pool))
        tier = next((tier for tier in tiers if tier.name == name), None)
        if tier is None or pool.pp > 1 or pool.split is not None:
            raise NotDerivable(f"`{pool.device}` has no tier `{name}` for pool `{pool.id}`, or is cut into stages")
        return serving.Spill(tier, weights, cache)

    def _cached_tokens(self, node: Node, nth: int) -> float:
        return node.asks["cached_prefix_tokens"] if nth == 1 else prompt_tokens(node, nth - 1)

    def _split(self, node: Node, pool: Pool, nth: int) -> serving.SplitTimes:
        """Both phases of a visit where each has its part of the device."""
        assert pool.split is not None
        prompt, cached = prompt_tokens(node, nth), self._cached_tokens(node, nth)
        context = prompt + node.asks["output_tokens"].mean / 2
        replica, batch = self.replica(node, pool), float(pool.max_batch)
        found = serving.split_times(replica, pool.split, prompt, cached, batch, context)
        return serving.SplitTimes(float(found.prefill), float(found.step))

    def _prefill(self, node: Node, nth: int, seconds: float) -> Served:
        pool, law = self.subject.pool_of[node.pieces[0]], node.asks["prompt_tokens"]
        if self.subject.is_api(pool):
            price = self.subject.specs[pool.device].price.input_usd_per_token or 0.0
            return Served(Distribution.point(seconds), 0.0, price * prompt_tokens(node, nth))
        # A longer prompt takes longer in proportion. Where nothing decodes each stage is free for the next prompt
        # when this one has left it.
        stages = 1 if self.subject.together(node) else pool.pp
        return Served(law.scaled(seconds / law.mean), seconds / stages, 0.0, stages=stages)

    def _decode(self, node: Node, nth: int, prefill_s: float) -> Served:
        pool, output = self.subject.pool_of[node.pieces[1]], node.asks["output_tokens"]
        usd, spec = 0.0, self.subject.specs[pool.device]
        if self.subject.is_api(pool):
            gap = spec.tbt_s or 0.0
            usd = (spec.price.output_usd_per_token or 0.0) * output.mean
        else:
            context = prompt_tokens(node, nth) + output.mean / 2
            batch, replica = pool.max_batch, self.replica(node, pool)
            gap = float(serving.decode_step_s(replica, batch, context))
            spill = self.spill(pool)
            gap = gap if spill is None else float(spill.step_s(replica, gap, float(batch), context))
            if pool.split is not None:
                gap = self._split(node, pool, nth).step
            elif self.subject.together(node):
                gap += max(0.0, batch / pool.dp - 1) * (prefill_s - replica.engine.step_s) / output.mean
        time = Distribution.point(max(0.0, output.mean - 1) * gap) if output.kind == "point" else output.scaled(gap)
        return Served(time, 0.0 if self.subject.is_api(pool) else (output.mean - 1) * gap, usd, gap)
