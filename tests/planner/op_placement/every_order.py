"""The least makespan and period by trying everything: every assignment, and every order of starts."""

from __future__ import annotations

from itertools import product
from math import inf

from dovetail.planner.op_placement.problem import OpPlacementProblem

Job = tuple[int, int]
"""(piece, -1), or (tensor, device that it is sent to)"""


def least_makespan(p: OpPlacementProblem) -> float:
    """[ns]; inf where there is no schedule."""
    best = inf
    for device in product(*p.allowed):
        if _fits(p, device) and _has_ways(p, device):
            best = _Orders(p, device, best).search()
    return best


def _fits(p: OpPlacementProblem, device: tuple[int, ...]) -> bool:
    for d, each in enumerate(p.devices):
        weights = sum(q.weight_bytes for q, own in zip(p.pieces, device, strict=True) if own == d)
        if each.memory_bytes is not None and weights > each.memory_bytes:
            return False
    return True


def _has_ways(p: OpPlacementProblem, device: tuple[int, ...]) -> bool:
    pairs = {(device[t.producer], device[v]) for t in p.tensors for v in t.users}
    return all(a == b or (a, b) in p.routes for a, b in pairs)


class _Orders:
    """
    Starts in all orders, none before the one before it, each as early as can be.

    That loses no optimum: memory is only taken at starts, so that a start may move forward to the one before it.
    """

    def __init__(self, p: OpPlacementProblem, device: tuple[int, ...], best: float) -> None:
        self.p, self.device, self.best = p, device, best
        self.jobs: list[Job] = [(i, -1) for i in range(len(p.pieces))]
        for t, tensor in enumerate(p.tensors):
            targets = {device[v] for v in tensor.users} - {device[tensor.producer]}
            self.jobs += [(t, d) for d in sorted(targets)]
        self.start: dict[Job, int] = {}
        self.end: dict[Job, int] = {}
        self.weights = [
            sum(q.weight_bytes for q, own in zip(p.pieces, device, strict=True) if own == d)
            for d in range(len(p.devices))
        ]

    def search(self) -> float:
        self._extend(0)
        return self.best

    def _extend(self, now: int) -> None:
        if max(self.end.values(), default=0) >= self.best:
            return
        if len(self.end) == len(self.jobs):
            self.best = max(self.end.values(), default=0)
            return
        for job in self.jobs:
            if job not in self.end and all(needed in self.end for needed in self._needs(job)):
                at = self._first(job, now)
                if at is not None:
                    self.start[job], self.end[job] = at, at + self._length(job)
                    self._extend(at)
                    del self.start[job], self.end[job]

    def _needs(self, job: Job) -> list[Job]:
        if job[1] >= 0:
            return [(self.p.tensors[job[0]].producer, -1)]
        own = self.device[job[0]]
        made = ((t, self.p.tensors[t].producer) for t in self.p.inputs[job[0]])
        return [(u, -1) if self.device[u] == own else (t, own) for t, u in made]

    def _length(self, job: Job) -> int:
        if job[1] < 0:
            return self.p.time_ns(job[0], self.device[job[0]])
        return self.p.transfer_ns(job[0], self.device[self.p.tensors[job[0]].producer], job[1]) or 0

    def _uses(self, job: Job) -> set[str]:
        if job[1] < 0:
            return {f"device {self.device[job[0]]}"}
        return {f"link {k}" for k in self.p.routes[self.device[self.p.tensors[job[0]].producer], job[1]].links}

    def _first(self, job: Job, now: int) -> int | None:
        ready = max([now, *(self.end[needed] for needed in self._needs(job))])
        uses = self._uses(job)
        ready = max([ready, *(end for other, end in self.end.items() if self._uses(other) & uses)])
        for at in sorted({ready, *(end for end in self.end.values() if end > ready)}):
            if self._has_room(job, at):
                return at
        return None

    def _has_room(self, job: Job, at: int) -> bool:
        p = self.p
        if all(device.memory_bytes is None for device in p.devices):
            return True
        started = {**self.start, job: at}
        ends = {**self.end, job: at + self._length(job)}
        held = list(self.weights)
        for (i, target), since in started.items():
            if target < 0:
                home = self.device[i]
                if since <= at < ends[i, -1]:
                    held[home] += p.pieces[i].work_bytes
                for t in p.outputs[i]:
                    users = [(v, -1) for v in p.tensors[t].users if self.device[v] == home]
                    sends = [each for each in self.jobs if each[0] == t and each[1] >= 0]
                    last = max([ends[i, -1], *(ends.get(each, inf) for each in (*users, *sends))])
                    held[home] += p.tensors[t].bytes * (since <= at < last)
            else:
                users = [(v, -1) for v in p.tensors[i].users if self.device[v] == target]
                last = max(ends.get(each, inf) for each in users)
                held[target] += p.tensors[i].bytes * (since <= at < last)
        return all(d.memory_bytes is None or size <= d.memory_bytes for d, size in zip(p.devices, held, strict=True))


def least_period(p: OpPlacementProblem) -> float:
    """[ns]; inf where there is no pipeline. Stages are tried up to two for each piece but one."""
    best = inf
    for device in product(*p.allowed):
        if not _has_ways(p, device):
            continue
        loads = [0] * (len(p.devices) + len(p.links))
        for i, d in enumerate(device):
            loads[d] += p.time_ns(i, d)
        for t, tensor in enumerate(p.tensors):
            home = device[tensor.producer]
            for d in {device[v] for v in tensor.users} - {home}:
                for k in p.routes[home, d].links:
                    loads[len(p.devices) + k] += p.transfer_ns(t, home, d) or 0
        if max(loads) < best and (all(d.memory_bytes is None for d in p.devices) or _some_stages_fit(p, device, ())):
            best = max(loads)
    return best


def _some_stages_fit(p: OpPlacementProblem, device: tuple[int, ...], stage: tuple[int, ...]) -> bool:
    i = len(stage)
    if i == len(p.pieces):
        return _buffers_fit(p, device, stage)
    made = [p.tensors[t].producer for t in p.inputs[i]]
    least = max((stage[u] + 2 * (device[u] != device[i]) for u in made), default=0)
    return any(_some_stages_fit(p, device, (*stage, s)) for s in range(least, 2 * len(p.pieces) - 1))


def _buffers_fit(p: OpPlacementProblem, device: tuple[int, ...], stage: tuple[int, ...]) -> bool:
    for d, each in enumerate(p.devices):
        own = [q for q, at in zip(p.pieces, device, strict=True) if at == d]
        held = sum(q.weight_bytes for q in own) + max((q.work_bytes for q in own), default=0)
        for t in p.tensors:
            since = stage[t.producer]
            here = [stage[v] for v in t.users if device[v] == d]
            if device[t.producer] == d:
                leaves = any(device[v] != d for v in t.users)
                held += t.bytes * (max([since, *here, since + leaves]) - since + 1)
            elif here:
                held += t.bytes * (max(here) - since)
        if each.memory_bytes is not None and held > each.memory_bytes:
            return False
    return True
