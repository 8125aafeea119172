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
from ...placement.problem import Pool
from ...placement.survival import replicas_for
from ...placement.variables import LOAD_TOLERANCE
from ..classes import TenantSet
from ..setting import Setting
from ..sizing import Sizing
from .calls import Call, per_request
from .servers import Server, adapter_bytes, state, weights
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
    alike: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    kept: set[int] = set()
    for i, draft in enumerate(drafts):
        if _is_comparable(draft, setting):
            alike[draft.role, draft.nodes].append(i)
        else:
            kept.add(i)
    for places in alike.values():
        kept |= {places[i] for i in undominated([drafts[i] for i in places], setting)}
    return [drafts[i] for i in sorted(kept)]


def _is_comparable(draft: Draft, setting: Setting) -> bool:
    """Whether (31) speaks of it: one number of replicas, never taken back or given back, in no rack."""
    spec, never = setting.spec(draft.device), draft.tenants[0][1].interruptions == NEVER
    stays = not spec.scale.keep_alive_s
    alone = draft.sizing.for_all and not draft.sizing.by_class and draft.server.spill is None
    return alone and never and stays and not spec.rack and not draft.together.label


def undominated(drafts: Sequence[Draft], setting: Setting) -> list[int]:
    """(31) Places of drafts, all of one role and the same tenants, for which there is no other.

    g stands for h where it has memory for all tenants at once, and neither its devices, the probability and mean of
    waiting, the times of any visit, nor the device time of any piece are more.
    """
    figures = np.array([list(_figures(draft, setting)) for draft in drafts])
    has_room = [_holds_all(draft) for draft in drafts]
    stay: list[int] = []
    rivals = np.empty((0, figures.shape[1]))
    for i in sorted(range(len(drafts)), key=lambda i: (*figures[i], i)):
        if not np.any(np.all(rivals <= figures[i], axis=1)):
            stay.append(i)
            if has_room[i]:
                rivals = np.vstack([rivals, figures[i]])
    return stay


def _figures(draft: Draft, setting: Setting) -> Iterator[float]:
    """What (31) compares: devices, then waiting, then each tenant's times and device time."""
    degree = draft.server.parallel.devices
    if setting.rate_per_s is not None:
        yield from (degree * replicas for replicas in _replicas(draft, setting))
    law = draft.sizing.law
    probability, mean_s = law.params if law.kind == "wait" else (0.0, 0.0)
    yield from (probability, mean_s if probability else 0.0)
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
    held = weights(replica)
    held += sum(state(replica, call, batch) + adapter_bytes(replica, call) for call, _ in draft.tenants)
    return held <= replica.device.memory_bytes * (1 + LOAD_TOLERANCE)
