"""Traffic split by length and into parts: small random problems against all plans, one by one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from test_brute_force import Plan, costs, keeps, placeable, visit_values

from dovetail.ir.distribution import Distribution
from dovetail.ir.split import VisitClass
from dovetail.planner.placement.problem import (
    Bound,
    Option,
    Piece,
    PlacementProblem,
    Scenario,
    Transfer,
    VisitTime,
)
from dovetail.planner.placement.search.solve import best_plan

MOST_PLANS = 600
NODE = "n0"


def classes_of(r: random.Random, by: str, n: int) -> list[VisitClass]:
    if by == "parts":
        return [VisitClass(NODE, k, n, 1 / n, None, k - 1.0, k if k < n else math.inf) for k in range(1, n + 1)]
    cut, law = r.choice([0.3, 0.5, 0.6, 0.8]), Distribution.point(1.0)
    return [VisitClass(NODE, 1, 2, cut, law, 0.0, 100.0), VisitClass(NODE, 2, 2, 1 - cut, law, 100.0)]


def renamed(id: str, each: VisitClass) -> str:
    return f"{each.name}.{id.rpartition('.')[2]}"


def slower(r: random.Random, o: Option, each: VisitClass, by: str) -> Option:
    """What a class takes of an option: a share of the load, and by length other times and room."""
    if by == "parts":
        late, factor, room = 0, 1.0, 1.0
    else:
        late, factor, room = r.randint(0, 40) * (each.number - 1), r.uniform(0.6, 1.5), r.choice([0.5, 1.0, 2.0])

    def longer(t: VisitTime) -> VisitTime:
        return VisitTime(t.first.shifted(late / 1e3), t.total.shifted(late / 1e3), t.wait)

    return replace(
        o,
        piece=renamed(o.piece, each),
        visits=tuple(map(longer, o.visits)),
        load=o.load * each.share * factor,
        state_bytes=o.state_bytes * room,
        usd_per_request=o.usd_per_request * each.share,
        energy_j_per_request=o.energy_j_per_request * each.share * factor,
        tbt_s=tuple(gap + (late // 4) / 1e3 for gap in o.tbt_s),
    )


def split(p: PlacementProblem, seed: int, by: str) -> PlacementProblem:
    """The problem with the visits of its first node in classes."""
    r = random.Random(seed)
    whole = [q for q in p.pieces if q.node == NODE]
    classes = classes_of(r, by, 2 if by == "length" or len(whole) > 1 else r.choice([2, 3]))

    def copies(id: str) -> list[tuple[str, float]]:
        node = id.rpartition(".")[0]
        return [(renamed(id, each), each.share) for each in classes] if node == NODE else [(id, 1.0)]

    pieces = [
        Piece(renamed(q.id, each), each.name, q.part, 1.0, q.memory_key, visit_class=each, state_key=q.id)
        for q in whole
        for each in classes
    ]
    options = [slower(r, o, each, by) for o in p.options for each in classes if o.piece.startswith(f"{NODE}.")]
    bounds = [b for b in p.bounds if b.kind != "ttft" or b.node != NODE]
    if any(q.part == "decode" for q in whole) and r.random() < 0.6:
        percentile = r.choice([None, 0.6, 0.8, 0.95])
        bounds.append(Bound(f"slo.ttft[{NODE}]", "ttft", (r.randint(10, 60) + 0.5371) / 1e3, percentile, NODE))
    first = {step.pieces[0] for s in p.scenarios for step in s.steps if step.pieces[0].startswith(f"{NODE}.")}
    return replace(
        p,
        pieces=(*pieces, *(q for q in p.pieces if q.node != NODE)),
        options=(*options, *(o for o in p.options if not o.piece.startswith(f"{NODE}."))),
        transfers=tuple(_transfers(p, copies)),
        scenarios=tuple(_scenarios(p, classes)),
        bounds=tuple(bounds),
        together=tuple((a, b) for x, y in p.together for a, _ in copies(x) for b, _ in copies(y)),
        apart=tuple((a, b) for x, y in p.apart for a, _ in copies(x) for b, _ in copies(y)),
        alike=tuple(tuple(a for a, _ in copies(id)) for id in first) if by == "parts" else (),
    )


def _transfers(p: PlacementProblem, copies: Callable[[str], list[tuple[str, float]]]) -> Iterator[Transfer]:
    for t in p.transfers:
        for (a, share), (b, other) in itertools.product(copies(t.from_piece), copies(t.to_piece)):
            inside = t.from_piece.startswith(f"{NODE}.") and t.to_piece.startswith(f"{NODE}.")
            if inside and a.rpartition(".")[0] != b.rpartition(".")[0]:
                continue
            usd = share if inside else share * other
            routes = tuple(replace(route, usd_per_request=route.usd_per_request * usd) for route in t.routes)
            yield replace(t, from_piece=a, to_piece=b, routes=routes)


def _scenarios(p: PlacementProblem, classes: list[VisitClass]) -> Iterator[Scenario]:
    for s in p.scenarios:
        for each in classes:
            steps = tuple(
                replace(step, pieces=tuple(renamed(q, each) if q.startswith(f"{NODE}.") else q for q in step.pieces))
                for step in s.steps
            )
            yield replace(s, probability=s.probability * each.share, steps=steps)


def keeps_bound(p: PlacementProblem, b: Bound, plan: Plan) -> bool:
    """As in the other brute force, but over all classes of a split node."""
    pieces = [q for q in p.pieces if q.whole == b.node and q.visit_class is not None]
    if b.kind not in ("ttft", "tbt") or not pieces:
        return keeps(p, b, plan)
    if b.kind == "tbt":
        return all(keeps(p, replace(b, node=node), plan) for node in dict.fromkeys(q.node for q in pieces))
    visited = {(step.pieces[0], step.visit) for s in p.scenarios for step in s.steps}
    for k in {visit for piece, visit in visited if piece in {q.id for q in pieces}}:
        average = kept = 0.0
        for q in pieces:
            if (q.id, k) in visited:
                (wait, chance), (first, other) = (
                    visit_values(plan[q.id].visits[k - 1], part) for part in ("wait", "first")
                )
                both, weight = np.add.outer(wait, first), np.multiply.outer(chance, other)
                average += q.share * float(np.sum(both * weight))
                kept += q.share * float(np.sum(weight[both <= b.limit_s]))
        if average > b.limit_s if b.percentile is None else kept < b.percentile - 1e-9:
            return False
    return True


def fits(p: PlacementProblem, plan: Plan) -> bool:
    """`placeable`, with the room for state shared by classes of one piece, which the other brute force adds up."""
    for g in p.pools:
        shared: dict[tuple[str, str], float] = {}
        for q in (q for q in p.pieces if plan[q.id].pool == g.id):
            for what, key, size in (
                ("weights", q.memory_key or q.id, plan[q.id].weight_bytes),
                ("state", q.state_key or q.id, plan[q.id].state_bytes),
            ):
                shared[what, key] = max(shared.get((what, key), 0.0), size)
        if sum(shared.values()) > g.memory_bytes:
            return False
    roomy = replace(p, pools=tuple(replace(g, memory_bytes=math.inf) for g in p.pools))
    return placeable(roomy, plan)


def both_optima(p: PlacementProblem) -> tuple[float | None, float | None]:
    """The least cost of all plans, and of those that keep each piece's classes in one pool."""
    rows = [[o for o in p.options if o.piece == q.id] for q in p.pieces]
    priced: list[tuple[float, Plan]] = []
    for choice in itertools.product(*rows):
        plan = {o.piece: o for o in choice}
        if fits(p, plan):
            usd = min(costs(p, plan), default=None)
            if usd is not None:
                priced.append((usd, plan))
    optimum: float | None = None
    for usd, plan in sorted(priced, key=lambda pair: pair[0]):
        as_one = all(
            len({plan[q.id].pool for q in p.pieces if q.state_key == key}) == 1
            for key in {q.state_key for q in p.pieces if q.state_key}
        )
        if (optimum is None or as_one) and all(keeps_bound(p, b, plan) for b in p.bounds):
            optimum = usd if optimum is None else optimum
            if as_one:
                return optimum, usd
    return optimum, None


