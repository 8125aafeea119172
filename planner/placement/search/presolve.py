"""Leaves out of a problem what no best plan needs; proofs are in `docs/math/placement.md`, "Before solving"."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from ..model.latency import breaks_ttft, visits_at_start
from ..model.memory import memory_bytes
from ..model.migration import kinds_by_pool, starts_no_more
from ..model.racks import Racks, no_less
from ..model.variables import LOAD_TOLERANCE, fewest_replicas
from ..problem import Kind, Option, Piece, PlacementProblem, Pool, VisitTime
from ..times.laws import is_point, mean, never_longer
from ..times.mixture import mixtures
from .cutoff import affordable
from .least_costs import Key

COSTS = ("usd_per_hour", "usd_per_request")
"""Limits on what a plan costs: of the two, a problem has the one that its objective `cost` is in."""
MANY_PIECES = 4
"""Pools that more pieces than this may choose are not compared: the number of ways to share them grows too fast."""


def presolve(p: PlacementProblem, below: float = math.inf) -> PlacementProblem:
    """The problem without options that no plan can take and pools that another pool makes needless.

    It has a plan of cost under `below` if and only if `p` has one, and then the same optimum.
    """
    hopeful = without_hopeless(p)
    most = min([limit for name, limit in p.limits if name in COSTS], default=math.inf) * (1 + LOAD_TOLERANCE)
    most = min(most, below) if p.objective == "cost" else most
    if most < math.inf:
        hopeful = without_hopeless(with_options(hopeful, affordable(hopeful, most)))
    return with_options(hopeful, _not_dominated(hopeful))


def with_options(p: PlacementProblem, options: list[Option]) -> PlacementProblem:
    """The problem with these of its options, and the pools that they are in."""
    used = {o.pool for o in options}
    down = {g.id for g in p.pools if g.goes_down}
    if used & down:
        # A pool that goes down holds all of its pieces (43): where one cannot be in it none is.
        before, after = (Counter(o.pool for o in some if o.pool in down) for some in (p.options, options))
        used -= {g for g in down if after[g] < before[g]}
    kept = tuple(o for o in options if o.pool in used)
    return replace(p, options=kept, pools=tuple(g for g in p.pools if g.id in used))


def without_hopeless(p: PlacementProblem) -> PlacementProblem:
    """Without options that are ruled out, break a bound, or fit their pool not even alone (their node alone)."""
    starts, by_id = visits_at_start(p), {q.id: q for q in p.pieces}
    split = {k for b in p.bounds if b.kind == "ttft" for mixed in mixtures(p, b, starts) for k in mixed.hopeless()}
    possible = [o for o in p.options if not o.excluded_by and (o.piece, o.pool) not in split]
    possible = [o for o in possible if not _breaks_bound(p, by_id[o.piece], o, starts)]
    pools = {g.id: g for g in p.pools}
    node = {q.id: q.node for q in p.pieces}
    pieces_of_node: dict[str, set[str]] = defaultdict(set)
    for q in p.pieces:
        pieces_of_node[q.node].add(q.id)
    groups: dict[tuple[str, str], list[Option]] = defaultdict(list)
    for o in possible:
        whole = pools[o.pool].whole_nodes
        groups[o.pool, f"node {node[o.piece]}" if whole else o.piece].append(o)
    counts = {d.name: d.max_count for d in p.devices}
    kept: set[Key] = set()
    for (pool, _), rows in groups.items():
        g = pools[pool]
        complete = not g.whole_nodes or len(rows) == len(pieces_of_node[node[rows[0].piece]])
        if complete and memory_bytes(by_id, rows) <= g.memory_bytes * (1 + LOAD_TOLERANCE):
            devices = _devices(p, g, rows)
            if devices is not None and devices <= counts[g.device]:
                kept |= {(o.piece, o.pool) for o in rows}
    return with_options(p, [o for o in possible if (o.piece, o.pool) in kept])


def _breaks_bound(p: PlacementProblem, q: Piece, o: Option, starts: dict[str, set[int]]) -> bool:
    """Whether one piece alone breaks a bound on its node's first output or gap between tokens."""
    for b in p.bounds:
        if b.node == q.whole and b.kind == "tbt" and max(o.tbt_s, default=0.0) > b.limit_s * (1 + LOAD_TOLERANCE):
            return True
        if b.node == q.node and b.kind == "ttft" and breaks_ttft(o, starts.get(o.piece, set()), b):
            return True
    return False


