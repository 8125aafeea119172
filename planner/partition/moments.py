"""Which tensors are in memory at once, when ops run in file order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from xdsl.ir import Block, SSAValue

from ...ir import nn
from .problem import Moment

COMPARED = 400
"""moments up to which those within another are left out"""


def moments(block: Block, index: Mapping[SSAValue, int], stands_for: Mapping[SSAValue, SSAValue]) -> tuple[Moment, ...]:
    """
    What is held while each op runs, equal moments once.

    A weight is held all the time, an input from the start, a result from its op on, all to the last use; the results
    of an op and its operands are held together. A tensor's copies in other states are taken to be held as long as
    it is in use: a bound, as they are made before the first user of theirs and dropped after the last.
    """
    ops = list(block.ops)
    last: dict[SSAValue, int] = {}
    first: dict[SSAValue, int] = {}
    for step, op in enumerate(ops):
        for operand in op.operands:
            value = stands_for.get(operand) or operand
            last[value] = step
            first.setdefault(value, step)
    stored: Counter[int] = Counter()
    copied: Counter[int] = Counter()
    begins: list[list[SSAValue]] = [[] for _ in ops]
    ends: list[list[SSAValue]] = [[] for _ in ops]
    born: dict[SSAValue, int] = {r: step for step, op in enumerate(ops) for r in op.results}
    born |= dict.fromkeys(block.args, 0)
    for value, t in index.items():
        is_weight = isinstance(value.owner, nn.WeightOp)
        start = first.get(value, born[value]) if is_weight else born[value]
        stored[t] += is_weight
        begins[start].append(value)
        ends[last.get(value, start)].append(value)
    found: dict[tuple[tuple[int, int, int], ...], None] = {}
    for step in range(len(ops)):
        for value in begins[step]:
            stored[index[value]] += not isinstance(value.owner, nn.WeightOp)
            copied[index[value]] += 1
        found[tuple((t, n, copied[t]) for t, n in sorted(stored.items()) if n)] = None
        for value in ends[step]:
            stored[index[value]] -= not isinstance(value.owner, nn.WeightOp)
            copied[index[value]] -= 1
    return tuple(Moment(held) for held in _largest(list(found)))


def _largest(found: list[tuple[tuple[int, int, int], ...]]) -> list[tuple[tuple[int, int, int], ...]]:
    """Those that are not within another."""
    if len(found) > COMPARED:
        return found
    width = 1 + max((t for held in found for t, _, _ in held), default=0)
    tables = np.zeros((len(found), 2 * width), dtype=np.int32)
    for row, held in zip(tables, found, strict=True):
        for t, n, c in held:
            row[t], row[width + t] = n, c
    within = [(row <= tables).all(axis=1).sum() > 1 for row in tables]  # each is within itself
    return [held for held, other in zip(found, within, strict=True) if not other]
