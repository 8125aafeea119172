"""The graphs that share one fleet: members of one `agent.graph`, or that graph itself where it is alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr
from xdsl.ir import Attribute

from .agent import GraphOp


@dataclass(frozen=True)
class Member:
    """A graph with requests of its own; its nodes are called `name/node` where it shares a fleet."""

    name: str
    """empty where the graph is alone"""
    share: float
    """of all requests"""
    slo: DictionaryAttr
    """as in `agent.graph`"""
    kv_transfer: ArrayAttr | None = None
    """as in `agent.graph`"""
    priority: int = 0
    """as in `agent.graph`"""

    @property
    def prefix(self) -> str:
        """What the names of its nodes begin with."""
        return f"{self.name}/" if self.name else ""

    def has(self, node: str) -> bool:
        """Whether `node`, a node's or a piece's name, is of this graph."""
        return node.startswith(self.prefix)


def members_of(graph: GraphOp) -> tuple[Member, ...]:
    """The graphs that `graph` joins, in order; itself where it joins none."""
    if graph.graphs is None:
        return (Member("", 1.0, graph.slo, graph.kv_transfer, _priority(graph.priority)),)
    return tuple(_member(name, asks) for name, asks in graph.graphs.data.items() if isinstance(asks, DictionaryAttr))


def _member(name: str, asks: DictionaryAttr) -> Member:
    share, slo, transfers = (asks.data.get(key) for key in ("share", "slo", "kv_transfer"))
    assert isinstance(share, FloatAttr)
    assert isinstance(slo, DictionaryAttr)
    transfers = transfers if isinstance(transfers, ArrayAttr) else None
    return Member(name, share.value.data, slo, transfers, _priority(asks.data.get("priority")))


def _priority(value: Attribute | None) -> int:
    return value.value.data if isinstance(value, IntegerAttr) else 0


def member_with(members: Sequence[Member], node: str) -> Member:
    """The graph that `node` is of."""
    return next(member for member in members if member.has(node))