def _memory(p: PlacementProblem, rows: list[Option]) -> float:
    """Memory of one device for all these options of one pool [bytes]."""
    return memory_bytes({q.id: q for q in p.pieces}, rows)


def _devices(p: PlacementProblem, g: Pool, rows: list[Option]) -> int | None:
    """Devices that a pool needs for these options; None where no number of replicas carries them."""
    if p.rate_per_s is None or not g.capacity or not rows:
        return 0
    n = fewest_replicas(g, p.rate_per_s * sum(o.load for o in rows))
    return None if n is None else n * g.devices_per_replica


def _not_dominated(p: PlacementProblem) -> list[Option]:
    """Options of the pools that stay when each pool that another one makes needless goes, one after the other."""
    rows: dict[str, dict[str, Option]] = defaultdict(dict)
    for o in p.options:
        rows[o.pool][o.piece] = o
    kinds = kinds_by_pool(p) if p.previous is not None else {}
    alike: dict[tuple[str, str, bool, bool, bool, tuple[int, ...], tuple[str, ...]], list[Pool]] = defaultdict(list)
    for g in p.pools:
        tenants = tuple(rows[g.id])
        asked = tuple((q, g.id) in options for options in p.one_of for q in tenants)
        # Where a device is split, decode waits for replicas that were taken back by itself.
        asked += tuple(len(t.lost) for o in rows[g.id].values() for t in o.visits[:1])
        alike[g.device, g.location, g.whole_nodes, bool(g.capacity), g.goes_down, asked, tenants].append(g)
    kept: set[str] = set()
    for (*_, tenants), pools in alike.items():
        if len(tenants) > MANY_PIECES:
            kept |= {g.id for g in pools}
        else:
            kept |= _best_of(p, pools, rows, kinds)
    return [o for o in p.options if o.pool in kept]


def _best_of(
    p: PlacementProblem, pools: list[Pool], rows: dict[str, dict[str, Option]], kinds: dict[str, dict[str, Kind]]
) -> set[str]:
    """Pools of one device, place and set of pieces that no other of them makes needless."""
    several = any(len(set(kinds.get(g.id, {}).values())) > 1 for g in pools)
    racks = _racks_of(p, pools[0])
    needs = {g.id: _needs(p, g, rows[g.id]) for g in pools}
    rough = np.array([_rough(rows[g.id], needs[g.id]) for g in pools])
    kept: list[int] = []
    for i in sorted(range(len(pools)), key=lambda i: (tuple(rough[i]), i)):
        maybe = np.flatnonzero(np.all(rough[kept] <= rough[i], axis=1)) if kept else ()
        if not any(
            (racks is None or _draws_no_more(racks, pools[kept[j]], pools[i], rows))
            and starts_no_more(p, kinds.get(pools[kept[j]].id, {}), kinds.get(pools[i].id, {}))
            and _replaces(p, pools[kept[j]], pools[i], rows, needs, several)
            for j in maybe
        ):
            kept.append(i)
    return {pools[i].id for i in kept}


def _racks_of(p: PlacementProblem, g: Pool) -> Racks | None:
    """What holds plans against the racks, where the pool stands in one."""
    rack = next((d.rack for d in p.devices if d.name == g.device), "")
    return Racks(p) if any(rack == limited.name for limited in p.racks) and g.capacity else None


