"""How many replicas a pool may have, and how long its visits wait then: the laws that bounds are proved with.

How long a visit waits depends on the pool's load and its replicas, which the plan itself decides. So a candidate pool
is made for each set of tenants that may have it to themselves and each number of replicas worth having, with the
M/M/n law of that load. A law is kept when fewer tenants come than it was made for: with less load fewer visits wait,
and none waits longer than the longest service over the servers that are free on average.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...costmodel.interruptions import NEVER, Interruptions, outage
from ...costmodel.queueing import capacity, erlang_c
from ...ir.distribution import Distribution
from ..placement.problem import NO_WAIT

Tenant = TypeVar("Tenant")
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

    def lost(self, own: Distribution) -> tuple[Distribution, ...]:
        """Times in vain of a visit that waits for a slot here and loses `own` to interruptions."""
        return tuple(law for law in (own, self.out) if law != NO_WAIT)


def tenant_sets(tenants: Sequence[Tenant]) -> Iterator[tuple[Tenant, ...]]:
    """All tenants together, and each alone."""
    yield tuple(tenants)
    if len(tenants) > 1:
        yield from ((tenant,) for tenant in tenants)


def sizings(
    rate_per_s: float | None,
    slots: int,
    loads: Collection[float],
    service_s: float,
    most: int | None,
    taken_back: Interruptions = NEVER,
) -> list[Sizing]:
    """The sizings of a pool whose replicas serve `slots` visits at once.

    `loads` are those of its tenants for one request [replica-s], `service_s` is the longest time that a visit holds a
    slot, `most` the replicas that the fleet has. Without a rate nobody waits and nothing is counted.
    """
    if rate_per_s is None:
        return [Sizing("unsized", NO_WAIT, (float("inf"),))]
    load = sum(loads) * rate_per_s
    most = MOST_REPLICAS if most is None else min(most, MOST_REPLICAS)
    found = list(_ladder(load, slots, service_s, most, taken_back))
    # How often too few replicas are up depends on how many there are: there is no class of that.
    if len(loads) > 2 and load <= MOST_SHARED and taken_back == NEVER:
        # Some of the tenants, but not all: too many sets to have a law for each.
        found += [_class_sizing(each, slots, load, service_s, most) for each in WAIT_CLASSES]
    return found or [_short(slots, service_s, most)]


def _ladder(load: float, slots: int, service_s: float, most: int, taken_back: Interruptions) -> Iterator[Sizing]:
    """Replicas from the fewest that carry `load` up to those with which nobody waits, one law for each."""
    n = int(load) + 1
    for _ in range(MOST_STEPS):
        if n > most:
            return
        probability = erlang_c(n * slots, load * slots)
        mean_s = service_s / ((n - load) * slots)
        out = outage(n, slots, load * slots, taken_back.availability, taken_back.down_s)
        yield Sizing(f"n{n}", Distribution.wait(probability, mean_s), (*(0.0,) * (n - 1), load), out)
        if probability * mean_s + out.mean <= NEGLIGIBLE * service_s:
            return
        n += max(1, n // 32)


def _class_sizing(each: WaitClass, slots: int, load: float, service_s: float, most: int) -> Sizing:
    """The loads at which 1, 2, ... replicas keep a class of waiting, up to all of `load`."""
    found: list[float] = []
    while len(found) < most and (not found or found[-1] < load):
        found.append(capacity(slots, len(found) + 1, each.probability, each.mean_in_services))
    return Sizing(each.name, Distribution.wait(each.probability, each.mean_in_services * service_s), tuple(found))


def _short(slots: int, service_s: float, most: int) -> Sizing:
    """A fleet that has too few replicas for the load: a conflict can name its count, and some of the tenants may fit.

    All replicas carry what keeps the shortest waits, which is less than the load.
    """
    tight = WAIT_CLASSES[0]
    law = Distribution.wait(tight.probability, tight.mean_in_services * service_s)
    most_load = capacity(slots, most, tight.probability, tight.mean_in_services)
    return Sizing("short", law, (*(0.0,) * (most - 1), most_load))
