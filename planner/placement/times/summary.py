"""The latencies of a plan, for reports: on a grid of nearest points, with draws where times do not reduce."""

from __future__ import annotations

from ..problem import Bound, Option, PlacementProblem, Step
from ..result import LatencySummary
from .judge import SIZES, SPAN, WHOLE
from .latency import Latencies, ttft
from .laws import Grid, Law, quantile, quantile_of_mixture
from .mixture import mean_s, quantile_of_classes

Laws = list[tuple[float, Law]]
"""Probability and law of each scenario."""
PERCENTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
FINER, ROUGH = 4.0, 0.05
"""A grid that reaches this many times further than a percentile, and may be off by this share of it, gives way to a
grid of the percentile's own."""
FAR = 0.9999
"""Grids reach to where every time of a request in a row is at this quantile."""


def horizon_s(p: PlacementProblem, plan: dict[str, str]) -> float:
    """A time by which nearly all requests have ended: the longest scenario's steps in a row [s]."""
    options = {(o.piece, o.pool): o for o in p.options}
    moves = sum(r.latency_s for t in p.transfers for r in t.routes[:1])

    def far(step: Step) -> float:
        times = [options[q, plan[q]].visits[step.visit - 1] for q in step.pieces]
        return sum(sum(quantile(part, FAR) for part in (t.wait, t.total, *t.lost)) for t in times)

    return (max(sum(far(step) for step in s.steps) for s in p.scenarios) + moves) * SPAN or 1.0


def summarise(p: PlacementProblem, plan: dict[str, str]) -> LatencySummary:
    """Latencies of a plan [s]."""
    if not p.scenarios:
        return LatencySummary()
    graphs = dict.fromkeys(["", *(s.graph for s in p.scenarios)])
    grid = Latencies(p, Grid(horizon_s(p, plan) / SIZES[1], SIZES[1], nearest=True))
    laws = {kind: grid.drawn_laws(kind, *grid.of_plan(plan)) for kind in WHOLE}
    wholes = {graph: {kind: _whole(grid, kind, laws[kind], plan, graph) for kind in WHOLE} for graph in graphs}
    chosen = {q: grid.options[q, g] for q, g in plan.items()}
    llm = dict.fromkeys(q.whole for q in p.pieces if chosen[q.id].tbt_s)
    percentiles = {b.node: b.percentile for b in p.bounds if b.kind == "ttft"}
    firsts = _first_pieces(p)
    ttfts = {
        n: max(_ttft(p, chosen, pieces, k, percentiles.get(n)) for k, pieces in firsts[n].items())
        for n in dict.fromkeys([*llm, *(b.node for b in p.bounds if b.kind == "ttft" and b.node)])
        if n in firsts
    }
    tbts = {n: _tbt(p, grid, chosen, n) for n in llm}
    bounds = {b.name: _value(b, wholes, ttfts, tbts, grid, laws, plan) for b in p.bounds}
    error = max((law.error_s for found in laws.values() for _, law in found), default=0.0)
    own = {graph: whole for graph, whole in wholes.items() if graph}
    return LatencySummary(bounds, wholes[""]["end_to_end"], wholes[""]["first_output"], ttfts, tbts, own, error)


def _of_graph(p: PlacementProblem, laws: Laws, graph: str) -> Laws:
    """(46) The laws of the scenarios of one graph, as shares of its own requests; all for an empty name."""
    own = [law for s, (_, law) in zip(p.scenarios, laws, strict=True) if graph in ("", s.graph)]
    return [(s.probability, law) for s, law in zip(p.scenarios_of(graph), own, strict=True)]


def _whole(grid: Latencies, kind: str, laws: Laws, plan: dict[str, str], graph: str) -> dict[str, float]:
    laws = _of_graph(grid.p, laws, graph)
    found = {"mean": sum(weight * grid.grid.mean_of(law) for weight, law in laws)}
    for name, q in reversed(PERCENTILES):
        # Where a rare time is a thousand times the usual one, percentiles need grids without it, the mean one with it.
        found[name], grid, laws = _quantile(grid, kind, laws, q, plan, graph)
    found = {name: found[name] for name in ("mean", *dict(PERCENTILES))}
    return _proved(grid.p, kind, found, graph)