def _draws_no_more(racks: Racks, g: Pool, h: Pool, rows: dict[str, dict[str, Option]]) -> bool:
    """Whether a rack is over its limit no more often with g in place of h; pieces that may part are not compared."""
    pieces, node = frozenset(rows[g.id]), {q.id: q.node for q in racks.p.pieces}
    if len({node[q] if g.whole_nodes else q for q in pieces}) > 1:
        return False
    return no_less(racks.draw(h.id, pieces), racks.draw(g.id, pieces))


def _needs(p: PlacementProblem, g: Pool, rows: dict[str, Option]) -> dict[frozenset[str], float]:
    """Devices that a pool needs for each set of pieces that may be in it; infinite where it cannot carry them."""
    node = {q.id: q.node for q in p.pieces}
    units: dict[str, list[str]] = defaultdict(list)
    for q in rows:
        units[node[q] if g.whole_nodes else q].append(q)
    found: dict[frozenset[str], float] = {}
    for chosen in itertools.product((False, True), repeat=len(units)):
        pieces = [q for take, unit in zip(chosen, units.values(), strict=True) if take for q in unit]
        devices = _devices(p, g, [rows[q] for q in pieces])
        found[frozenset(pieces)] = math.inf if devices is None else float(devices)
    return found


def _rough(rows: dict[str, Option], needs: dict[frozenset[str], float]) -> list[float]:
    """Numbers none of which may be larger in a pool that replaces this one."""
    key: list[float] = [needs[max(needs, key=len)]]
    for o in rows.values():
        means = [mean(part) for t in o.visits for part in (t.wait, t.first, t.total, *t.lost)]
        key += [o.usd_per_request, o.energy_j_per_request, *o.tbt_s, *means]
    return key


def _replaces(
    p: PlacementProblem,
    g: Pool,
    h: Pool,
    rows: dict[str, dict[str, Option]],
    needs: dict[str, dict[frozenset[str], float]],
    loads_several: bool = False,
) -> bool:
    """(20) Whether what is in h may as well be in g, whatever else is in g already.

    Every piece is as cheap and never longer there; g has memory for all pieces; and for all sets S of pieces in h
    and R in g, devices[g](S + R) <= devices[h](S) + devices[g](R). Where replicas run already and a pool
    `loads_several` models, the left side is to be no more than either term, for all its replicas load each, (50).
    Of two that go down, g is up no more of the time.
    """
    if g.billed > h.billed:
        return False
    if _memory(p, list(rows[g.id].values())) > g.memory_bytes * (1 + LOAD_TOLERANCE):
        return False
    if not all(_no_worse(rows[g.id][q], rows[h.id][q]) for q in rows[h.id]):
        return False
    mine, theirs = needs[g.id], needs[h.id]

    def most(moved: frozenset[str], there: frozenset[str]) -> float:
        if not loads_several or not moved or not there:
            return theirs[moved] + mine[there]
        return min(theirs[moved], mine[there])

    return all(mine[moved | there] <= most(moved, there) for moved in theirs for there in mine if not moved & there)


def _no_worse(a: Option, b: Option) -> bool:
    """Whether a costs no more than b, its answers are no worse, and no time of a is longer."""
    if (a.score or 0.0) < (b.score or 0.0):
        return False
    if a.usd_per_request > b.usd_per_request or a.energy_j_per_request > b.energy_j_per_request:
        return False
    if len(a.tbt_s) != len(b.tbt_s) or any(x > y for x, y in zip(a.tbt_s, b.tbt_s, strict=True)):
        return False
    return all(_never_longer(s, t) for s, t in zip(a.visits, b.visits, strict=True))


def _never_longer(s: VisitTime, t: VisitTime) -> bool:
    """Whether no time of s is longer than that of t, nor the later of two of them.

    Independent times are later at their maximum than one variable that stands for both in t.
    """
    if t.outputs_at_end and not s.outputs_at_end and not is_point(s.first):
        return False
    if len(s.lost) != len(t.lost) or not all(map(never_longer, s.lost, t.lost)):
        return False
    return never_longer(s.wait, t.wait) and never_longer(s.first, t.first) and never_longer(s.total, t.total)
