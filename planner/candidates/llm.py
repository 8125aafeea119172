"""Language models on one's own devices: prefill and decode in one server, or each in its own pool.

Times of one visit with prompt p, of which c tokens are cached, and o output tokens (the first from prefill):

    apart     prefill  T_p(p - c | c)             decode  (o - 1) s(B, p + o/2)        TBT = s + KV transfer / (o - 1)
    together  the same, but each of the other B - 1 requests of the batch is prefilled once while this one decodes:
                                                  decode  (o - 1) (s + (B - 1) (T_p - e) / o)

e being what the engine adds to any step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ...costmodel import serving
from ...costmodel.energy import energy_above_idle_j
from ...costmodel.hardware import Device
from ...costmodel.interruptions import NEVER, Interruptions
from ...costmodel.models import LLM
from ...costmodel.quality import quality_of
from ...costmodel.roofline import can_compute
from ...ir.distribution import Distribution
from ...ir.llm import DecodeOp, PrefillOp
from ..placement.problem import NO_WAIT, Option, Pool, VisitTime
from .profiles import profile_of
from .setting import Setting, excluded_by
from .sizing import Sizing, sizings, tenant_sets

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DEGREES = (1, 2, 4, 8)
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
class Timing:
    """Seconds of the visits of one call on one replica."""

    prefill: tuple[float, ...]
    step: tuple[float, ...]
    """decode alone"""
    gap: tuple[float, ...]
    """between tokens, where prefills of others ride along"""


@dataclass(frozen=True)
class Server:
    """One way to run a language model: devices, and the batch."""

    replica: serving.Replica
    batch: int
    timings: Mapping[str, Timing]
    """by node"""

    @property
    def llm(self) -> LLM:
        return self.replica.llm

    @property
    def device(self) -> Device:
        return self.replica.device

    @property
    def parallel(self) -> serving.Parallel:
        return self.replica.parallel


@dataclass(frozen=True)
class Call:
    """A node of the graph that calls a language model, with its mean visits."""

    node: str
    prefill: PrefillOp
    decode: DecodeOp
    visits: tuple[Visit, ...]
    mass: tuple[float, ...]
    """Share of requests that make each visit."""

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


def llm_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Every pool for every model that nodes of the graph call, with the nodes' pieces in it."""
    groups: dict[tuple[str, str, str, int | None, int], list[Call]] = {}
    for node, prefill, decode, _ in setting.llm_nodes:
        if profile_of(setting, prefill) is not None or prefill.model.data not in setting.llms:
            continue
        llm = setting.llms[prefill.model.data]
        precision = prefill.precision.data if prefill.precision else llm.precision
        kv_precision = prefill.kv_precision.data if prefill.kv_precision else "bf16"
        mass = setting.visits[node]
        call = Call(node, prefill, decode, visits_of(prefill, decode, len(mass)), mass)
        tp = prefill.tp.value.data if prefill.tp is not None else None
        pp = prefill.pp.value.data if prefill.pp is not None else 1
        groups.setdefault((prefill.model.data, precision, kv_precision, tp, pp), []).append(call)
    for (model, precision, kv_precision, tp, pp), calls in groups.items():
        for name, device in setting.devices.items():
            if device.kind != "cpu" and can_compute(device, precision) and can_compute(device, "bf16"):
                degrees = [serving.Parallel(tp=each, pp=pp) for each in ([tp] if tp else DEGREES)]
                llm = setting.llms[model]
                replicas = [serving.Replica(llm, device, each, precision, kv_precision) for each in degrees]
                for server in _servers(replicas, calls):
                    yield from _pools(setting, name, server, calls)


def _servers(replicas: Iterable[serving.Replica], calls: list[Call]) -> Iterator[Server]:
    """Batches of each replica whose weights and caches fit the device."""
    for replica in replicas:
        if replica.parallel.tp > replica.device.chassis or not serving.fits_shape(replica.llm, replica.parallel):
            continue
        batches = [b for b in BATCHES if _memory(replica, calls, b) <= replica.device.memory_bytes]
        if not batches:
            continue
        timed = {call.node: _timings(replica, call, batches) for call in calls}
        for place, batch in enumerate(batches):
            yield Server(replica, batch, {node: timings[place] for node, timings in timed.items()})


