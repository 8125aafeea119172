"""Which constraints exclude each other, and which cost money: problems without some of their constraints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ....ir.units import HOUR_S
from ..model.latency import breaks_ttft, visits_at_start
from ..model.objective import price
from ..problem import UNLIMITED, Bound, Option, PlacementProblem, Pool, Transfer
from .presolve import presolve

MOST_ADDED = 512
"""Replicas that a pool is given at most where its count is left out: what needs more is the fault of the rate."""
ONE_BY_ONE = 3
"""So few names are tried each by itself: that all of them together bind would save little."""


@dataclass(frozen=True)
class Binding:
    """What keeps a plan from being better."""

    names: tuple[str, ...] = ()
    is_complete: bool = False
    """Whether all was looked for: else there may be more."""


def constraint_names(p: PlacementProblem) -> list[str]:
    """Names of all that can be left out of a problem, the first to be left out first.

    `with[node]`, `apart[node]`, `transfer[a->b]`, `kv_transfer[node]`, `memory[device]`, what options are
    `excluded_by`, `count[device]`, `limits.name`, names of bounds, and `rate`.
    """
    nodes = {q.id: q.whole for q in p.pieces}
    names = [f"with[{nodes[a]}]" for a, _ in p.together] + [f"apart[{nodes[a]}]" for a, _ in p.apart]
    names += [_transfer_name(p, t) for t in p.transfers]
    names += [f"memory[{d.name}]" for d in p.devices]
    names += [o.excluded_by for o in p.options if o.excluded_by]
    if p.rate_per_s is not None:
        counted = {g.device for g in p.pools if g.capacity}
        names += [f"count[{d.name}]" for d in p.devices if d.name in counted or d.min_count > 0]
        names += [f"limits.{name}" for name, _ in p.limits]
        names += [f"racks[{rack.name}]" for rack in p.racks]
        names += ["survive.replicas"] if any(g.spare for g in p.pools) else []
        names += ["survive.zone"] if any(g.lost_zones for g in p.pools) else []
    names += [b.name for b in (*p.bounds, *p.quality_bounds)]
    names += ["rate"] if p.rate_per_s is not None else []
    return list(dict.fromkeys(names))


def without(p: PlacementProblem, names: Iterable[str]) -> PlacementProblem:
    """The problem without the constraints of these names; without `rate` pools carry any load."""
    gone = frozenset(names)
    nodes = {q.id: q.whole for q in p.pieces}
    loads = _largest_loads(p)
    return replace(
        p,
        pools=tuple(_pool_without(g, gone, loads.get(g.id, 0.0)) for g in p.pools),
        options=tuple(replace(o, excluded_by="") if o.excluded_by in gone else o for o in p.options),
        devices=tuple(
            replace(d, min_count=0, max_count=UNLIMITED) if f"count[{d.name}]" in gone else d for d in p.devices
        ),
        transfers=tuple(t for t in p.transfers if _transfer_name(p, t) not in gone),
        bounds=tuple(b for b in p.bounds if b.name not in gone),
        quality_bounds=tuple(b for b in p.quality_bounds if b.name not in gone),
        together=tuple(pair for pair in p.together if f"with[{nodes[pair[0]]}]" not in gone),
        apart=tuple(pair for pair in p.apart if f"apart[{nodes[pair[0]]}]" not in gone),
        limits=tuple(limit for limit in p.limits if f"limits.{limit[0]}" not in gone),
        racks=tuple(rack for rack in p.racks if f"racks[{rack.name}]" not in gone),
    )


def breaking(p: PlacementProblem, name: str) -> PlacementProblem:
    """The problem without one constraint; its plans break it, where that takes one of some options, (24).

    It has a plan better than all of `p` if and only if `without` has one: one that kept the constraint were one of `p`.
    """
    rest, bounds = without(p, [name]), [b for b in p.bounds if b.name == name]
    split = {q.whole for q in p.pieces if q.visit_class is not None}
    if not bounds or any(b.kind not in ("ttft", "tbt") or (b.kind == "ttft" and b.node in split) for b in bounds):
        return rest
    breaks = frozenset((o.piece, o.pool) for b in bounds for o in _may_break(p, b))
    return replace(rest, one_of=(*p.one_of, breaks))


def _may_break(p: PlacementProblem, b: Bound) -> list[Option]:
    """Options one of which any plan takes that breaks a bound on one node."""
    nodes, starts = {q.id: q.whole for q in p.pieces}, visits_at_start(p)
    own = [o for o in p.options if nodes[o.piece] == b.node]
    if b.kind == "ttft":
        return [o for o in own if breaks_ttft(o, starts.get(o.piece, set()), b)]
    return [o for o in own if _gap(p, o) > b.limit_s]


def _gap(p: PlacementProblem, o: Option) -> float:
    """(12) The longest gap between two tokens of a visit, all that moves to the piece by its slowest route [s]."""
    into = [t for t in p.transfers if t.to_piece == o.piece]
    moved = sum(max((r.latency_s for r in t.routes), default=0.0) / t.token_gaps for t in into)
    return max(o.tbt_s, default=0.0) + moved


def _pool_without(g: Pool, gone: frozenset[str], load: float) -> Pool:
    if f"memory[{g.device}]" in gone:
        g = replace(g, memory_bytes=math.inf)
    if "survive.replicas" in gone:
        g = replace(g, spare=0)
    if "survive.zone" in gone:
        g = replace(g, lost_zones=0)
    if g.capacity and "rate" in gone:
        return replace(g, capacity=(max(load, *g.capacity),))
    if g.capacity and f"count[{g.device}]" in gone and 0 < g.capacity[-1] < load:
        # A larger pool carries at least as much for each replica: pooling only shortens the wait.
        each, n = g.capacity[-1] / len(g.capacity), len(g.capacity)
        more = min(math.ceil(load / each) - n, MOST_ADDED)
        return replace(g, capacity=(*g.capacity, *(each * (n + k) for k in range(1, more + 1))))
    return g


def _largest_loads(p: PlacementProblem) -> dict[str, float]:
    """Load of each pool with all pieces that may choose it [replica-seconds/s]."""
    loads: dict[str, float] = {}
    for o in p.options:
        loads[o.pool] = loads.get(o.pool, 0.0) + (p.rate_per_s or 0.0) * o.load
    return loads


def _transfer_name(p: PlacementProblem, t: Transfer) -> str:
    """`kv_transfer` inside a node, `transfer[a->b]` between nodes."""
    nodes = {q.id: q.whole for q in p.pieces}
    a, b = nodes[t.from_piece], nodes[t.to_piece]
    return f"kv_transfer[{a}]" if a == b else f"transfer[{a}->{b}]"


def _counts_too_dear_to_pass(p: PlacementProblem, value: float) -> set[str]:
    """`count[device]` where one device more than the count already costs `value`, what calls cost at least included.

    Without such a count no better plan appears, since none within the count is affected.
    """
    if p.objective != "cost" or p.rate_per_s is None:
        return set()
    least: dict[str, float] = {}
    for o in p.options:
        least[o.piece] = min(least.get(o.piece, math.inf), o.usd_per_request)
    calls = HOUR_S * p.rate_per_s * sum(least.values())
    dear, partly = set(), {g.device for g in p.pools if g.goes_down}
    for d in p.devices:
        if d.name in partly:
            continue  # one that is up for a part of the time may cost less
        more = d.max_count + 1
        usd = more * d.idle_usd_per_hour + max(0, more - d.owned) * price(d)
        if d.min_count == 0 and usd + calls >= value:
            dear.add(f"count[{d.name}]")
    return dear


def _nodes_that_run_nowhere(p: PlacementProblem) -> list[str]:
    """Nodes with a piece that no pool takes, whatever is left out; all nodes where only their sum is too much."""
    placed = {o.piece for o in presolve(p).options}
    lost = [q.whole for q in p.pieces if q.id not in placed] or [q.whole for q in p.pieces]
    return list(dict.fromkeys(lost))


def irreducible_conflict(p: PlacementProblem, feasible: Callable[[PlacementProblem], bool | None]) -> tuple[str, ...]:
    """Constraints that exclude each other, none of them to spare: deletes what the rest conflicts without.

    `feasible` may answer None where time is short, which keeps the constraint. The rate and bounds go first, each
    by itself: with all else left out they are soon tried. Then halves, for speed.
    """
    kept = constraint_names(p)
    if feasible(without(p, kept)) is False:
        return tuple(f"place[{node}]" for node in _nodes_that_run_nowhere(without(p, kept)))
    for name in reversed(kept):
        if (name == "rate" or name.startswith("slo.")) and feasible(without(p, set(kept) - {name})) is False:
            return (name,)
    return irreducible(kept, lambda gone: feasible(without(p, gone)))


def irreducible(names: Sequence[str], feasible: Callable[[Sequence[str]], bool | None]) -> tuple[str, ...]:
    """Of constraints that exclude each other those that are left when what the rest conflicts without is left out.

    `feasible` says whether there is a plan without some of them; None keeps the constraint.
    """
    gone: list[str] = []

    def shrink(some: Sequence[str]) -> None:
        if not some:
            return
        if feasible([*gone, *some]) is False:
            gone.extend(some)
        elif len(some) > 1:
            half = len(some) // 2
            shrink(some[:half])
            shrink(some[half:])

    shrink(names)
    return tuple(name for name in names if name not in gone)


def binding_names(
    p: PlacementProblem, better: Callable[[PlacementProblem], bool], value: float = math.inf
) -> tuple[str, ...]:
    """Bounds, counts and limits without any one of which a plan better than one worth `value` exists."""
    prefixes = ("slo.", "count[", "limits.", "racks[", "survive.")
    dear = _counts_too_dear_to_pass(p, value)
    names = [name for name in constraint_names(p) if name.startswith(prefixes) and name not in dear]

    def find(names: list[str]) -> list[str]:
        if len(names) <= ONE_BY_ONE:
            return [name for name in names if better(breaking(p, name))]
        if not better(without(p, names)):
            return []
        half = len(names) // 2
        return find(names[:half]) + find(names[half:])

    return tuple(find(names))
