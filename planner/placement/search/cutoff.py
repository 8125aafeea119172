"""Options too dear for a plan below a given cost: with this one, each other piece at its least is too much."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from ..problem import Option, PlacementProblem
from .least_costs import Key, LeastCosts


def affordable(p: PlacementProblem, below: float) -> list[Option]:
    """(21) least[p,g] + sum over the other pieces of their least cost <= below, for every option that stays.

    No plan that costs less than `below` [USD/h, or USD/request] takes any other. Pools whose replicas alone are too
    dear lose all of theirs, (71), and so do those that are too dear beside what every plan has to take, (74).
    """
    rises = Rises(p)
    slack = below - rises.least.whole
    return [o for o in p.options if rises.of(o) <= slack]


def least_cost(p: PlacementProblem) -> float:
    """What no plan costs less than: all pieces at their least, or one with its devices [USD/h or USD/request]."""
    least = LeastCosts(p)
    alone: dict[str, float] = {}
    for o in p.options:
        cost = least.least_of([o], least.pools[o.pool], alone=True)
        alone[o.piece] = min(alone.get(o.piece, math.inf), cost)
    return max(least.whole, *alone.values())


class Rises:
    """How much the least cost of all nodes rises with one option or another in a plan."""

    def __init__(self, p: PlacementProblem) -> None:
        self.least = LeastCosts(p)
        self.pools = {g.id: self.least.excess_of_pool(g) for g in p.pools}
        self._alone = {(o.piece, o.pool): max(self.least.excess(o), self.pools[o.pool]) for o in p.options}
        self._asked = [Asked(self, options) for options in p.one_of]

    def of(self, o: Option) -> float:
        """Of an option, beside one at least of each set that a plan has to take one of."""
        return max([self.alone(o), *(asked.beside(o) for asked in self._asked)])

    def alone(self, o: Option) -> float:
        """Of an option, whatever else a plan has: (21) and (71)."""
        return self._alone[o.piece, o.pool]


@dataclass
class Asked:
    """(74) One of the sets of options that a plan has to take one of."""

    rises: Rises
    options: Collection[Key]

    def beside(self, o: Option) -> float:
        """How much the least cost rises with `o`, and one of these."""
        if (o.piece, o.pool) in self.options:
            return self.rises.alone(o)
        if o.pool in self._calls:
            return max(self._least, self.rises.alone(o))
        return max(self._least, self.rises.alone(o), self._least_of_pools + self._own(o))

    def _own(self, o: Option) -> float:
        """What adds to a pool of these: o's own cost over its node's least, or that of its pool over all."""
        least = self.rises.least
        node, pool = least.node[o.piece], self.rises.pools[o.pool]
        if least.pools[o.pool].whole_nodes:  # then nothing of its nodes is in a pool of these
            return max(least.excess(o), pool)
        beside = sum(min(usd, self._in_pools(q)) for q, usd in least.apart[node].items() if q != o.piece)
        own = least.single[o.piece][o.pool] + beside - least.nodes[node]
        return max(own, pool - sum(self._twice(node) for node in {least.node[t.piece] for t in least.tenants[o.pool]}))

    def _twice(self, node: str) -> float:
        """What a node that is parted between two pools spares in both of them at most, over what it can."""
        least = self.rises.least
        return sum(least.apart[node].values()) - least.nodes[node]

    def _in_pools(self, piece: str) -> float:
        """What a piece pays at least in pools of these, replicas left out."""
        return min((own[piece] for own in self._calls.values() if piece in own), default=math.inf)

    @cached_property
    def _calls(self) -> dict[str, dict[str, float]]:
        """Of each pool of these what each piece in it pays, replicas left out."""
        least = self.rises.least
        return {
            pool: {o.piece: least.calls([o], least.pools[pool]) for o in least.tenants[pool]}
            for pool in dict.fromkeys(pool for _, pool in self.options)
            if least.tenants.get(pool)
        }

    @cached_property
    def _least_of_pools(self) -> float:
        """What the cheapest pool of these costs over what its tenants cost elsewhere."""
        return min((self.rises.pools[pool] for pool in self._calls), default=math.inf)

    @cached_property
    def _least(self) -> float:
        """What all nodes rise with the cheapest of these."""
        own = (o for o in self.rises.least.p.options if (o.piece, o.pool) in self.options)
        return min(map(self.rises.alone, own), default=math.inf)
