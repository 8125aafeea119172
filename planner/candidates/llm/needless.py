"""Leaves out ways to run a model that another way makes needless, before pools are written down for them.

The proof is in `docs/math/placement.md`, "Before candidates are written down".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....costmodel.interruptions import NEVER
from ...placement.model.survival import replicas_for
from ...placement.model.variables import LOAD_TOLERANCE
from ...placement.problem import Pool
from ..classes import TenantSet
from ..setting import Setting
from ..sizing import Sizing
from .calls import Call, per_request
from .needless_classes import undominated_classes
from .servers import Server, adapter_bytes, state
from .times import Times


@dataclass(frozen=True)
class Draft:
    """A pool before its options are written down."""

    device: str
    """the fleet's name"""
    server: Server
    role: str
    """`both`, `prefill` or `decode`"""
    stages: int
    """that a visit passes one after the other, each then free for the next"""
    together: TenantSet[tuple[Call, Times]]
    sizing: Sizing

    @property
    def tenants(self) -> tuple[tuple[Call, Times], ...]:
        """Calls with their times."""
        return tuple(self.together.tenants)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes whose pieces it takes."""
        return tuple(call.node for call, _ in self.tenants)


def needed(drafts: Sequence[Draft], setting: Setting) -> list[Draft]:
    """The drafts of one model on one device that no other of them makes needless, in their order."""
    alike: dict[tuple[bool, str, tuple[str, ...]], list[int]] = defaultdict(list)
    kept: set[int] = set()
    for i, draft in enumerate(drafts):
        if _is_comparable(draft, setting) and (draft.sizing.for_all or _carries_any(draft, setting)):
            alike[draft.sizing.for_all, draft.role, draft.nodes].append(i)
        else:
            kept.add(i)
    for (for_all, *_), places in alike.items():
        some = [drafts[i] for i in places]
        kept |= {places[i] for i in (undominated(some, setting) if for_all else _undominated_classes(some))}
    return [drafts[i] for i in sorted(kept)]


def _is_comparable(draft: Draft, setting: Setting) -> bool:
    """Whether (31) or (60) speaks of it: never taken back or given back, in no rack, its tenants of one priority."""
    spec, never = setting.spec(draft.device), draft.tenants[0][1].interruptions == NEVER
    stays = not spec.scale.keep_alive_s
    alone = not draft.sizing.by_class and draft.server.spill is None
    return alone and never and stays and not spec.rack and not draft.together.label


def _carries_any(draft: Draft, setting: Setting) -> bool:
    """Whether replicas are sized for some of the tenants and enough of them carry all, none of which may be lost."""
    lost = bool(setting.fleet.spare_replicas or setting.fleet.lost_zones)
    rate = setting.rate_per_s
    if lost or rate is None:
        return False
    load = rate * sum(per_request(c, t.slot_s(draft.role)) for c, t in draft.tenants) / draft.server.batch
    return draft.sizing.capacity[-1] >= load


def undominated(drafts: Sequence[Draft], setting: Setting) -> list[int]:
    """(31) Places of drafts, all of one role and the same tenants, for which there is no other.

    g stands for h where it has memory for all tenants at once, and neither its devices, the probability and mean of
    waiting, the times of any visit, nor the device time of any piece are more.
    """
    unsized = _unsized(drafts)
    figures = np.array([[*_taken(draft, setting), *_waits(draft), *way.times] for draft, way in unsized])
    has_room = [way.has_room for _, way in unsized]
    stay: list[int] = []
    rivals = np.empty((0, figures.shape[1]))
    for i in sorted(range(len(drafts)), key=lambda i: (*figures[i], i)):
        if not np.any(np.all(rivals <= figures[i], axis=1)):
            stay.append(i)
            if has_room[i]:
                rivals = np.vstack([rivals, figures[i]])
    return stay


def _undominated_classes(drafts: Sequence[Draft]) -> list[int]:
    """(60) of drafts, all of one role and the same tenants."""
    unsized = _unsized(drafts)
    return undominated_classes(
        np.array([[*_waits(draft), *way.times] for draft, way in unsized]),
        np.array([way.loads for _, way in unsized]),
        [draft.server.parallel.devices for draft in drafts],
        [draft.sizing.capacity for draft in drafts],
        [way.has_room for _, way in unsized],
    )


@dataclass(frozen=True)
class _Way:
    """What does not depend on how a draft is sized."""

    times: tuple[float, ...]
    loads: tuple[float, ...]
    """of each piece on one replica [s/request]"""
    has_room: bool


def _unsized(drafts: Sequence[Draft]) -> list[tuple[Draft, _Way]]:
    """Each draft with its way; all sizes of one server, in one role for the same tenants, share it."""
    known: dict[int, _Way] = {}
    for draft in drafts:
        if id(draft.together) not in known:
            batch = draft.server.batch
            loads = (per_request(c, s) / batch for c, t in draft.tenants for s in _parts(draft, t))
            known[id(draft.together)] = _Way(tuple(_times(draft)), tuple(loads), _holds_all(draft))
    return [(draft, known[id(draft.together)]) for draft in drafts]


def _parts(draft: Draft, times: Times) -> Iterator[tuple[float, ...]]:
    """Seconds of the visits of each piece of a tenant."""
    if draft.role != "decode":
        yield times.prefill
    if draft.role != "prefill":
        yield times.decode


def _taken(draft: Draft, setting: Setting) -> Iterator[float]:
    """Devices that it takes; none where nothing is counted."""
    if setting.rate_per_s is not None:
        yield from (draft.server.parallel.devices * replicas for replicas in _replicas(draft, setting))


def _waits(draft: Draft) -> tuple[float, float]:
    """Probability and mean of waiting [s]."""
    law = draft.sizing.law
    probability, mean_s = law.params if law.kind == "wait" else (0.0, 0.0)
    return probability, mean_s if probability else 0.0


def _times(draft: Draft) -> Iterator[float]:
    """Each tenant's times and device time [s]."""
    degree = draft.server.parallel.devices
    for call, times in draft.tenants:
        if draft.role != "decode":
            yield from times.prefill
            yield per_request(call, times.prefill) * degree / draft.server.batch
        if draft.role != "prefill":
            yield from times.gap
            yield per_request(call, times.decode) * degree / draft.server.batch


def _replicas(draft: Draft, setting: Setting) -> Iterator[float]:
    """How many it takes, with those that may be lost and, for conflicts leave that out, without."""
    bare = Pool("", draft.device, "", capacity=draft.sizing.capacity)
    lost = setting.surviving(bare)
    for pool in (bare,) if lost == bare else (bare, lost, replace(lost, lost_zones=0), replace(lost, spare=0)):
        yield replicas_for(pool, len(bare.capacity)) or math.inf


def _holds_all(draft: Draft) -> bool:
    """Whether a device has memory for the weights and the caches of all tenants."""
    replica, batch = draft.server.replica, draft.server.batch
    adapters = {call.adapter_key: adapter_bytes(replica, call) for call, _ in draft.tenants}
    states = (state(replica, call, batch) for call, _ in draft.tenants)
    held = draft.server.weight_bytes + max(states) + sum(adapters.values())
    return held <= replica.device.memory_bytes * (1 + LOAD_TOLERANCE)