CHANGED = {
    "length": [
        6,
        73,
        86,
        102,
        123,
        144,
        153,
        162,
        190,
        227,
        252,
        272,
        275,
        284,
        343,
        347,
        350,
        358,
        383,
        407,
        416,
        427,
        444,
        448,
        511,
        559,
        574,
        579,
        588,
        626,
        667,
        670,
    ],
    "parts": [
        27,
        63,
        86,
        89,
        93,
        123,
        153,
        190,
        252,
        295,
        308,
        347,
        350,
        352,
        358,
        383,
        407,
        416,
        427,
        434,
        511,
        528,
        559,
        574,
        588,
        626,
        627,
        667,
        762,
        772,
        789,
        839,
    ],
}
"""Seeds with which splitting changes the answer, as the test counts."""


@pytest.mark.parametrize("by", ["length", "parts"])
def test_planner_and_brute_force_agree_on_split_traffic(
    by: str, random_problem: Callable[[int], PlacementProblem]
) -> None:
    """Where splitting changes the answer, and where it does not."""
    changed = 0
    for seed in dict.fromkeys([*CHANGED[by], *range(40)]):
        p = split(replace(random_problem(seed), objective="cost"), seed, by)
        if p.rate_per_s is None or math.prod(sum(o.piece == q.id for o in p.options) for q in p.pieces) > MOST_PLANS:
            continue
        optimum, unsplit = both_optima(p)
        result = best_plan(p, None)
        assert result.status == ("infeasible" if optimum is None else "optimal"), seed
        if optimum is not None:
            assert result.objective == pytest.approx(optimum, rel=1e-6), seed
            changed += unsplit is None or optimum < unsplit * (1 - 1e-6)
    assert changed >= 30
