"""Equations (11) to (15) of `docs/math/placement.md`: latencies of a plan, from below where they are random."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulp

from ..problem import Bound, Option, PlacementProblem, Scenario
from ..times.latency import ttft
from ..times.laws import is_point, mean, quantile
from ..times.mixture import ROUNDING, mixtures
from ..times.tilted import certain
from .variables import Expr, PlacementVars

TILTED_AT = (0.9, 0.5, 0.2)
"""Values of a in (72) where a request has several ways."""
MANY_TERMS = 400
"""A moment with more terms than this gets a variable."""


@dataclass(frozen=True)
class Level:
    """Which number stands for a random time: its mean, its `rare`-quantile, waits and losses then counting as 0, or
    its certainty equivalent at a `tilt`."""

    rare: float | None = None
    at: float = 0.0
    """A scenario whose finish at this level is over the bound and `slack_s` is late with the probability 1 - at."""
    tilt: float | None = None
    """[1/s]"""

    @property
    def slack_s(self) -> float:
        """(72) log(1 / a) / t of a tilted level [s]."""
        return 0.0 if self.tilt is None else -math.log(self.at) / self.tilt

    def time(self, o: Option, visit: int, part: str) -> float:
        """Waiting plus `first` or `total` of one visit [s]."""
        t = o.visits[visit - 1]
        served = getattr(t, part)
        if self.tilt is not None:
            return sum(certain(each, self.tilt) for each in (t.wait, *t.lost, served))
        if self.rare is None:
            return mean(t.wait) + sum(map(mean, t.lost)) + mean(served)
        return quantile(t.wait, 0.0) + quantile(served, self.rare)


@dataclass(frozen=True)
class Moments:
    """First output and end of a scenario, as expressions in units of `time_scale`."""

    first_output: Expr
    end_to_end: Expr


@dataclass(frozen=True)
class Reached:
    """First output and end of one step, which scenarios that begin alike share."""

    number: int
    """Tells such steps apart, whatever led to them."""
    out: Expr
    end: Expr


def constrain_ttft(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(11) x[p,g] = 0 for first pieces p of a step where any visit's wait + first breaks the node's bound.

    (36) Of a node whose traffic is split: sum_p share[p] sum_g P(wait + first <= B) x[p,g] >= q for every visit, over
    the first pieces p of its classes; a bounded mean: sum_p share[p] sum_g mean[p,g] x[p,g] <= B.
    """
    starts = visits_at_start(p)
    for b in p.bounds:
        if b.kind != "ttft":
            continue
        for mixed in mixtures(p, b, starts):
            whole = Expr([(v.x[key], value) for key, value in mixed.adds.items()])
            kept = whole <= 1 + ROUNDING if mixed.at_least is None else whole >= mixed.at_least - ROUNDING
            m.addConstraint(kept, v.name("ttft", b.node, mixed.visit))
        for (q, g), o in v.options.items():
            if v.pieces[q].node == b.node and breaks_ttft(o, starts.get(q, set()), b):
                m.addConstraint(v.x[q, g] == 0, v.name("ttft", q, g))


def visits_at_start(p: PlacementProblem) -> dict[str, set[int]]:
    """Numbers of the visits in which a piece is the first of its step, by piece."""
    found: dict[str, set[int]] = {}
    for s in p.scenarios:
        for step in s.steps:
            found.setdefault(step.pieces[0], set()).add(step.visit)
    return found


def breaks_ttft(o: Option, visits: set[int], b: Bound) -> bool:
    """Whether the wait and first output of one of these visits break the bound."""
    return any(ttft(o, k, b.percentile) > b.limit_s * (1 + 1e-9) for k in visits if k <= len(o.visits))


