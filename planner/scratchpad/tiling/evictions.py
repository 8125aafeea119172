"""What operators in tiles push out of the scratchpad in every order, whatever else is chosen."""

from __future__ import annotations

from collections import Counter

from ..problem import ScratchpadProblem


class Evictions:
    """
    A bound on reloads and write-backs, operator by operator, that may be added up.

    (68) Tensor a crosses the tiled operator v if v does not touch it, but operators that are whole, before and
         after v in every order, do. If v needs so much that b bytes of what crosses it must be out, each tensor
         that is out will be reloaded (and written first, if it is intermediate and no tiled operator may have had
         it written), once at least for all the operators that it crosses; so each of these may claim an equal part.
         The cheapest b bytes, in fractions of tensors, are what v pushes out at least.
    """

    def __init__(self, problem: ScratchpadProblem, tiled: frozenset[int]) -> None:
        self.problem = problem
        self.crossing: dict[int, list[int]] = {op: [] for op in tiled}
        before = problem.ancestors
        for tensor, ops in enumerate(problem.touches):
            whole = [op for op in ops if op not in tiled]
            for op in tiled.difference(ops):
                early = any(before[op] >> other & 1 for other in whole)
                if early and any(before[other] >> op & 1 for other in whole):
                    self.crossing[op].append(tensor)
        claims = Counter(tensor for tensors in self.crossing.values() for tensor in tensors)
        self.price: dict[int, float] = {}
        """of pushing a tensor out, for each operator that it crosses [bytes]"""
        for tensor, count in claims.items():
            written = problem.tensors[tensor].leaves_free or not tiled.isdisjoint(problem.touches[tensor])
            self.price[tensor] = problem.tensors[tensor].bytes * (1 if written else 2) / count

    def least_bytes(self, op: int, resident_bytes: int) -> int:
        """What `op`, with so many bytes of its own, pushes out at least, rounded down."""
        sizes = self.problem.sizes
        crossing = [t for t in self.crossing[op] if sizes[t]]
        over = sum(sizes[t] for t in crossing) + resident_bytes - self.problem.size_bytes
        total = 0.0
        for tensor in sorted(crossing, key=lambda t: self.price[t] / sizes[t]):
            if over <= 0:
                break
            total += self.price[tensor] * min(1.0, over / sizes[tensor])
            over -= sizes[tensor]
        return int(total * (1 - 1e-12))
