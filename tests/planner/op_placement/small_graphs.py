"""Small random graphs on unlike devices, and the graph of the HEFT paper."""

from __future__ import annotations

import random

from dovetail.planner.op_placement.problem import Device, OpPlacementProblem, Piece, Route, Tensor

TIMES = (
    (14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10),
    (13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16),
)  # fmt: skip
"""of the ten tasks on three processors: Topcuoglu, Hariri, Wu 2002, Figure 2"""
SENT = {
    (1, 2): 18, (1, 3): 12, (1, 4): 9, (1, 5): 11, (1, 6): 14, (2, 8): 19, (2, 9): 16, (3, 7): 23, (4, 8): 27,
    (4, 9): 23, (5, 9): 13, (6, 8): 15, (7, 10): 17, (8, 10): 11, (9, 10): 13,
}  # fmt: skip
"""time between two tasks on unlike processors: the same figure"""


def all_routes(devices: int, linked: bool, latency_ns: int = 0) -> dict[tuple[int, int], Route]:
    """A byte takes a nanosecond, between all devices; all share one link, or none is in another's way."""
    links = (0,) if linked else ()
    return {(a, b): Route(1e9, latency_ns, links) for a in range(devices) for b in range(devices) if a != b}


def heft_paper() -> OpPlacementProblem:
    """The graph of the paper's Figure 2."""
    return OpPlacementProblem(
        tuple(Piece(f"n{i + 1}", times) for i, times in enumerate(TIMES)),
        tuple(Tensor(f"{u}-{v}", u - 1, (v - 1,), size) for (u, v), size in SENT.items()),
        tuple(Device(f"P{d + 1}") for d in range(3)),
        all_routes(3, linked=False),
    )


def small(seed: int, pieces: int = 5, devices: int = 2, linked: bool = True, memory: float = 0.0) -> OpPlacementProblem:
    """A graph of a few pieces; with `memory`, devices hold about that share of all there is."""
    r = random.Random(seed)
    rows = []
    for i in range(pieces):
        times: list[int | None] = [r.randint(1, 9) for _ in range(devices)]
        if r.random() < 0.15:
            times[r.randrange(devices)] = None
        rows.append(Piece(f"p{i}", tuple(times), r.randint(0, 6), r.randint(0, 3)))
    tensors = []
    for u in range(pieces):
        later = [v for v in range(u + 1, pieces) if r.random() < 0.45]
        if later or r.random() < 0.3:
            tensors.append(Tensor(f"t{u}", u, tuple(later), r.randint(1, 6)))
    total = sum(q.weight_bytes + q.work_bytes for q in rows) + sum(t.bytes for t in tensors)
    room = [round(total * memory * r.uniform(0.7, 1.3)) if memory else None for _ in range(devices)]
    routes = all_routes(devices, linked, r.randint(0, 1))
    if r.random() < 0.1:
        del routes[r.choice(sorted(routes))]
    links = ("bus",) if linked else ()
    return OpPlacementProblem(
        tuple(rows), tuple(tensors), tuple(Device(f"d{d}", size) for d, size in enumerate(room)), routes, links
    )


def forks(seed: int, devices: int = 2, linked: bool = True) -> OpPlacementProblem:
    """One piece makes a tensor for each of three, which one brings together: what is sent is sent at the same time."""
    r = random.Random(seed)
    pinned = {0: 0, 1: 1, 2: 1, 4: 0}
    """where the ends and two of the three run: so tensors meet on the link"""
    times = [[r.randint(2, 12) for _ in range(devices)] for _ in range(5)]
    pieces = tuple(
        Piece(f"p{i}", tuple(ns if pinned.get(i, d) == d else None for d, ns in enumerate(row)))
        for i, row in enumerate(times)
    )
    ends = [(0, i, r.randint(2, 6)) for i in (1, 2, 3)] + [(i, 4, r.randint(2, 6)) for i in (1, 2, 3)]
    tensors = tuple(Tensor(f"{u}-{v}", u, (v,), size) for u, v, size in ends)
    names = tuple(Device(f"d{d}") for d in range(devices))
    return OpPlacementProblem(pieces, tensors, names, all_routes(devices, linked), ("bus",) if linked else ())


def layers(seed: int, count: int, width: int = 4, devices: int = 3) -> OpPlacementProblem:
    """A network of layers: each fans out from a neck and comes together in the next."""
    r = random.Random(seed)
    pieces, tensors = [Piece("neck 0", tuple(r.randint(5, 20) for _ in range(devices)))], list[Tensor]()
    for k in range(count):
        neck, inside = len(pieces) - 1, range(len(pieces), len(pieces) + width)
        for i in inside:
            pieces.append(Piece(f"{k}.{i}", tuple(r.randint(10, 60) for _ in range(devices))))
        tensors.append(Tensor("fan out", neck, tuple(inside), r.randint(2, 25)))
        tensors += [Tensor("join", i, (inside.stop,), r.randint(2, 25)) for i in inside]
        pieces.append(Piece(f"neck {k + 1}", tuple(r.randint(5, 20) for _ in range(devices))))
    names = tuple(Device(f"d{d}") for d in range(devices))
    return OpPlacementProblem(tuple(pieces), tuple(tensors), names, all_routes(devices, True), ("bus",))