def _timings(replica: serving.Replica, call: Call, batches: Sequence[int]) -> list[Timing]:
    """Of each batch, all priced at once."""
    import numpy as np  # slow to import; plans of hosted APIs alone do without

    prompt, cached, output, context = (
        np.array([getattr(visit, name) for visit in call.visits]) for name in ("prompt", "cached", "output", "context")
    )
    prefill = serving.prefill_s(replica, prompt, cached)
    batch = np.array(batches, float)[:, None]
    step = serving.decode_step_s(replica, batch, np.broadcast_to(context, (len(batches), len(context))))
    gap = serving.tbt_s(replica, step, prefill, batch, prompt, output)
    first = tuple(prefill.tolist())
    return [Timing(first, tuple(s), tuple(g)) for s, g in zip(step.tolist(), gap.tolist(), strict=True)]


def _memory(replica: serving.Replica, calls: list[Call], sequences: int) -> float:
    """Bytes on one device: weights once, and room for `sequences` longest contexts of one of the calls."""
    return _weights(replica) + min(_state(replica, call, sequences) for call in calls)


def _weights(replica: serving.Replica) -> float:
    return serving.weight_bytes_per_device(replica.llm, replica.parallel, replica.precision)


def _state(replica: serving.Replica, call: Call, sequences: int) -> float:
    """What `sequences` longest contexts take besides the weights."""
    llm, parallel = replica.llm, replica.parallel
    cache = serving.kv_bytes_per_device(llm, parallel, sequences, call.longest, replica.kv_precision)
    return float(cache + serving.activation_bytes_per_device(llm, parallel, sequences, call.longest))


