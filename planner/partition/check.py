"""What a choice of ways takes, worked out from the problem alone: what the solver says is held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .problem import PartitionProblem, Tensor


class Broken(ValueError):
    """A choice that is no plan: the text says why."""


@dataclass(frozen=True)
class Taken:
    """What a plan takes."""

    seconds: float
    """[s] of one run"""
    moves_s: float
    """[s] of these that tensors move"""
    peak_bytes: float
    """[bytes] of the fullest moment, on one rank"""


def taken(p: PartitionProblem, ways: Sequence[int]) -> Taken:
    """What the ways take, one for each step; Broken where a tensor cannot be had as a user wants it."""
    if len(ways) != len(p.steps) or any(not 0 <= w < len(s.ways) for w, s in zip(ways, p.steps, strict=True)):
        raise Broken(f"{len(ways)} ways for {len(p.steps)} steps, or one that its step does not have")
    work = sum(step.count * step.ways[w].seconds for step, w in zip(p.steps, ways, strict=True))
    moves = sum(t.count * sum(t.moves[_made(p, ways, t), b] for b in _wanted(p, ways, t)) for t in p.tensors)
    return Taken(work + moves, moves, max(held_bytes(p, ways), default=0.0))


def held_bytes(p: PartitionProblem, ways: Sequence[int]) -> list[float]:
    """[bytes] on one rank at each moment."""
    made = [t.bytes[_made(p, ways, t)] for t in p.tensors]
    copies = [sum(t.bytes[b] for b in _wanted(p, ways, t)) for t in p.tensors]
    return [sum(stored * made[t] + copied * copies[t] for t, stored, copied in m.held) for m in p.moments]


def check(p: PartitionProblem, ways: Sequence[int], seconds: float) -> None:
    """Broken unless the ways are a plan that takes `seconds` and fits the memory."""
    found = taken(p, ways)
    if abs(found.seconds - seconds) > 1e-6 * max(found.seconds, 1e-9):
        raise Broken(f"the plan takes {found.seconds:.9g} s, not {seconds:.9g} s")
    if found.peak_bytes > p.memory_bytes * (1 + 1e-6):
        raise Broken(f"the plan holds {found.peak_bytes:.6g} bytes, a device {p.memory_bytes:.6g}")


def _made(p: PartitionProblem, ways: Sequence[int], tensor: Tensor) -> str:
    step, result = tensor.producer
    return p.steps[step].ways[ways[step]].results[result]


def _wanted(p: PartitionProblem, ways: Sequence[int], tensor: Tensor) -> set[str]:
    """The states other than its own that users take the tensor in."""
    made = _made(p, ways, tensor)
    states = {p.steps[step].ways[ways[step]].operands[operand] for step, operand in tensor.users} - {made}
    for state in states:
        if (made, state) not in tensor.moves:
            raise Broken(f"`{tensor.name}` is made as {made} and cannot be had as {state}")
    return states
