"""The partition model: min (6) subject to (1) to (5) of `docs/math/partition.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulp

from .problem import PartitionProblem, Tensor

MICRO = 1e6
"""The objective is in microseconds, so that coefficients stay near 1."""
TIE = 1e-6
"""[us] for each place of a way in its step's list: of plans that take equally long, the one of earlier ways."""


@dataclass(frozen=True)
class PartitionVars:
    """x[i,w]: step i takes way w; f[t,u,a,b]: user u takes tensor t, made as a, as b; z[t,a,b]: some user does."""

    x: Mapping[tuple[int, int], pulp.LpVariable]
    f: dict[tuple[int, int, str, str], pulp.LpVariable] = field(default_factory=dict)
    z: dict[tuple[int, str, str], pulp.LpVariable] = field(default_factory=dict)


def build(p: PartitionProblem) -> tuple[pulp.LpProblem, PartitionVars]:
    """min (6) subject to (1)-(5)."""
    m, v = add_variables(p)
    constrain_each_step_one_way(m, p, v)  # (1)
    constrain_made_as(m, p, v)  # (2)
    constrain_taken_as(m, p, v)  # (3)
    constrain_moved_once(m, p, v)  # (4)
    constrain_memory(m, p, v)  # (5)
    minimise_time(m, p, v)  # (6)
    return m, v


def add_variables(p: PartitionProblem) -> tuple[pulp.LpProblem, PartitionVars]:
    """x binary; f and z between 0 and 1, whole wherever x is."""
    m = pulp.LpProblem("partition", pulp.LpMinimize)
    v = PartitionVars(
        {
            (i, w): m.add_variable(f"x_{i}_{w}", cat=pulp.LpBinary)
            for i, step in enumerate(p.steps)
            for w in range(len(step.ways))
        }
    )
    for t, tensor in enumerate(p.tensors):
        for a, b in tensor.moves:
            if not any(b in taken_as(p, user) for user in tensor.users) or a not in made_as(p, tensor):
                continue
            v.z[t, a, b] = m.add_variable(f"z_{t}_{a}_{b}", 0, 1)
            for u, user in enumerate(tensor.users):
                if b in taken_as(p, user):
                    v.f[t, u, a, b] = m.add_variable(f"f_{t}_{u}_{a}_{b}", 0, 1)
    return m, v


def made_as(p: PartitionProblem, tensor: Tensor) -> dict[str, list[int]]:
    """State -> ways of the producer that give the tensor so."""
    step, result = tensor.producer
    found: dict[str, list[int]] = {}
    for w, way in enumerate(p.steps[step].ways):
        found.setdefault(way.results[result], []).append(w)
    return found


def taken_as(p: PartitionProblem, user: tuple[int, int]) -> dict[str, list[int]]:
    """State -> ways of the user that take the tensor so."""
    step, operand = user
    found: dict[str, list[int]] = {}
    for w, way in enumerate(p.steps[step].ways):
        found.setdefault(way.operands[operand], []).append(w)
    return found


def constrain_each_step_one_way(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(1) sum_w x[i,w] = 1 for each step i."""
    for i, step in enumerate(p.steps):
        m += pulp.lpSum(v.x[i, w] for w in range(len(step.ways))) == 1, f"one_way_{i}"


def constrain_made_as(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(2) sum_b f[t,u,a,b] = sum_{w gives t as a} x[producer(t),w] for each tensor t, user u, state a."""
    for t, tensor in enumerate(p.tensors):
        for a, ways in made_as(p, tensor).items():
            made = pulp.lpSum(v.x[tensor.producer[0], w] for w in ways)
            for u, user in enumerate(tensor.users):
                flows = [v.f[t, u, a, b] for b in taken_as(p, user) if (t, u, a, b) in v.f]
                m += pulp.lpSum(flows) == made, f"made_as_{t}_{u}_{a}"


def constrain_taken_as(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(3) sum_a f[t,u,a,b] = sum_{w takes t as b} x[u,w] for each tensor t, user u, state b."""
    for t, tensor in enumerate(p.tensors):
        for u, user in enumerate(tensor.users):
            for b, ways in taken_as(p, user).items():
                taken = pulp.lpSum(v.x[user[0], w] for w in ways)
                flows = [v.f[t, u, a, b] for a in made_as(p, tensor) if (t, u, a, b) in v.f]
                m += pulp.lpSum(flows) == taken, f"taken_as_{t}_{u}_{b}"


def constrain_moved_once(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(4) z[t,a,b] >= f[t,u,a,b] for each user u: users that want the same share one move."""
    for (t, u, a, b), flow in v.f.items():
        if a != b:
            m += v.z[t, a, b] >= flow, f"moved_once_{t}_{u}_{a}_{b}"


def constrain_memory(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(5) sum_t (n_t sum_w bytes[t,a(w)] x + c_t sum_{a != b} bytes[t,b] z[t,a,b]) / memory <= 1 at each moment."""
    share = 1 / max(p.memory_bytes, 1.0)
    for k, moment in enumerate(p.moments):
        terms = []
        for t, stored, copied in moment.held:
            tensor = p.tensors[t]
            for a, ways in made_as(p, tensor).items():
                terms += [stored * tensor.bytes[a] * share * v.x[tensor.producer[0], w] for w in ways]
                moved = [b for b in tensor.bytes if a != b and (t, a, b) in v.z]
                terms += [copied * tensor.bytes[b] * share * v.z[t, a, b] for b in moved]
        m += pulp.lpSum(terms) <= 1, f"memory_{k}"


def minimise_time(m: pulp.LpProblem, p: PartitionProblem, v: PartitionVars) -> None:
    """(6) sum_i count_i sum_w seconds[i,w] x[i,w] + sum_t count_t sum_{a != b} seconds[t,a,b] z[t,a,b] [us]."""
    work = [
        (step.count * way.seconds * MICRO + TIE * w) * v.x[i, w]
        for i, step in enumerate(p.steps)
        for w, way in enumerate(step.ways)
    ]
    moves = [p.tensors[t].count * p.tensors[t].moves[a, b] * MICRO * z for (t, a, b), z in v.z.items() if a != b]
    m += pulp.lpSum([*work, *moves])
