"""
Graphs with necks: pieces before which everything ends that others need, as between the layers of a network.

All that stands before a neck ends before it starts, and all behind starts after it ends. So the least makespan is a
shortest path over the devices of the necks, the length of a step being the least makespan of the segment between two of
them: exact, with problems as small as a layer. Equation (20) of `docs/math/op_placement.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .bounds import heads_ns, path_bound_ns, tails_ns, through_ns
from .problem import Answer, OpPlacementProblem, Piece, Schedule, Tensor

WIDE = 0.25
"""share of the graph that the users of a tensor are spread over, from which its producer may stand aside"""
LEAST_PIECES = 4
"""of a segment; nearer necks are passed over"""
Solve = Callable[[OpPlacementProblem], Answer]
Step = tuple[int, int, int]
"""(segment, device of the neck before, device of the neck behind)"""


@dataclass
class Known:
    """What is known of one step."""

    bound_ns: float
    value_ns: float | None = None
    schedule: Schedule | None = None


@dataclass(frozen=True)
class Necks:
    """Where a graph is narrow."""

    at: tuple[int, ...]
    """pieces"""
    aside: frozenset[int]
    """what may run at any time before its users, and is left out of all segments but the first"""
    before: tuple[int, ...]
    """bits of the pieces that each piece needs"""


def find_necks(p: OpPlacementProblem) -> Necks:
    """
    Pieces with which all others are in line, and past which no tensor goes: but for what stands aside.

    Aside are sources that take no time, and what is made of them alone for users all over the graph, as a mask is.
    What is left out makes the sum of segments a bound; their schedules are then put together with it.
    """
    n = len(p.pieces)
    before, after = [0] * n, [0] * n
    for v in range(n):
        for t in p.inputs[v]:
            before[v] |= before[p.tensors[t].producer] | 1 << p.tensors[t].producer
    for u in reversed(range(n)):
        for v in {v for t in p.outputs[u] for v in p.tensors[t].users}:
            after[u] |= after[v] | 1 << v
    aside = _aside(p)
    passing_from = [0] * (n + 1)
    """changes of how many tensors go past each piece"""
    for t in p.tensors:
        if t.users and t.producer not in aside and max(t.users) > t.producer + 1:
            passing_from[t.producer + 1] += 1
            passing_from[max(t.users)] -= 1
    rest, passing, found = sum(1 << i for i in range(n) if i not in aside), 0, list[int]()
    for v in range(n):
        passing += passing_from[v]
        in_line = not rest & ~(before[v] | after[v] | 1 << v)
        if v not in aside and in_line and not passing and (not found or v - found[-1] >= LEAST_PIECES):
            found.append(v)
    inner = tuple(v for v in found if 0 < v < n - 1)
    return Necks(inner, frozenset(aside), tuple(before))


def _aside(p: OpPlacementProblem) -> set[int]:
    """Sources that take no time, and what is made for users all over the graph and of nothing else than that."""
    origins = {i for i, q in enumerate(p.pieces) if not p.inputs[i] and not any(q.times_ns)}
    wide = {t.producer for t in p.tensors if len(t.users) > 1 and max(t.users) - t.users[0] > len(p.pieces) * WIDE}
    side = set(origins)
    for u in reversed(range(len(p.pieces))):
        users = {v for t in p.outputs[u] for v in p.tensors[t].users}
        if u in wide or (users and users <= side - origins):
            side.add(u)
    lasting = set(side)
    for u in sorted(side - origins):  # what needs more than that is not aside
        if any(p.tensors[t].producer not in lasting for t in p.inputs[u]):
            lasting.discard(u)
    return lasting


class Segments:
    """The steps between necks, each solved when the shortest path needs it."""

    def __init__(self, p: OpPlacementProblem, necks: Necks) -> None:
        self.p, self.necks = p, necks
        self.cuts = [-1, *necks.at, len(p.pieces)]
        self.known: dict[Step, Known] = {}
        self.same: dict[tuple[tuple[Piece, ...], tuple[Tensor, ...]], Answer] = {}

    def devices(self, cut: int) -> Sequence[int]:
        """The devices of a neck; one state stands for the ends, which are none."""
        at = self.cuts[cut]
        return self.p.allowed[at] if 0 <= at < len(self.p.pieces) else (0,)

    def solve(self, solve: Solve, is_over: Callable[[], bool]) -> tuple[int, list[tuple[int, Known]] | None]:
        """
        A bound [ns] and, once all its steps are solved, the shortest path: (device of the neck behind, step) for each.
        """
        while True:
            length, path = self.shortest()
            unsolved = [key for key in path if self.known[key].value_ns is None]
            if not unsolved:
                return length, [(key[2], self.known[key]) for key in path]
            for key in unsolved:
                if is_over():
                    return self.shortest()[0], None
                answer = self.ask(key, solve)
                step = self.known[key]
                step.bound_ns = max(step.bound_ns, answer.bound_ns)
                if isinstance(answer.best, Schedule):
                    step.value_ns, step.schedule = answer.best.makespan_ns, answer.best
                elif answer.status == "infeasible":
                    step.bound_ns = step.value_ns = float("inf")
                else:
                    return self.shortest()[0], None

    def ask(self, key: Step, solve: Solve) -> Answer:
        """The answer of a step; segments that are alike are solved once."""
        problem = self.segment(key)
        same = (problem.pieces, problem.tensors)
        if same not in self.same:
            self.same[same] = solve(problem)
        return self.same[same]

    def shortest(self) -> tuple[int, list[Step]]:
        """The length and the steps of the shortest path, by what is known."""
        best: dict[int, tuple[float, list[Step]]] = {0: (0.0, [])}
        for k in range(len(self.cuts) - 1):
            following: dict[int, tuple[float, list[Step]]] = {}
            for b in self.devices(k + 1):
                ways = ((length + self.bound((k, a, b)), [*path, (k, a, b)]) for a, (length, path) in best.items())
                following[b] = min(ways, key=lambda way: way[0])
            best = following
        length, path = min(best.values(), key=lambda way: way[0])
        return int(length) if length < float("inf") else 0, path

    def bound(self, key: Step) -> float:
        """[ns] that a step takes at least."""
        if key not in self.known:
            s = self.segment(key)
            self.known[key] = Known(path_bound_ns(through_ns(s, heads_ns(s), tails_ns(s))))
        return self.known[key].bound_ns

    def segment(self, key: Step) -> OpPlacementProblem:
        """The problem of a step: from the end of the neck before to the end of the neck behind."""
        k, a, b = key
        p, first, last = self.p, self.cuts[k], self.cuts[k + 1]
        inside = range(max(first, 0), min(last + 1, len(p.pieces)))
        left_out = {i for i in inside if self.is_left_out(i, k)}
        pieces = [replace(p.pieces[i], name=str(i - inside.start)) for i in inside]
        for i in left_out:
            nothing = tuple(None if t is None else 0 for t in p.pieces[i].times_ns)
            pieces[i - inside.start] = replace(pieces[i - inside.start], times_ns=nothing, weight_bytes=0, work_bytes=0)
        if first >= 0:
            only = tuple(0 if d == a else None for d in range(len(p.devices)))
            pieces[0] = replace(pieces[0], times_ns=only, weight_bytes=0, work_bytes=0)
        if last < len(p.pieces):
            times = pieces[-1].times_ns
            pieces[-1] = replace(pieces[-1], times_ns=tuple(t if d == b else None for d, t in enumerate(times)))
        return OpPlacementProblem(tuple(pieces), tuple(self._tensors(inside, left_out)), p.devices, p.routes, p.links)

    def is_left_out(self, i: int, k: int) -> bool:
        """Whether a piece stands aside of segment `k`: the first holds what its neck needs."""
        needed = k == 0 and len(self.cuts) > 2 and self.necks.before[self.cuts[1]] >> i & 1
        return i in self.necks.aside and not needed

    def _tensors(self, inside: range, left_out: set[int]) -> Iterator[Tensor]:
        for t in self.p.tensors:
            users = tuple(v - inside.start for v in t.users if v in inside)
            if t.producer in inside[:-1] and t.producer not in left_out and users:
                yield Tensor("", t.producer - inside.start, users, t.bytes)

    def devices_and_starts(self, path: Sequence[tuple[int, Known]]) -> tuple[list[int], list[int]]:
        """The device and a start [ns] of each piece, along a path whose steps are solved."""
        device, start, began = [0] * len(self.p.pieces), [0] * len(self.p.pieces), 0
        for k, (_, step) in enumerate(path):
            assert step.schedule is not None
            first = self.cuts[k]
            for offset, d in enumerate(step.schedule.device):
                i = max(first, 0) + offset
                if i != first:
                    device[i], start[i] = d, began + step.schedule.start_ns[offset]
                if self.is_left_out(i, k):
                    start[i] = 0
            began += step.schedule.makespan_ns
        for u in sorted(self.necks.aside, reverse=True):
            users = [v for t in self.p.outputs[u] for v in self.p.tensors[t].users]
            if users and device[users[0]] in self.p.allowed[u]:
                device[u] = device[users[0]]
        return device, start