def constrain_tbt(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(12) sum_g tbt[p,g,k] x[p,g] + sum_l,l' latency[e,l,l'] / gaps[e] y[e,l,l'] <= B for each visit k of p."""
    for b in p.bounds:
        if b.kind != "tbt":
            continue
        for q in p.pieces:
            rows = [v.options[q.id, g] for g in v.pools_of[q.id] if v.options[q.id, g].tbt_s]
            if q.whole != b.node or not rows:
                continue
            moved = _gap_of_transfers(p, v, q.id, b.limit_s)
            for k in range(max(len(o.tbt_s) for o in rows)):
                own = Expr([(v.x[q.id, o.pool], o.tbt_s[k] / b.limit_s) for o in rows if k < len(o.tbt_s)])
                m.addConstraint(own + moved <= 1 + 1e-9, v.name("tbt", q.id, k + 1))


def _gap_of_transfers(p: PlacementProblem, v: PlacementVars, piece: str, unit: float) -> Expr:
    late = Expr()
    for t in p.transfers:
        if t.to_piece == piece and v.delayed(t.from_piece, piece):
            for (here, there), r in v.routes[t.from_piece, piece].items():
                if (t.from_piece, piece, here, there) in v.y:
                    late.addterm(v.y[t.from_piece, piece, here, there], r.latency_s / t.token_gaps / unit)
    return late


def constrain_finish(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars, level: Level) -> list[Moments]:
    """(13) start[k] >= end[i] + move[i,k] (streaming: out[i]);  end[k] >= end[i] where i streams into k;

    out = start + time of the first piece's first output, end = start + times of all pieces and moves between,
    for every scenario; where one predecessor is all there is, the sum itself stands for the variable.
    """
    known: dict[tuple[object, ...], Reached] = {}
    return [_scenario_moments(m, v, s, level, known) for s in p.scenarios]


def _scenario_moments(
    m: pulp.LpProblem, v: PlacementVars, s: Scenario, level: Level, known: dict[tuple[object, ...], Reached]
) -> Moments:
    at: dict[str, Reached] = {}
    last = {step.id: step.pieces[-1] for step in s.steps}
    for step in s.steps:
        key = (step.pieces, step.visit, tuple((at[i].number, c) for i, c in step.after))
        if key not in known:
            starts = [(at[i].out if c else at[i].end) + _move(v, last[i], step.pieces[0]) for i, c in step.after]
            start = _short(m, v, _latest(m, v, starts))
            first = start + _time(v, step.pieces[0], step.visit, "first", level)
            done = start
            for j, q in enumerate(step.pieces):
                done = done + _time(v, q, step.visit, "total", level)
                if j + 1 < len(step.pieces):
                    done = done + _move(v, q, step.pieces[j + 1])
            end = _latest(m, v, [done, *(at[i].end for i, c in step.after if c)])
            known[key] = Reached(len(known), first, end)
        at[step.id] = known[key]
    first_output = _earliest(m, v, [at[i].out for i in s.sinks], level)
    return Moments(first_output, _latest(m, v, [at[i].end for i in s.sinks]))


def _time(v: PlacementVars, piece: str, visit: int, part: str, level: Level) -> Expr:
    key = (piece, visit, part, level)
    if key not in v.times:
        rows = [v.options[piece, g] for g in v.pools_of[piece]]
        v.times[key] = Expr([(v.x[piece, o.pool], level.time(o, visit, part) / v.time_scale) for o in rows])
    return v.times[key]


def _move(v: PlacementVars, a: str, b: str) -> Expr:
    if not v.delayed(a, b):
        return Expr()
    rows = [(pair, r) for pair, r in v.routes[a, b].items() if (a, b, *pair) in v.y and r.latency_s > 0]
    return Expr([(v.y[a, b, here, there], r.latency_s / v.time_scale) for (here, there), r in rows])


def _latest(m: pulp.LpProblem, v: PlacementVars, moments: list[Expr]) -> Expr:
    if len(moments) <= 1:
        return moments[0] if moments else Expr()
    latest = v.real("moment", v.count)
    for moment in moments:
        m.addConstraint(latest - moment >= 0, v.name("finish", v.count))
    return Expr(latest)


def _short(m: pulp.LpProblem, v: PlacementVars, moment: Expr) -> Expr:
    """The moment, or a variable that stands for it where it has many terms: every later one would repeat them."""
    if len(moment) <= MANY_TERMS:
        return moment
    stands = v.real("moment", v.count)
    m.addConstraint(stands - moment >= 0, v.name("finish", v.count))
    return Expr(stands)


def _earliest(m: pulp.LpProblem, v: PlacementVars, moments: list[Expr], level: Level) -> Expr:
    """At least the earliest of `moments`: one of them is picked."""
    if len(moments) == 1:
        return moments[0]
    earliest, picks = v.real("moment", v.count), []
    for moment in moments:
        pick = v.binary("earliest", v.count)
        picks.append(pick)
        slack = largest(v, moment, level)
        m.addConstraint(earliest - moment - slack * pick >= -slack, v.name("finish", v.count))
    m.addConstraint(Expr([(pick, 1) for pick in picks]) == 1, v.name("finish_pick", v.count))
    return Expr(earliest)


def largest(v: PlacementVars, moment: Expr, level: Level) -> float:
    """Big-M: no plan makes `moment` later than every step after the other, each at its slowest [time_scale]."""
    rows: dict[str, float] = {}
    for var, a in moment.items():
        rows[var.name] = a
    known = {var.name for var in v.x.values()} | {var.name for var in v.y.values()}
    if all(name in known for name in rows):
        worst: dict[object, float] = {}
        for (q, _), var in v.x.items():
            worst[q] = max(worst.get(q, 0.0), rows.get(var.name, 0.0))
        for (a, b, *_), var in v.y.items():
            worst[a, b] = max(worst.get((a, b), 0.0), rows.get(var.name, 0.0))
        return sum(worst.values())
    if level not in v.slowest:
        v.slowest[level] = slowest_chain(v, level)
    return v.slowest[level]


def slowest_chain(v: PlacementVars, level: Level) -> float:
    """All visits of all pieces in a row at their slowest, each with every move into it [time_scale]."""
    total = 0.0
    for q in v.pieces:
        rows = [v.options[q, g] for g in v.pools_of[q]]
        moves = [
            max((r.latency_s for r in routes.values()), default=0.0) for e, routes in v.routes.items() if e[1] == q
        ]
        for k in range(1, max((len(o.visits) for o in rows), default=0) + 1):
            total += max(level.time(o, k, "total") for o in rows if k <= len(o.visits)) + sum(moves)
    return total / v.time_scale


def constrain_mean_latency(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(14) sum_s Pr[s] finish[s] <= B, with the mean of each time: a maximum's mean is at least that."""
    bounds = [b for b in p.bounds if b.percentile is None and b.kind in ("end_to_end", "first_output")]
    bounds = [b for b in bounds if not _several_sinks(p, b)]
    moments = constrain_finish(m, p, v, Level()) if bounds or p.objective == "latency" else []
    for b in bounds:
        whole = _mixture(p, moments, b.kind, b.graph)
        m.addConstraint(whole <= b.limit_s / v.time_scale * (1 + 1e-9), v.name("mean", *_over(b)))
    if p.objective == "latency":
        v.mean = v.real("mean")
        m.addConstraint(v.mean - _mixture(p, moments, "end_to_end") >= 0, v.name("mean_objective"))


def _several_sinks(p: PlacementProblem, b: Bound) -> bool:
    """The mean of a minimum is below the minimum of means: such bounds are left to the cuts."""
    return b.kind == "first_output" and any(len(s.sinks) > 1 for s in p.scenarios_of(b.graph))


def _over(b: Bound) -> tuple[str, ...]:
    """What constraints of a bound on whole requests are told apart by."""
    return (b.kind, b.graph) if b.graph else (b.kind,)


def _of_graph(p: PlacementProblem, moments: list[Moments], graph: str) -> list[tuple[Scenario, Moments]]:
    """(46) The scenarios of one graph with their moments, which stand in the order of all scenarios."""
    own = [moment for s, moment in zip(p.scenarios, moments, strict=True) if graph in ("", s.graph)]
    return list(zip(p.scenarios_of(graph), own, strict=True))


def _mixture(p: PlacementProblem, moments: list[Moments], kind: str, graph: str = "") -> Expr:
    whole = Expr()
    for s, moment in _of_graph(p, moments, graph):
        whole += s.probability * getattr(moment, kind)
    return whole


def constrain_percentiles(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(15) finish[s] <= B + M[s] late[s];  sum_s Pr[s] late[s] <= (1 - q) / (1 - a), at each level a of the bound.

    Times stand at a quantile so low that a scenario which is late even so keeps the bound with probability at
    most a. Scenarios that are surely in time drop out.
    """
    for b in p.bounds:
        if b.percentile is None or b.kind not in ("end_to_end", "first_output"):
            continue
        for level in [Level(rare_quantile(p, a), a) for a in levels(p, b.percentile, b.graph)]:
            _bound_late_scenarios(m, p, v, b, level)


def constrain_certain_equivalents(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(72) finish[s] <= B + log(1 / a) / t + M[s] late[s];  sum_s Pr[s] late[s] <= (1 - q) / (1 - a).

    Times stand at their certainty equivalents (72). These rows are many, and only of use where a bound is close.
    """
    for b in p.bounds:
        if b.percentile is not None and b.kind in ("end_to_end", "first_output"):
            for level in tilted_levels(p, b):
                _bound_late_scenarios(m, p, v, b, level)


def _bound_late_scenarios(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars, b: Bound, level: Level) -> None:
    assert b.percentile is not None
    moments = constrain_finish(m, p, v, level)
    limit = (b.limit_s + level.slack_s) / v.time_scale * (1 + 1e-9)
    allowed = (1 - b.percentile) / (1 - level.at) + 1e-9
    late = Expr()
    for i, (s, moment) in enumerate(_of_graph(p, moments, b.graph)):
        finish = getattr(moment, b.kind)
        excess = largest(v, finish, level) - limit
        if excess <= 0:
            continue
        if s.probability > allowed:
            m.addConstraint(finish <= limit, v.name("percentile", *_over(b), i))
            continue
        flag = v.binary("late", *_over(b), i)
        late.addterm(flag, s.probability)
        m.addConstraint(finish - excess * flag <= limit, v.name("percentile", *_over(b), i))
    if late:
        m.addConstraint(late <= allowed, v.name("percentile_share", *_over(b)))


def levels(p: PlacementProblem, q: float, graph: str = "") -> list[float]:
    """Values of a for (15): q alone for one scenario; with several also 0, the least times."""
    random = any(not is_point(part) for o in p.options for t in o.visits for part in (t.first, t.total))
    if not random:
        return [0.0]
    if len(p.scenarios_of(graph)) == 1:
        return [q * (1 - 1e-9)]
    return [0.0, max(0.0, 2 * q - 1)] if q > 0.5 else [0.0]


def tilted_levels(p: PlacementProblem, b: Bound) -> list[Level]:
    """(72) Levels at certainty equivalents, with the tilt that is best where the spread is that of fast options.

    None where nothing is random, or the earliest of several sinks counts: it may be in time where none of them is.
    """
    deviation = _deviation(p, b)
    if deviation <= 0 or _several_sinks(p, b):
        return []
    q = b.percentile or 0.0
    several = len(p.scenarios_of(b.graph)) > 1
    at = TILTED_AT if several else (q * (1 - 1e-9),)
    return [Level(at=a, tilt=math.sqrt(-2 * math.log(a)) / deviation) for a in at]


def _deviation(p: PlacementProblem, b: Bound) -> float:
    """Standard deviation of the way through the graph that varies most, every visit where it is fastest [s]."""
    least: dict[tuple[str, int], tuple[float, float]] = {}
    for o in p.options:
        for k, t in enumerate(o.visits, 1):
            parts = (t.wait, *t.lost, t.total)
            variance = sum(part.variance for part in parts)
            key = sum(map(mean, parts)) + math.sqrt(variance), variance
            least[o.piece, k] = min(least.get((o.piece, k), key), key)
    none = (0.0, 0.0)  # a piece that runs nowhere
    varied = (sum(least.get((q, s.visit), none)[1] for s in w.steps for q in s.pieces) for w in p.scenarios_of(b.graph))
    return math.sqrt(max(varied, default=0.0))


def rare_quantile(p: PlacementProblem, a: float) -> float:
    """r with 1 - (1 - r)^n = a, n the largest number of random times in a scenario: if each time is at least
    its r-quantile with probability 1 - r, all are with probability 1 - a."""
    random: set[tuple[str, int, str]] = set()
    for o in p.options:
        for k, t in enumerate(o.visits, 1):
            parts = ("total",) if t.outputs_at_end else ("first", "total")
            random |= {(o.piece, k, part) for part in parts if not is_point(getattr(t, part))}
    n = max(
        sum((q, step.visit, part) in random for step in s.steps for q in step.pieces for part in ("first", "total"))
        for s in p.scenarios
    )
    return 1 - (1 - a) ** (1 / n) if n else 0.0
