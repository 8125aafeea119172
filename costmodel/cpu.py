"""Work of the nodes that run on CPU hosts: tools, lookups, general compute, stores, routers and caches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from xdsl.ir import Operation

from ..ir.agent import CacheOp, ComputeOp, LookupOp, RouterOp, StoreOp, ToolCallOp
from ..ir.distribution import Distribution
from .bursts import burst_bytes
from .hardware import Device
from .lookup import CORE_BANDWIDTH_BYTES_PER_S, search
from .queueing import wait

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DISPATCH_S = 100e-6
"""[s] of one core to take a small request and pass it on (guess: a local call with a small message)"""
SMALL_BYTES = 1e6
"""[bytes] that a call of a small node keeps (guess)"""
STORE_COMMIT_S = 1e-3
"""[s] until a small write is durable (guess: one flush of a data-centre SSD is 0.1-1 ms, and a hop to it)"""
STORE_BYTES_PER_S = 1e9
"""[bytes/s] of a write (guess: about what one SSD sustains)"""
NO_QUEUE = 1e-4
"""a mean wait of this share of a call is as good as none"""
QUEUE_POINTS = 200
"""values of each of the two laws whose sum is the time of a call that waits for others"""
TOOL_LAW_POINTS = 400
"""equally likely values that stand for the time of a tool with retries or a timeout"""


@dataclass(frozen=True)
class NodeWork:
    """One visit of a node on a host."""

    latency: Distribution
    """[s] without waiting for a host; with the wait for one of a tool's `concurrency` calls"""
    busy_s: float
    """[s] on average that the visit keeps its cores and its memory"""
    cpus: float
    """cores busy all that time"""
    memory_mean_bytes: float
    """of one call"""
    memory_peak_bytes: float
    """of one call at its fullest"""
    usd_per_call: float
    """paid to others for one visit"""
    shared_bytes: float = 0.0
    """what all calls share, such as an index"""

    def held_bytes(self, visits_per_s: float) -> float:
        """[bytes] that all calls in flight hold at the stated percentile of time, with what they share."""
        in_flight = visits_per_s * self.busy_s  # Little's law
        return self.shared_bytes + burst_bytes(self.memory_mean_bytes, self.memory_peak_bytes, in_flight)


def node_work(op: Operation, device: Device, visits_per_s: float = 0.0) -> NodeWork:
    """What one visit of the node `op` takes on the host `device` when it is visited so often.

    ValueError for a node that no host runs, and for a tool whose `concurrency` is less than its calls in flight.
    """
    match op:
        case ToolCallOp():
            return _tool(op, visits_per_s)
        case LookupOp():
            return _lookup(op, device)
        case ComputeOp():
            moved = op.bytes_in.value.data + op.bytes_out.value.data
            held = moved + SMALL_BYTES
            latency = op.cpu_s.value.shifted(moved / CORE_BANDWIDTH_BYTES_PER_S)
            return NodeWork(latency, latency.mean, 1.0, held, held, 0.0)
        case StoreOp():
            size = op.bytes.value.data
            seconds = STORE_COMMIT_S + size / STORE_BYTES_PER_S
            return NodeWork(Distribution.point(seconds), seconds, 1.0, size + SMALL_BYTES, size + SMALL_BYTES, 0.0)
        case RouterOp():
            return NodeWork(Distribution.point(DISPATCH_S), DISPATCH_S, 1.0, SMALL_BYTES, SMALL_BYTES, 0.0)
        case CacheOp():
            return NodeWork(op.latency.value, op.latency.value.mean, 1.0, SMALL_BYTES, SMALL_BYTES, 0.0)
    raise ValueError(f"`{op.name}` does not run on a host")


def _tool(op: ToolCallOp, visits_per_s: float) -> NodeWork:
    timeout_s = op.timeout_s.value.data if op.timeout_s else math.inf
    retries = op.retries.value.data if op.retries else 0
    failure, latency = op.failure.value.data, op.latency.value
    call = tool_latency(latency, failure, timeout_s, retries)
    limit = op.concurrency.value.data if op.concurrency is not None else None
    return NodeWork(
        call if limit is None else limited_latency(call, limit, visits_per_s),
        call.mean,
        op.cpus.value.data,
        op.memory_mean_bytes.value.data,
        op.memory_peak_bytes.value.data,
        op.usd_per_call.value.data * tool_attempts(latency, failure, timeout_s, retries),
    )


