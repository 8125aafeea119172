"""Nodes of a part that nothing tells apart: they have the same figures in the same pools, and in pools of their own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...placement.model.objective import mean_visits
from ...placement.problem import Option, PlacementProblem, Pool

Prices = Mapping[str, float]
"""Node -> what a second of the mean time of its visits costs [USD/h]; nothing for the others"""


@dataclass(frozen=True)
class Alike:
    """Nodes of one kind, those first whose time is dearest."""

    nodes: tuple[str, ...]
    parts: tuple[str, ...]
    """of each node, in order"""
    options: Mapping[tuple[str, str], Option]
    """of the first node, by part and pool"""
    own: Mapping[str, Mapping[str, str]]
    """Pool that is made for the first node alone -> node -> the like of it that is made for that one"""
    usd_per_s: float
    """price of a second, on average over the nodes [USD/h]"""

    def seconds(self, part: str, pool: str) -> float:
        """Mean time of a visit [s]."""
        return mean_s(self.options[part, pool])

    def pool_of(self, node: str, pool: str) -> str:
        """What the pool of the first node is for another."""
        return self.own[pool][node] if pool in self.own else pool


def mean_s(o: Option) -> float:
    """Mean time of a visit, with waits and what is lost [s]."""
    return sum(mean_visits(o)) / len(o.visits)


def is_countable(p: PlacementProblem) -> bool:
    """Whether nothing ties some nodes of a part to others but the room that they take."""
    plain = not (p.together or p.apart or p.one_of or p.alike or p.quality_bounds or p.limits or p.racks)
    apart = all(q.visit_class is None for q in p.pieces) and not any(g.goes_down for g in p.pools)
    single = all(d.chassis == 1 and not d.min_count for d in p.devices) and all(g.split is None for g in p.pools)
    return plain and apart and single and p.rate_per_s is not None and p.previous is None and _moves_freely(p)


def _moves_freely(p: PlacementProblem) -> bool:
    """Whether transfers go from anywhere to anywhere at no charge."""
    pools, node = {g.id: g for g in p.pools}, {q.id: q.node for q in p.pieces}
    apart: dict[str, set[str]] = defaultdict(set)
    anywhere: dict[str, set[str]] = defaultdict(set)
    for o in p.options:
        g = pools[o.pool]
        anywhere[o.piece].add(g.location)
        if not g.whole_nodes:
            apart[o.piece].add(g.location)
    for t in p.transfers:
        free = {(r.from_location, r.to_location) for r in t.routes if not r.usd_per_request}
        # What takes nodes whole has all of their pieces in one place.
        places = apart if node[t.from_piece] == node[t.to_piece] else anywhere
        if any(a != b and (a, b) not in free for a in places[t.from_piece] for b in places[t.to_piece]):
            return False
    return True


def alike_nodes(p: PlacementProblem, prices: Prices) -> list[Alike]:
    """The nodes of a problem by kind."""
    parts: dict[str, list[str]] = defaultdict(list)
    keys: dict[str, list[object]] = defaultdict(list)
    for q in p.pieces:
        parts[q.node].append(q.part)
        keys[q.node] += [q.part, q.memory_key, q.state_key]
    options: dict[str, dict[tuple[str, str], Option]] = defaultdict(dict)
    node, part = {q.id: q.node for q in p.pieces}, {q.id: q.part for q in p.pieces}
    for o in p.options:
        options[node[o.piece]][part[o.piece], o.pool] = o
    own = _made_for_one(p, node)
    kinds: dict[object, list[str]] = defaultdict(list)
    for name, key in keys.items():
        shared = {(q, g, replace(o, piece="")) for (q, g), o in options[name].items() if g not in own[name]}
        kinds[tuple(key), frozenset(shared), frozenset(Counter(own[name].values()).items())].append(name)
    found: list[Alike] = []
    for nodes in kinds.values():
        nodes.sort(key=lambda name: -prices.get(name, 0.0))
        usd_per_s = sum(prices.get(name, 0.0) for name in nodes) / len(nodes)
        likes = _likes(nodes, own)
        found.append(Alike(tuple(nodes), tuple(parts[nodes[0]]), options[nodes[0]], likes, usd_per_s))
    return found


def _made_for_one(p: PlacementProblem, node: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """By node: the pools that it alone may take, with all that pools of other nodes may have in common with them."""
    inside: dict[str, list[Option]] = defaultdict(list)
    for o in p.options:
        inside[o.pool].append(o)
    found: dict[str, dict[str, object]] = defaultdict(dict)
    for g in p.pools:
        if _is_for_one(g, inside[g.id], node):
            likes = tuple((o.piece.rpartition(".")[2], replace(o, piece="", pool="")) for o in inside[g.id])
            found[node[inside[g.id][0].piece]][g.id] = (replace(g, id=""), likes)
    return found


def _is_for_one(g: Pool, inside: list[Option], node: Mapping[str, str]) -> bool:
    """Whether a pool with a count may hold nothing but one node, or one piece."""
    return bool(g.capacity) and len({node[o.piece] if g.whole_nodes else o.piece for o in inside}) == 1


def _likes(nodes: list[str], own: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """`Alike.own`"""
    found: dict[str, dict[str, str]] = {pool: {} for pool in own[nodes[0]]}
    for name in nodes:
        by_like: dict[object, list[str]] = defaultdict(list)
        for pool, like in own[name].items():
            by_like[like].append(pool)
        for pool, like in own[nodes[0]].items():
            found[pool][name] = by_like[like].pop(0)
    return found
