"""SPLIT: a problem falls into pieces whose costs add, and equal pieces are solved once.

Two cuts are exact. Weakly connected components share no tensor, so they may run one after the other: without the
operators of the others any plan is a plan of each component (20). Inside a component, cut at an operator v that
is comparable with every other one when every tensor touched both before and after v is touched by v and leaves for
free (graph inputs, parameters, outputs): while v runs nothing else is wanted later, so whatever came before, the
right side starts with v's tensors resident and, where a write is charged at all, not yet written. v stands in both
pieces, touching in each only what is touched there a second time (21).

Source: `docs/math/scratchpad.md`; the exchange argument is the one of the design for (E, R, C) states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..problem import ScratchpadProblem


@dataclass(frozen=True)
class Piece:
    """A problem on its own, in local indices; tensors touched only once are counted in `need` alone."""

    operators: tuple[int, ...]
    """indices in the whole problem, in file order; the first may be shared with the piece before"""
    tensors: tuple[int, ...]
    """indices in the whole problem, by first touch"""
    touched: tuple[tuple[int, ...], ...]
    """by operator: tensors of the piece"""
    predecessors: tuple[tuple[int, ...], ...]
    """by operator: operators of the piece"""
    need: tuple[int, ...]
    """by operator: bytes resident while it runs, rounded"""
    size: tuple[int, ...]
    """by tensor: bytes in the scratchpad, rounded"""
    reload: tuple[int, ...]
    """by tensor: bytes that one reload moves"""
    write: tuple[int, ...]
    """by tensor: bytes that its write moves; 0 if it leaves for free"""
    capacity: int

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Equal for pieces with the same answer."""
        return (self.touched, self.predecessors, self.need, self.size, self.reload, self.write, self.capacity)

    @cached_property
    def uses(self) -> tuple[tuple[int, ...], ...]:
        """By tensor: operators that touch it, in file order."""
        found: list[list[int]] = [[] for _ in self.tensors]
        for op, touched in enumerate(self.touched):
            for tensor in touched:
                found[tensor].append(op)
        return tuple(tuple(ops) for ops in found)

    def reverse(self) -> Piece:
        """The piece with all precedences turned round: its optimum is the same, for a plan read backwards moves
        the same bytes (22)."""
        last = len(self.operators) - 1
        after: list[list[int]] = [[] for _ in self.operators]
        for op, before in enumerate(self.predecessors):
            for p in before:
                after[last - p].append(last - op)
        return Piece(
            self.operators[::-1],
            self.tensors,
            self.touched[::-1],
            tuple(tuple(sorted(ops)) for ops in after),
            self.need[::-1],
            self.size,
            self.reload,
            self.write,
            self.capacity,
        )


def whole(problem: ScratchpadProblem) -> Piece:
    """The problem as one piece."""
    return _piece(problem, range(len(problem.operators)), None, None)


def pieces(problem: ScratchpadProblem) -> list[Piece]:
    """The pieces of a problem; their orders, one after the other, make an order of the whole."""
    found: list[Piece] = []
    for component in _components(problem):
        cuts = _cuts(problem, component)
        starts = [None, *cuts]
        ends = [*cuts, None]
        at = {op: i for i, op in enumerate(component)}
        ranks = [0, *(at[c] for c in cuts), len(component) - 1]
        found += [
            _piece(problem, component[ranks[i] : ranks[i + 1] + 1], start, end)
            for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]
    return found


def _components(problem: ScratchpadProblem) -> list[list[int]]:
    """Operators by weakly connected component, over tensors that have any size, and precedences."""
    root = list(range(len(problem.operators)))

    def find(op: int) -> int:
        while root[op] != op:
            root[op] = root[root[op]]
            op = root[op]
        return op

    for op, before in enumerate(problem.predecessors):
        for p in before:
            root[find(op)] = find(p)
    for ops in problem.touches:
        for op in ops[1:]:
            root[find(op)] = find(ops[0])
    found: dict[int, list[int]] = {}
    for op in range(len(root)):
        found.setdefault(find(op), []).append(op)
    return list(found.values())


def _cuts(problem: ScratchpadProblem, component: Sequence[int]) -> list[int]:
    """Operators of a component at which (21) cuts, in order: one sweep over the file order.

    An operator is comparable with all when all before it in the file are its ancestors and all after its descendants:
    when, counting from either end, nothing else is open.
    """
    at = {op: i for i, op in enumerate(component)}
    heads = _dominates([[at[p] for p in problem.predecessors[op]] for op in component])
    after: list[list[int]] = [[] for _ in component]
    for i, op in enumerate(component):
        for p in problem.predecessors[op]:
            after[len(component) - 1 - at[p]].append(len(component) - 1 - i)
    tails = _dominates(after)[::-1]
    crossing = [0] * (len(component) + 1)
    for tensor in {t for op in component for t in problem.operators[op].touched}:
        steps = [at[op] for op in problem.touches[tensor]]
        if steps[0] == steps[-1]:
            continue
        crossing[steps[0] + 1] += 1
        crossing[steps[-1]] -= 1
    found, open_now = [], 0
    for i, op in enumerate(component):
        open_now += crossing[i]
        through = [
            t for t in problem.operators[op].touched if at[problem.touches[t][0]] < i < at[problem.touches[t][-1]]
        ]
        free = all(problem.tensors[t].leaves_free for t in through)
        if 0 < i < len(component) - 1 and heads[i] and tails[i] and free and open_now == len(through):
            found.append(op)
    return found


def _dominates(before: Sequence[Sequence[int]]) -> list[bool]:
    """Whether each index has all earlier ones among its ancestors: when every sink of these is its parent."""
    found, sinks = [], set[int]()
    for i, parents in enumerate(before):
        sinks.difference_update(parents)
        found.append(not sinks)
        sinks.add(i)
    return found


def _piece(problem: ScratchpadProblem, ops: Sequence[int], start: int | None, end: int | None) -> Piece:
    at = {op: i for i, op in enumerate(ops)}
    count: dict[int, int] = {}
    for op in ops:
        for t in problem.operators[op].touched:
            count[t] = count.get(t, 0) + 1
    tensors = [t for t, uses in count.items() if uses > 1 and problem.sizes[t] > 0]
    local = {t: i for i, t in enumerate(tensors)}
    touched = tuple(tuple(local[t] for t in problem.operators[op].touched if t in local) for op in ops)

    def need(op: int) -> int:
        if op in (start, end):
            return sum(problem.sizes[t] for t in problem.operators[op].touched if t in local)
        return problem.need_bytes[op]

    return Piece(
        tuple(ops),
        tuple(tensors),
        touched,
        tuple(tuple(sorted(at[p] for p in problem.predecessors[op] if p in at)) for op in ops),
        tuple(need(op) for op in ops),
        tuple(problem.sizes[t] for t in tensors),
        tuple(problem.tensors[t].bytes for t in tensors),
        tuple(0 if problem.tensors[t].leaves_free else problem.tensors[t].bytes for t in tensors),
        problem.size_bytes,
    )


def file_order(pieces: Sequence[Piece]) -> Iterator[int]:
    """The orders of the pieces one after the other, each in file order, shared operators once."""
    last = -1
    for piece in pieces:
        for op in piece.operators:
            if op != last:
                yield op
            last = op
