"""Equations (39) and (40) of `docs/math/placement.md`: one of several models a node, and its quality."""

from __future__ import annotations

from collections.abc import Mapping

import pulp

from ..problem import PlacementProblem
from .variables import LOAD_TOLERANCE, Expr, PlacementVars


def quality_weights(p: PlacementProblem, graph: str = "") -> dict[str, float]:
    """First piece of each node that states qualities -> share of the visits to such nodes, of one graph or of all."""
    prefix = f"{graph}/" if graph else ""
    scored = {o.piece for o in p.options if o.score is not None and o.piece.startswith(prefix)}
    first: dict[str, str] = {}
    for q in p.pieces:
        if q.id in scored:
            first.setdefault(q.node, q.id)
    visits = {q.id: q.visits_per_request for q in p.pieces if q.id in first.values()}
    total = sum(visits.values())
    return {piece: each / total if total else 1 / len(visits) for piece, each in visits.items()}


def node_qualities(p: PlacementProblem, plan: Mapping[str, str]) -> dict[str, float]:
    """Node -> quality of the model that a plan (piece -> pool) gives it; nodes that state none are absent."""
    nodes = {q.id: q.node for q in p.pieces}
    chosen = {o.piece: o.score for o in p.options if plan[o.piece] == o.pool and o.score is not None}
    return {nodes[piece]: chosen[piece] for piece in quality_weights(p)}


def mean_quality(p: PlacementProblem, plan: Mapping[str, str]) -> float | None:
    """Mean of `node_qualities` by visits; None where no node states any."""
    found, nodes = node_qualities(p, plan), {q.id: q.node for q in p.pieces}
    weights = quality_weights(p)
    return sum(weight * found[nodes[piece]] for piece, weight in weights.items()) if weights else None


def constrain_one_model(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(39) sum over g with model k of x[p,g] = the same of x[q,g], for pieces p, q of a node and each model k."""
    of_node: dict[str, list[str]] = {}
    for q in p.pieces:
        of_node.setdefault(q.node, []).append(q.id)
    for node, pieces in of_node.items():
        models = {v.pools[g].model: None for q in pieces for g in v.pools_of[q] if v.pools[g].model}
        for model in models if len(models) > 1 and len(pieces) > 1 else ():
            here = [Expr([(v.x[q, g], 1) for g in v.pools_of[q] if v.pools[g].model == model]) for q in pieces]
            for other in here[1:]:
                m.addConstraint(here[0] - other == 0, v.name("one_model", node, model))


def constrain_quality(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(40) sum_p w[p] sum_g score[p,g] x[p,g] >= bound: w is 1 for one node, or shares of visits over all."""
    for b in p.quality_bounds:
        weights = quality_weights(p, b.graph)
        if b.node is not None:
            weights = {piece: 1.0 for piece in weights if v.pieces[piece].node == b.node}
        # Where no option of the node is left there is no plan anyway.
        if weights:
            m.addConstraint(quality(v, weights) >= b.least * (1 - LOAD_TOLERANCE), v.name("quality", b.name))


def quality(v: PlacementVars, weights: Mapping[str, float]) -> Expr:
    """sum_p w[p] sum_g score[p,g] x[p,g]."""
    return Expr(
        [
            (v.x[piece, g], weight * (v.options[piece, g].score or 0.0))
            for piece, weight in weights.items()
            for g in v.pools_of[piece]
        ]
    )