@cache
def limited_latency(latency: Distribution, limit: int, visits_per_s: float) -> Distribution:
    """[s] of a call that first waits until fewer than `limit` others are in flight: M/M/n with n = `limit`.

    The sum of the two laws by `TOOL_LAW_POINTS` equally likely values; `latency` itself where nobody waits to speak
    of. ValueError where the calls come faster than `limit` of them end.
    """
    import numpy as np

    in_flight = visits_per_s * latency.mean
    if in_flight >= limit:
        raise ValueError(f"{in_flight:.3g} calls are in flight on average, and `concurrency` allows {limit}")
    queue = wait(limit, in_flight, latency.mean)
    if queue.mean <= NO_QUEUE * latency.mean:
        return latency
    middles = (np.arange(QUEUE_POINTS) + 0.5) / QUEUE_POINTS
    sums = np.sort(np.add.outer(*([law.quantile(float(q)) for q in middles] for law in (latency, queue))).ravel())
    groups = sums.reshape(TOOL_LAW_POINTS, -1).mean(axis=1)
    return Distribution("samples", tuple((groups * (latency.mean + queue.mean) / groups.mean()).tolist()))


def tool_attempts(latency: Distribution, failure: float, timeout_s: float = math.inf, retries: int = 0) -> float:
    """Mean number of attempts of one call: the sum over k = 0..retries of q^k, q = P(an attempt fails).

    An attempt fails where it takes longer than `timeout_s`, and otherwise with probability `failure`. Each attempt
    is paid for.
    """
    fails = 1 - (1 - failure) * _in_time(latency, timeout_s)
    return math.fsum(fails**k for k in range(retries + 1))


@cache
def tool_latency(latency: Distribution, failure: float, timeout_s: float = math.inf, retries: int = 0) -> Distribution:
    """[s] until a call has succeeded or is given up: the time of all its attempts, one after another.

    Attempts are independent; each takes min(`latency`, `timeout_s`). A failing attempt is found out only when it
    would have ended, and tried again at once, up to `retries` times; after the last the call counts as finished.
    The law is `latency` itself where neither matters, else `TOOL_LAW_POINTS` equally likely values with its mean.
    """
    import numpy as np

    in_time, n = _in_time(latency, timeout_s), TOOL_LAW_POINTS
    if in_time == 1 and (retries == 0 or failure == 0):
        return latency
    drawn = np.array([latency.quantile(in_time * (i + 0.5) / n) for i in range(n)])
    if in_time == 1:
        # The middle of the last stretch misses the tail; what the mean still lacks belongs there.
        drawn[-1] = max(drawn[-1], n * latency.mean - drawn[:-1].sum())
    every = np.full(n, in_time / n)
    passed = (drawn, (1 - failure) * every)
    failed = (drawn, failure * every)
    if in_time < 1:
        failed = (np.append(drawn, timeout_s), np.append(failed[1], 1 - in_time))
    return Distribution("samples", tuple(_attempts(passed, failed, retries)[0].tolist()))


Atoms = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""values and their probabilities, both of shape (n,)"""


def _attempts(passed: Atoms, failed: Atoms, retries: int) -> Atoms:
    """Total times, from the law of an attempt that passes and of one that fails."""
    import numpy as np

    before: Atoms = (np.zeros(1), np.ones(1))
    ended: list[Atoms] = []
    for _ in range(retries):
        ended.append(_sum(before, passed))
        before = _sum(before, failed)
    ended += [_sum(before, passed), _sum(before, failed)]
    values, probabilities = (np.concatenate(parts) for parts in zip(*ended, strict=True))
    return _merged(values, probabilities)


def _sum(first: Atoms, second: Atoms) -> Atoms:
    """The law of the sum of two independent times; the probabilities may add up to less than 1."""
    import numpy as np

    return _merged(np.add.outer(first[0], second[0]).ravel(), np.multiply.outer(first[1], second[1]).ravel())


def _merged(values: NDArray[np.float64], probabilities: NDArray[np.float64]) -> Atoms:
    """`TOOL_LAW_POINTS` atoms of equal probability: the means of equal stretches, so that the mean stays."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    reached = np.concatenate([[0.0], np.cumsum(probabilities[order])])
    integral = np.concatenate([[0.0], np.cumsum((values * probabilities)[order])])
    size = reached[-1] / TOOL_LAW_POINTS
    if size == 0:
        return np.zeros(0), np.zeros(0)
    ends = np.interp(np.arange(TOOL_LAW_POINTS + 1) * size, reached, integral)
    return np.diff(ends) / size, np.full(TOOL_LAW_POINTS, size)


def _in_time(latency: Distribution, timeout_s: float) -> float:
    return latency.cdf(timeout_s) if math.isfinite(timeout_s) else 1.0


def _lookup(op: LookupOp, device: Device) -> NodeWork:
    found = search(op.vectors.value.data, op.dimensions.value.data, op.top_k.value.data, op.index.data, device)
    latency = Distribution.point(DISPATCH_S + found.seconds)
    return NodeWork(latency, latency.mean, found.cpus, SMALL_BYTES, SMALL_BYTES, 0.0, found.index_bytes)
