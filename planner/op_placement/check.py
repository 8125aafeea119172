"""
What a schedule or a pipeline takes, worked out from the problem alone: what solvers say is held against it.

A schedule is gone through in time: who runs where, what is on the links, and what lies in each memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .problem import OpPlacementProblem, Pair, Pipeline, Schedule


def schedule_faults(p: OpPlacementProblem, s: Schedule) -> list[str]:
    """Why the schedule cannot be run as it says; nothing where it can."""
    if faults := _device_faults(p, s.device) or _count_faults(p, s.start_ns):
        return faults
    end = [at + p.time_ns(i, s.device[i]) for i, at in enumerate(s.start_ns)]
    faults = [f"`{p.pieces[i].name}` starts before 0" for i, at in enumerate(s.start_ns) if at < 0]
    faults += _arrival_faults(p, s, end)
    for d, device in enumerate(p.devices):
        runs = [(s.start_ns[i], end[i], p.pieces[i].name) for i in range(len(p.pieces)) if s.device[i] == d]
        faults += _overlaps(device.name, runs)
    faults += _link_faults(p, s)
    if faults:
        return faults
    for device, peak in zip(p.devices, schedule_peaks(p, s), strict=True):
        if device.memory_bytes is not None and peak > device.memory_bytes:
            faults.append(f"`{device.name}` holds {peak} bytes, and has {device.memory_bytes}")
    if s.makespan_ns != max(end, default=0):
        faults.append(f"the last piece ends at {max(end, default=0)} ns, not {s.makespan_ns} ns")
    return faults


def schedule_peaks(p: OpPlacementProblem, s: Schedule) -> list[int]:
    """[bytes] the fullest moment of each device: weights, tensors and work of what runs. Equation (6)."""
    end = [at + p.time_ns(i, s.device[i]) for i, at in enumerate(s.start_ns)]
    changes: list[list[Pair]] = [[] for _ in p.devices]

    def hold(device: int, first: int, last: int, size: int) -> None:
        changes[device] += [(first, size), (max(last, first), -size)]

    for i, piece in enumerate(p.pieces):
        hold(s.device[i], s.start_ns[i], end[i], piece.work_bytes)
    sent: dict[int, list[Pair]] = defaultdict(list)
    for (t, target), at in s.sent_ns.items():
        sent[t].append((target, at))
    for t, tensor in enumerate(p.tensors):
        home = s.device[tensor.producer]
        used: dict[int, int] = defaultdict(int)
        for user in tensor.users:
            used[s.device[user]] = max(used[s.device[user]], end[user])
        last = max(used[home], end[tensor.producer])
        for target, at in sent[t]:
            last = max(last, at + (p.transfer_ns(t, home, target) or 0))
            hold(target, at, used[target], tensor.bytes)
        hold(home, s.start_ns[tensor.producer], last, tensor.bytes)
    weights = [sum(q.weight_bytes for i, q in enumerate(p.pieces) if s.device[i] == d) for d in range(len(p.devices))]
    return [weight + _peak(each) for weight, each in zip(weights, changes, strict=True)]


def pipeline_faults(p: OpPlacementProblem, s: Pipeline) -> list[str]:
    """Why the pipeline cannot be run as it says; nothing where it can."""
    if faults := _device_faults(p, s.device) or _count_faults(p, s.stage):
        return faults
    faults = []
    for tensor in p.tensors:
        for user in tensor.users:
            apart = s.device[tensor.producer] != s.device[user]
            if apart and (s.device[tensor.producer], s.device[user]) not in p.routes:
                faults.append(f"`{tensor.name}` has no way to `{p.pieces[user].name}`")
            if s.stage[user] < s.stage[tensor.producer] + 2 * apart:
                faults.append(f"`{p.pieces[user].name}` runs a stage before `{tensor.name}` is there")
    if min(s.stage, default=0) < 0:
        faults.append("a stage is less than 0")
    if faults:
        return faults
    for device, held in zip(p.devices, pipeline_bytes(p, s), strict=True):
        if device.memory_bytes is not None and held > device.memory_bytes:
            faults.append(f"`{device.name}` holds {held} bytes, and has {device.memory_bytes}")
    slowest = max((*pipeline_loads_ns(p, s)[0], *pipeline_loads_ns(p, s)[1]), default=0)
    if slowest != s.period_ns:
        faults.append(f"the slowest device or link is busy for {slowest} ns of a period of {s.period_ns} ns")
    return faults


def pipeline_loads_ns(p: OpPlacementProblem, s: Pipeline) -> tuple[list[int], list[int]]:
    """[ns] that each device, and each link, is busy in a period. Equation (9)."""
    devices, links = [0] * len(p.devices), [0] * len(p.links)
    for i, d in enumerate(s.device):
        devices[d] += p.time_ns(i, d)
    for t, tensor in enumerate(p.tensors):
        home = s.device[tensor.producer]
        for target in {s.device[user] for user in tensor.users} - {home}:
            for link in p.routes[home, target].links:
                links[link] += p.transfer_ns(t, home, target) or 0
    return devices, links


def pipeline_bytes(p: OpPlacementProblem, s: Pipeline) -> list[int]:
    """[bytes] of each device: weights, a buffer for each period a tensor is held, the largest work. Equation (10)."""
    held, work = [0] * len(p.devices), [0] * len(p.devices)
    for i, piece in enumerate(p.pieces):
        held[s.device[i]] += piece.weight_bytes
        work[s.device[i]] = max(work[s.device[i]], piece.work_bytes)
    for tensor in p.tensors:
        home, made = s.device[tensor.producer], s.stage[tensor.producer]
        last: dict[int, int] = {home: made}
        for user in tensor.users:
            last[s.device[user]] = max(last.get(s.device[user], 0), s.stage[user])
        if len(last) > 1:  # it is sent in the period after
            last[home] = max(last[home], made + 1)
        for device, until in last.items():
            held[device] += tensor.bytes * (until - made + (device == home))
    return [a + b for a, b in zip(held, work, strict=True)]


def _device_faults(p: OpPlacementProblem, device: Sequence[int]) -> list[str]:
    if len(device) != len(p.pieces):
        return [f"{len(device)} places for {len(p.pieces)} pieces"]
    wrong = (p.pieces[i].name for i, d in enumerate(device) if d not in p.allowed[i])
    return [f"`{name}` cannot run on its device" for name in wrong]


def _count_faults(p: OpPlacementProblem, given: Sequence[int]) -> list[str]:
    return [] if len(given) == len(p.pieces) else [f"{len(given)} starts for {len(p.pieces)} pieces"]


def _arrival_faults(p: OpPlacementProblem, s: Schedule, end: Sequence[int]) -> list[str]:
    """What is sent before it is made, used before it is there, or never sent."""
    faults = []
    for t, tensor in enumerate(p.tensors):
        home = s.device[tensor.producer]
        for user in tensor.users:
            target, name = s.device[user], p.pieces[user].name
            length = p.transfer_ns(t, home, target)
            if length is None:
                faults.append(f"`{tensor.name}` has no way to `{name}`")
            elif target != home and (t, target) not in s.sent_ns:
                faults.append(f"`{tensor.name}` is not sent to `{name}`")
            elif s.start_ns[user] < (end[tensor.producer] if target == home else s.sent_ns[t, target] + length):
                faults.append(f"`{name}` starts before `{tensor.name}` is there")
    for (t, target), at in s.sent_ns.items():
        if at < end[p.tensors[t].producer]:
            faults.append(f"`{p.tensors[t].name}` is sent before it is made")
        if p.transfer_ns(t, s.device[p.tensors[t].producer], target) is None:
            faults.append(f"`{p.tensors[t].name}` is sent where there is no way")
    return faults


def _link_faults(p: OpPlacementProblem, s: Schedule) -> list[str]:
    """Links that carry two tensors at once."""
    sent: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for (t, target), at in s.sent_ns.items():
        home = s.device[p.tensors[t].producer]
        route = p.routes.get((home, target))
        for link in route.links if route else ():
            sent[link].append((at, at + (p.transfer_ns(t, home, target) or 0), p.tensors[t].name))
    return [fault for link, each in sorted(sent.items()) for fault in _overlaps(p.links[link], each)]


def _overlaps(where: str, runs: Iterable[tuple[int, int, str]]) -> list[str]:
    """Things that one device or link does at the same time."""
    faults, busy_until, last = [], 0, ""
    for first, until, name in sorted(runs):
        if first < until and first < busy_until:
            faults.append(f"`{where}` does `{last}` and `{name}` at once")
        if until > busy_until:
            busy_until, last = until, name
    return faults


def _peak(changes: Iterable[Pair]) -> int:
    """The greatest sum at any time; what ends when another begins is gone by then."""
    total = peak = 0
    for _, change in sorted(changes):
        total += change
        peak = max(peak, total)
    return peak