def _pools(setting: Setting, name: str, server: Server, calls: list[Call]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The three roles of a server: both phases in it, prefill alone (no batch needed), decode alone."""
    if setting.most_replicas(name, server.parallel.devices) == 0:
        return
    roles = ("both", "decode", "prefill") if server.batch == 1 else ("both", "decode")
    for role in roles:
        timed = [(call, _times(setting, name, server, call, role)) for call in calls]
        for tenants in tenant_sets(timed):
            yield from _sized(setting, name, server, role, tenants)


@dataclass(frozen=True)
class _Times:
    """Seconds of the visits of one call in one role."""

    prefill: tuple[float, ...]
    gap: tuple[float, ...]
    """Between tokens."""
    decode: tuple[float, ...]
    """All tokens after the first, but for repeats."""
    again: tuple[float, ...]
    """What a decode that is interrupted does again: its prefill too where its server has both."""
    interruptions: Interruptions = NEVER

    def worked_s(self, part: str) -> tuple[float, ...]:
        """How long the `prefill` or `decode` of each visit takes of a slot of the batch, repeats among it."""
        whole, again = (self.prefill, self.prefill) if part == "prefill" else (self.decode, self.again)
        return tuple(self.interruptions.repeated_s(s, w) for s, w in zip(whole, again, strict=True))

    def lost(self, part: str) -> Iterator[Distribution]:
        """What each visit loses to interruptions of its `prefill` or `decode`."""
        whole, again = (self.prefill, self.prefill) if part == "prefill" else (self.decode, self.again)
        return (self.interruptions.lost(s, w) for s, w in zip(whole, again, strict=True))

    def slot_s(self, role: str) -> tuple[float, ...]:
        """How long each visit keeps a slot of the batch, down time among it."""
        parts = ("prefill", "decode") if role == "both" else (role,)
        visits = zip(*(self.worked_s(part) for part in parts), strict=True)
        return tuple(self.interruptions.capacity_s(sum(visit)) for visit in visits)


def _times(setting: Setting, name: str, server: Server, call: Call, role: str) -> _Times:
    timing = server.timings[call.node]
    gap = timing.gap if role == "both" else timing.step
    decode = tuple((v.output - 1) * g for v, g in zip(call.visits, gap, strict=True))
    again = tuple(p + d for p, d in zip(timing.prefill, decode, strict=True)) if role == "both" else decode
    taken_back = setting.interruptions(name, _weights(server.replica), server.parallel.devices)
    return _Times(timing.prefill, gap, decode, again, taken_back)


def _sized(
    setting: Setting, name: str, server: Server, role: str, tenants: Sequence[tuple[Call, _Times]]
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one server in one role for these tenants, by their sizes."""
    slots = 1 if role == "prefill" else server.batch
    degree = server.parallel.devices
    held = {call.node: times.slot_s(role) for call, times in tenants}
    welcome = [call for call, _ in tenants if not excluded_by(call.prefill, name)] or [call for call, _ in tenants]
    loads = [_per_request(call, held[call.node]) / slots for call in welcome]
    longest = max(max(held[call.node]) for call in welcome)
    bare = Pool(
        id=f"{name}/{server.llm.id}.{server.replica.precision}/{role}/tp{server.parallel.tp}.pp{server.parallel.pp}/b{slots}",
        device=name,
        location=name if role == "both" else f"{name}/{role}",
        devices_per_replica=degree,
        tp=server.parallel.tp,
        pp=server.parallel.pp,
        max_batch=slots,
        memory_bytes=server.device.memory_bytes,
        whole_nodes=role == "both",
        availability=tenants[0][1].interruptions.availability,
        down_s=tenants[0][1].interruptions.down_s,
    )
    quality = quality_of(server.device, setting.spec(name).price)
    taken_back = tenants[0][1].interruptions
    most = setting.most_replicas(name, degree)
    for sizing in sizings(setting.rate_per_s, slots, loads, longest, most, taken_back):
        id = f"{bare.id}/{'+'.join(call.node for call, _ in tenants)}/{sizing.label}"
        pool = replace(bare, id=id, capacity=sizing.capacity)
        options = [
            replace(option, quality=quality, excluded_by=excluded_by(call.prefill, name))
            for call, times in tenants
            for option in _options(server, role, pool, slots, call, times, sizing)
        ]
        yield pool, tuple(options)


def _options(
    server: Server, role: str, pool: Pool, slots: int, call: Call, times: _Times, sizing: Sizing
) -> Iterator[Option]:
    """The pieces of one call in `pool`; in one server the wait for a slot comes before prefill."""
    if role != "decode":
        totals = [call.spread(seconds) for seconds in times.prefill]
        worked = _per_request(call, times.worked_s("prefill")) / slots
        yield Option(
            f"{call.node}.prefill",
            pool.id,
            tuple(
                VisitTime(t, t, sizing.law, sizing.lost(own))
                for t, own in zip(totals, times.lost("prefill"), strict=True)
            ),
            times.interruptions.capacity_s(worked),
            _weights(server.replica),
            _state(server.replica, call, slots) if role == "prefill" else 0.0,
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
        )
    if role != "prefill":
        totals = [decode_time(call.output, gap) for gap in times.gap]
        worked = _per_request(call, times.worked_s("decode")) / slots
        # In one server the decode has its slot from the prefill on.
        slot = sizing if role == "decode" else Sizing("kept", NO_WAIT, ())
        yield Option(
            f"{call.node}.decode",
            pool.id,
            tuple(
                VisitTime(first_of(total, gap), total, slot.law, slot.lost(own))
                for total, gap, own in zip(totals, times.gap, times.lost("decode"), strict=True)
            ),
            times.interruptions.capacity_s(worked),
            _weights(server.replica),
            _state(server.replica, call, slots),
            energy_j_per_request=energy_above_idle_j(server.device, worked, pool.devices_per_replica),
            tbt_s=times.gap,
        )


def _per_request(call: Call, seconds: tuple[float, ...] | list[float]) -> float:
    """Seconds of all visits of one request on average."""
    return sum(share * s for share, s in zip(call.mass, seconds, strict=True))
