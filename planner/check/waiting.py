"""Waiting for a free server in a pool: M/M/n with a correction for arrivals that are not Poisson."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

BUSY_NEVER = 1e30
"""Beyond this 1/B makes a wait too rare to matter."""
ROUNDING = 1e-18


@dataclass(frozen=True)
class Wait:
    """Time in the queue: 0 with probability 1 - `probability`, else exponential with mean `mean_s`."""

    probability: float = 0.0
    mean_s: float = 0.0


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival waits in M/M/n, `offered` = arrival rate * mean service; 1 where it overflows.

    C = B / (1 - rho (1 - B)), with 1/B = 1 + n/a + n (n-1)/a^2 + ... + n!/a^n (Kleinrock, Queueing Systems vol. 1,
    sections 3.5 and 3.6), which is added up until the rest no longer counts.
    """
    if offered >= servers:
        return 1.0
    if offered <= 0:
        return 0.0
    inverse = term = 1.0
    for left in range(servers, 0, -1):
        term *= left / offered
        inverse += term
        if inverse > BUSY_NEVER or term < ROUNDING * inverse:
            break
    blocked = 1 / inverse
    return blocked / (1 - offered / servers * (1 - blocked))


def wait_of(servers: int, arrivals_per_s: float, service_s: float, arrivals_cv: float = 1.0) -> Wait:
    """The wait in a pool of `servers`; the mean scales with (Ca^2 + 1) / 2 (Allen-Cunneen, exponential service).

    A pool that overflows waits for ever: the mean is infinite.
    """
    offered = arrivals_per_s * service_s
    if offered >= servers:
        return Wait(1.0, float("inf"))
    if offered <= 0:
        return Wait()
    mean_when_waiting = service_s / (servers - offered)
    return Wait(erlang_c(servers, offered), mean_when_waiting * (arrivals_cv**2 + 1) / 2)


def waits_by_priority(whole: Wait, servers: int, offered: Mapping[int, float]) -> dict[int, Wait]:
    """The wait of each priority where those of larger ones are served first, given the wait of all as in one line.

    `offered` [erlangs] is by priority. Each is a law that waits do not exceed: exponential at the rate of the slowest
    of the exponential laws that the true one mixes. That is where z + eta + h (1 - beta(z)) = 0, eta and h being the
    rates at which those up to it leave room and those before it arrive, in services of all servers, and beta the
    transform of a busy period of those before, beta = 1 / (1 + z + h (1 - beta)); or the branch point of beta
    (Davis, Operations Research 14, 1966). With w = h (1 - beta) = -z - eta, beta is 1 / (1 - eta) at that place.
    """
    total = sum(offered.values())
    if len(offered) < 2 or total >= servers or not whole.probability:
        return dict.fromkeys(offered, whole)
    service_s, found, before = whole.mean_s * (servers - total) / servers, {}, 0.0
    for priority in sorted(offered, reverse=True):
        upto = before + offered[priority] / servers
        eta = 1 - upto
        pole = eta + before * (1 - 1 / (1 - eta)) if upto else 1.0
        is_before_branch = before * (1 / (1 - eta)) ** 2 <= 1 if upto else True
        rate = pole if is_before_branch else (1 - math.sqrt(before)) ** 2
        found[priority] = replace(whole, mean_s=service_s / rate)
        before = upto
    return found