def _quantile(
    grid: Latencies, kind: str, laws: Laws, q: float, plan: dict[str, str], graph: str
) -> tuple[float, Latencies, Laws]:
    """A percentile [s] of these laws, or of finer ones where their grid is too rough for it, and those it is of."""
    while True:
        value = quantile_of_mixture(laws, q, grid.grid)
        error = max((law.error_s for _, law in laws), default=0.0)
        near = (value + error) * SPAN
        if error <= ROUGH * value or near * FINER >= max(grid.grid.reach_of(law) for _, law in laws):
            return value, grid, laws
        grid = Latencies(grid.p, Grid(near / SIZES[1], SIZES[1], nearest=True))
        laws = _of_graph(grid.p, grid.drawn_laws(kind, *grid.of_plan(plan)), graph)


def _proved(p: PlacementProblem, kind: str, found: dict[str, float], graph: str) -> dict[str, float]:
    """Percentiles that are bounded not above their bound, which the judge has proved and no draw refutes."""
    bounds = [b for b in p.bounds if (b.kind, b.graph) == (kind, graph)]
    kept = {f"p{100 * b.percentile:g}": b.limit_s for b in bounds if b.percentile is not None}
    return {name: min(value, kept.get(name, value)) for name, value in found.items()}


def _first_pieces(p: PlacementProblem) -> dict[str, dict[int, list[str]]]:
    """Node -> number of each visit -> its first piece, or those of its classes where it is split."""
    nodes = {q.id: q.whole for q in p.pieces}
    found: dict[str, dict[int, list[str]]] = {}
    for s in p.scenarios:
        for step in s.steps:
            pieces = found.setdefault(nodes[step.pieces[0]], {}).setdefault(step.visit, [])
            if step.pieces[0] not in pieces:
                pieces.append(step.pieces[0])
    return found


def _ttft(
    p: PlacementProblem, chosen: dict[str, Option], pieces: list[str], visit: int, percentile: float | None
) -> float:
    """Time to first output of one visit, over its classes where it is split [s]."""
    worst = max(ttft(chosen[q], visit, percentile) for q in pieces)
    share = {q.id: q.share for q in p.pieces}
    rows = [(share[q], chosen[q]) for q in pieces]
    if len(rows) == 1:
        return worst
    if percentile is None:
        return sum(weight * mean_s(o, visit) for weight, o in rows)
    return min(worst, quantile_of_classes(rows, visit, percentile, worst))


def _tbt(p: PlacementProblem, grid: Latencies, chosen: dict[str, Option], node: str) -> float:
    """The worst visit's mean gap between tokens, slowed by the transfers into the decoding piece [s]."""
    worst = 0.0
    for q in p.pieces:
        o = chosen[q.id]
        if q.whole == node and o.tbt_s:
            late = (
                grid.delay(t.from_piece, q.id, chosen[t.from_piece].pool, o.pool) / t.token_gaps
                for t in p.transfers
                if t.to_piece == q.id
            )
            worst = max(worst, max(o.tbt_s) + sum(late))
    return worst


def _value(
    b: Bound,
    wholes: dict[str, dict[str, dict[str, float]]],
    ttfts: dict[str, float],
    tbts: dict[str, float],
    grid: Latencies,
    laws: dict[str, Laws],
    plan: dict[str, str],
) -> float:
    """What the bound limits [s]; not above the limit, which the judge has held it against on a finer grid."""
    if b.kind in ("ttft", "tbt"):
        return (ttfts if b.kind == "ttft" else tbts).get(b.node or "", 0.0)
    if b.percentile is None:
        return min(b.limit_s, wholes[b.graph][b.kind]["mean"])
    known = wholes[b.graph][b.kind].get(f"p{100 * b.percentile:g}")
    if known is not None:
        return min(b.limit_s, known)
    own = _of_graph(grid.p, laws[b.kind], b.graph)
    return min(b.limit_s, _quantile(grid, b.kind, own, b.percentile, plan, b.graph)[0])
