"""How many replicas a pool may have, and how long its visits wait then: the laws that bounds are proved with.

How long a visit waits depends on the pool's load and its replicas, which the plan itself decides. So a candidate pool
is made for each set of tenants that may have it to themselves and each number of replicas worth having, with the
M/M/n law of that load. A law is kept when fewer tenants come than it was made for: with less load fewer visits wait,
and none waits longer than the longest service over the servers that are free on average.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...costmodel.interruptions import NEVER, Interruptions, outage
from ...costmodel.queueing import capacity, class_wait, erlang_c, worst_class_wait
from ...ir.distribution import Distribution
from ..placement.problem import NO_WAIT

NEGLIGIBLE = 1e-4
"""A mean wait of this share of the service time is as good as none: more replicas would change nothing."""
MOST_STEPS = 12
"""Numbers of replicas tried for one set of tenants."""
MOST_SHARED = 200
"""Replicas of a pool above which only all of its tenants together, or each alone, have sizings."""
MOST_REPLICAS = 10_000
"""A pool of more replicas than this is not planned."""


@dataclass(frozen=True)
class WaitClass:
    """A bound on waiting for pools whose tenants are not known: any set of them that keeps it may come.

    A visit waits with `probability` at most, and then an exponential time with a mean of at most
    `mean_in_services` service times (M/M/n: P(W > t) = ErlangC exp(-(n mu - lambda) t)).
    """

    name: str
    probability: float
    mean_in_services: float


WAIT_CLASSES = (WaitClass("tight", 0.05, 0.5), WaitClass("normal", 0.3, 1.0), WaitClass("loose", 1.0, 4.0))
"""From many idle replicas and short queues to few replicas and long queues."""


@dataclass(frozen=True)
class Sizing:
    """A law of waiting, and the loads at which 1, 2, ... replicas keep it."""

    label: str
    law: Distribution
    """[s]"""
    capacity: tuple[float, ...]
    """[replica-s/s], as in `Pool`"""
    out: Distribution = NO_WAIT
    """law of waiting for replicas that were taken back [s]"""
    by_class: tuple[tuple[int, Distribution], ...] = ()
    """Priority -> law of waiting [s], where tenants of several come."""
    for_all: bool = False
    """made for all tenants together: as many replicas as `capacity` has carry any of them, and fewer carry none"""

    def lost(self, own: Distribution) -> tuple[Distribution, ...]:
        """Times in vain of a visit that waits for a slot here and loses `own` to interruptions."""
        return tuple(law for law in (own, self.out) if law != NO_WAIT)

    def of(self, priority: int) -> Sizing:
        """The sizing as tenants of one priority see it."""
        return replace(self, law=dict(self.by_class).get(priority, self.law)) if self.by_class else self


def sizings(
    rate_per_s: float | None,
    slots: int,
    loads: Collection[float],
    service_s: float,
    most: int | None,
    taken_back: Interruptions = NEVER,
    priorities: Sequence[int] = (),
) -> list[Sizing]:
    """The sizings of a pool whose replicas serve `slots` visits at once.

    `loads` are those of its tenants for one request [replica-s], in the order of `priorities`, `service_s` is the
    longest time that a visit holds a slot, `most` the replicas that the fleet has. Without a rate nobody waits and
    nothing is counted.
    """
    if rate_per_s is None:
        return [Sizing("unsized", NO_WAIT, (float("inf"),), for_all=True)]
    load = sum(loads) * rate_per_s
    by_class: dict[int, float] = {}
    for priority, own in zip(priorities, loads, strict=False):
        by_class[priority] = by_class.get(priority, 0.0) + own * rate_per_s
    queue = Queue(slots, service_s, by_class if len(by_class) > 1 else {})
    most = MOST_REPLICAS if most is None else min(most, MOST_REPLICAS)
    found = list(_ladder(load, queue, most, taken_back))
    # How often too few replicas are up depends on how many there are: there is no class of that.
    if len(loads) > 2 and load <= MOST_SHARED and taken_back == NEVER:
        # Some of the tenants, but not all: too many sets to have a law for each.
        found += [_class_sizing(each, queue, load, most) for each in WAIT_CLASSES]
    return found or [_short(queue, most)]


@dataclass(frozen=True)
class Queue:
    """How visits wait in a pool, whatever its replicas."""

    slots: int
    """of one replica"""
    service_s: float
    """the longest time that a visit holds a slot"""
    loads: Mapping[int, float]
    """Priority -> load of the tenants that have it [replica-s/s]; empty where all have one."""

    def laws(self, n: int, load: float) -> tuple[tuple[int, Distribution], ...]:
        """(48) The law of each priority in a pool of `n` replicas, those of higher ones being served first."""
        found, before = [], 0.0
        for priority in sorted(self.loads, reverse=True):
            upto = before + self.loads[priority] * self.slots
            law = class_wait(n * self.slots, load * self.slots, before, upto, self.service_s)
            found.append((priority, law))
            before = upto
        return tuple(found)

    def worst(self, carried: Sequence[float], probability: float) -> tuple[tuple[int, Distribution], ...]:
        """A law that every priority but the highest keeps where n replicas carry `carried[n-1]`, of whatever tenants.

        Those of the highest wait no longer than all would in one line.
        """
        if not self.loads:
            return ()
        laws = [
            worst_class_wait(n * self.slots, load * self.slots, probability, self.service_s)
            for n, load in enumerate(carried, 1)
        ]
        longest = max(laws, key=lambda law: law.mean)
        return tuple((priority, longest) for priority in self.loads if priority < max(self.loads))


def _ladder(load: float, queue: Queue, most: int, taken_back: Interruptions) -> Iterator[Sizing]:
    """Replicas from the fewest that carry `load` up to those with which nobody waits, one law for each."""
    n, slots, service_s = int(load) + 1, queue.slots, queue.service_s
    for _ in range(MOST_STEPS):
        if n > most:
            return
        probability = erlang_c(n * slots, load * slots)
        mean_s = service_s / ((n - load) * slots)
        out = outage(n, slots, load * slots, taken_back.availability, taken_back.down_s)
        laws, capacity = queue.laws(n, load), (*(0.0,) * (n - 1), load)
        yield Sizing(f"n{n}", Distribution.wait(probability, mean_s), capacity, out, laws, for_all=True)
        if max([probability * mean_s, *(law.mean for _, law in laws)]) + out.mean <= NEGLIGIBLE * service_s:
            return
        n += max(1, n // 32)


def _class_sizing(each: WaitClass, queue: Queue, load: float, most: int) -> Sizing:
    """The loads at which 1, 2, ... replicas keep a class of waiting, up to all of `load`."""
    found: list[float] = []
    while len(found) < most and (not found or found[-1] < load):
        found.append(capacity(queue.slots, len(found) + 1, each.probability, each.mean_in_services))
    law = Distribution.wait(each.probability, each.mean_in_services * queue.service_s)
    return Sizing(each.name, law, tuple(found), NO_WAIT, queue.worst(found, each.probability))


def _short(queue: Queue, most: int) -> Sizing:
    """A fleet that has too few replicas for the load: a conflict can name its count, and some of the tenants may fit.

    All replicas carry what keeps the shortest waits, which is less than the load.
    """
    tight = WAIT_CLASSES[0]
    law = Distribution.wait(tight.probability, tight.mean_in_services * queue.service_s)
    most_load = capacity(queue.slots, most, tight.probability, tight.mean_in_services)
    carried = (*(0.0,) * (most - 1), most_load)
    return Sizing("short", law, carried, NO_WAIT, queue.worst(carried, tight.probability))
