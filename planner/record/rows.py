"""`placements` and `transfers` of plan.json: classes of one node that share a pool are one row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ...ir.split import when_of, without_class
from ..placement.problem import Option, Piece, PlacementProblem
from ..placement.result import UsedTransfer

Json = dict[str, Any]


def placement_rows(problem: PlacementProblem, chosen: Mapping[str, Option], number: Mapping[str, str]) -> list[Json]:
    """Each piece of the user's with its pools, by id; `number` is what the plan calls a pool."""
    pieces = {piece.id: piece for piece in problem.pieces}
    device = {pool.id: pool.device for pool in problem.pools}
    reached = _reached(problem)
    rows: dict[tuple[str, str], list[Piece]] = {}
    for id in sorted(chosen, key=lambda id: _in_order(pieces[id])):
        rows.setdefault((without_class(id), chosen[id].pool), []).append(pieces[id])
    found = []
    for (piece, pool), inside in rows.items():
        classes = [each.visit_class for each in inside if each.visit_class is not None]
        made = sum(each.visits_per_request for each in inside)
        times = [_mean_visit_s(reached[each.id], chosen[each.id]) for each in inside]
        seconds = sum(each.visits_per_request * time for each, time in zip(inside, times, strict=True))
        when = when_of(classes) if classes else None
        found.append(
            {
                "piece": piece,
                "pool": number[pool],
                "device": device[pool],
                "share": 1.0 if when is None else sum(each.share for each in classes),
                "when": when,
                "latency_s": seconds / made
                if len(inside) > 1
                else _mean_visit_s(reached[inside[0].id], chosen[inside[0].id]),
            }
        )
    return found


def _in_order(piece: Piece) -> tuple[str, int]:
    return without_class(piece.id), 0 if piece.visit_class is None else piece.visit_class.number


def _reached(problem: PlacementProblem) -> dict[str, dict[int, float]]:
    """Piece -> number of a visit -> how often a request makes it."""
    found: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for scenario in problem.scenarios:
        for step in scenario.steps:
            for piece in step.pieces:
                found[piece][step.visit] += scenario.probability
    return found


def _mean_visit_s(reached: Mapping[int, float], option: Option) -> float:
    """Mean time of a visit, the wait apart, over the visits that requests make [s]."""
    seconds = sum(often * option.visits[visit - 1].total.mean for visit, often in reached.items())
    return seconds / sum(reached.values())


def transfer_rows(problem: PlacementProblem, transfers: Iterable[UsedTransfer]) -> list[Json]:
    """What moves, and of split nodes when: the condition by node."""
    pieces = {piece.id: piece for piece in problem.pieces}
    found = []
    for t in transfers:
        ends = (pieces[t.from_piece], pieces[t.to_piece])
        if not (t.bytes or t.latency_s or ends[0].node == ends[1].node):
            continue
        row: Json = {"from": without_class(t.from_piece), "to": without_class(t.to_piece)}
        row |= {"bytes": t.bytes, "latency_s": t.latency_s}
        split = {each.whole: when_of([each.visit_class]) for each in ends if each.visit_class is not None}
        found.append(row | ({"when": split} if split else {}))
    return found
