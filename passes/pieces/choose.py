"""
Which ops are a piece: pieces are joined along edges, the smallest first, while none of them comes to need itself.

A set of ops is convex if no path leaves it and comes back. All pieces are convex, and can run one after another, if
the graph between pieces has no cycle. Joining u with its user v keeps it so if and only if there is no other way from
u to v.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

Edge = tuple[int, int]


def join_pieces(work: Sequence[float], edges: Mapping[Edge, float], most: int) -> list[int]:
    """
    The piece of each op: at most `most` pieces, or as few as there are parts without an edge between them.

    `work` is that of each op, in an order in which every op stands after what it uses; `edges` are the bytes from one
    op to another. Pieces are numbered in an order in which they can run. Of pairs that may be joined the one with the
    least work together goes first, of equal ones that with the most bytes between them.
    """
    graph = _Pieces(work, edges)
    joined = True
    while graph.count > most and joined:
        joined = False
        heap = [graph.entry(u, v) for u in graph.after for v in graph.after[u]]
        heapq.heapify(heap)
        while heap and graph.count > most:
            load, less_bytes, u, v = heapq.heappop(heap)
            if u not in graph.after or (load, less_bytes) != graph.entry(u, v)[:2] or graph.has_detour(u, v):
                continue
            graph.join(u, v)
            joined = True
            for neighbour in graph.after[u]:
                heapq.heappush(heap, graph.entry(u, neighbour))
            for neighbour in graph.before[u]:
                heapq.heappush(heap, graph.entry(neighbour, u))
    return graph.numbered()


class _Pieces:
    """The graph between pieces, each called by its first op."""

    def __init__(self, work: Sequence[float], edges: Mapping[Edge, float]) -> None:
        self.work = dict(enumerate(work))
        self.ops = {i: [i] for i in range(len(work))}
        self.after: dict[int, dict[int, float]] = {i: {} for i in range(len(work))}
        self.before: dict[int, dict[int, float]] = {i: {} for i in range(len(work))}
        for (u, v), size in edges.items():
            if not u < v:
                raise ValueError(f"op {v} uses op {u}, which stands after it")
            self.after[u][v] = self.before[v][u] = size

    @property
    def count(self) -> int:
        """Number of pieces."""
        return len(self.ops)

    def entry(self, u: int, v: int) -> tuple[float, float, int, int]:
        """What the pair is sorted by."""
        if u not in self.after or v not in self.after[u]:
            return (0.0, 0.0, u, v)
        return (self.work[u] + self.work[v], -self.after[u][v], u, v)

    def has_detour(self, u: int, v: int) -> bool:
        """Whether there is a way from u to v through others, or no edge between them."""
        if v not in self.after.get(u, {}):
            return True
        last = max(self.ops[v])
        stack, seen = [w for w in self.after[u] if w != v], set[int]()
        while stack:
            w = stack.pop()
            if w == v:
                return True
            if w not in seen and min(self.ops[w]) < last:  # ops stand after what they use: no way back from behind v
                seen.add(w)
                stack += self.after[w]
        return False

    def join(self, u: int, v: int) -> None:
        """Let u be both."""
        self.ops[u] += self.ops.pop(v)
        self.work[u] += self.work.pop(v)
        for forward, backward in ((self.after, self.before), (self.before, self.after)):
            for w, size in forward.pop(v).items():
                backward[w].pop(v)
                if w != u:
                    forward[u][w] = backward[w][u] = forward[u].get(w, 0.0) + size

    def numbered(self) -> list[int]:
        """The piece of each op, numbered in an order in which they can run, of several the first in the file first."""
        waits = {u: len(before) for u, before in self.before.items()}
        ready = [(min(self.ops[u]), u) for u, count in waits.items() if not count]
        heapq.heapify(ready)
        number: dict[int, int] = {}
        for place in range(len(self.ops)):
            _, u = heapq.heappop(ready)
            number |= dict.fromkeys(self.ops[u], place)
            for v in self.after[u]:
                waits[v] -= 1
                if not waits[v]:
                    heapq.heappush(ready, (min(self.ops[v]), v))
        return [number[i] for i in range(len(number))]


def pieces_order(piece_of: Sequence[int], edges: Iterable[Edge]) -> bool:
    """Whether pieces can run in the order of their numbers: no edge goes back."""
    return all(piece_of[u] <= piece_of[v] for u, v in edges)
