"""Waiting in a pool: the M/M/n queue, and the load a pool may carry while its waits stay short.

Equations are numbered as in `docs/math/queueing.md`. Offered load is in erlangs: arrivals per second x seconds of
service, which is the number of servers busy on average.
"""

from __future__ import annotations

import math
from functools import cache
from math import inf

from ..ir.distribution import Distribution


def erlang_b(servers: int, offered: float) -> float:
    """Probability that all of `servers` are busy where nobody waits. Equation (1).

    1/B = sum over k = 0..n of n (n-1) ... (n-k+1) / a^k, cut off where the terms no longer matter.
    """
    if offered <= 0:
        return 0.0
    total = term = 1.0
    for k in range(servers):
        term *= (servers - k) / offered
        total += term
        if term < 1e-17 * total or total == inf:  # of a billion servers most are never asked for
            break
    return 1.0 / total


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival waits, P(W > 0) of M/M/n; 1 from `offered` = `servers` on. Equation (2)."""
    if offered >= servers:
        return 1.0
    blocked, rho = erlang_b(servers, offered), offered / servers
    return blocked / (1 - rho * (1 - blocked))


def wait(servers: int, offered: float, service_s: float) -> Distribution:
    """The law of waiting [s]: P(W > t) = C exp(-(n mu - lambda) t). Equation (3).

    ValueError where the load is not under the number of servers.
    """
    if offered >= servers:
        raise ValueError(f"{offered:g} erlangs on {servers} servers: the queue grows without end")
    return Distribution("wait", (erlang_c(servers, offered), service_s / (servers - offered)))


def tail_rate(before: float, upto: float) -> float:
    """The rate at which the tail of a class's waits falls, in services of the whole pool. Equation (5).

    `before` is the load of the classes that are served before it, as a share of all servers, and `upto` that with its
    own.
    """
    if upto * upto >= before:
        return (1 - upto) * (upto - before) / upto if before else 1 - upto
    return (1 - math.sqrt(before)) ** 2


def class_wait(servers: int, offered: float, before: float, upto: float, service_s: float) -> Distribution:
    """A law of waiting [s] that no class's waits exceed, and exactly that of the class that is served first.

    Of `offered` [erlangs] in all, `before` are served before this class and `upto` not after it. Equation (6).
    ValueError where the load is not under the number of servers.
    """
    if offered >= servers:
        raise ValueError(f"{offered:g} erlangs on {servers} servers: the queue grows without end")
    rate = tail_rate(before / servers, upto / servers)
    return Distribution("wait", (erlang_c(servers, offered), service_s / (servers * rate)))


def worst_class_wait(servers: int, offered: float, probability: float, service_s: float) -> Distribution:
    """The same where only the load of all classes is known, and the `probability` of waiting. Equation (7)."""
    return Distribution("wait", (probability, service_s / (servers * tail_rate(offered / servers, offered / servers))))


@cache
def capacity(
    servers_per_replica: int,
    replicas: int,
    wait_probability: float,
    wait_mean_in_services: float,
) -> float:
    """The largest load [replica-seconds/s] at which at most `wait_probability` of visits wait, and those that do
    wait at most `wait_mean_in_services` service times on average. Equation (4).

    A replica serves `servers_per_replica` visits at once, each in one service time, so a visit takes
    service / servers_per_replica of its time. 0 where even an idle pool would break the second condition.
    """
    servers = servers_per_replica * replicas
    high = servers - 1 / wait_mean_in_services
    if high <= 0:
        return 0.0
    if erlang_c(servers, high) <= wait_probability:
        return high / servers_per_replica
    low = 0.0
    while high - low > 1e-9 * servers:
        middle = (low + high) / 2
        if erlang_c(servers, middle) <= wait_probability:
            low = middle
        else:
            high = middle
    return low / servers_per_replica
