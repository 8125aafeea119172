"""Work as data: how much, never how long; and the rule for each kind of op that says how much it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdsl.ir import Operation

CostRule = Callable[[Any], "Cost"]
"""The work of one op of the class that the rule is registered for."""

ENTRY_POINT_GROUP = "dovetail.cost_rules"
"""Other packages add rules here: the entry point's value is a mapping from op class to `CostRule`."""


@dataclass(frozen=True)
class Cost:
    """Work that adds up: floating-point operations, bytes moved to and from memory, kernel launches."""

    flops: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0
    launches: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.flops + other.flops,
            self.read_bytes + other.read_bytes,
            self.write_bytes + other.write_bytes,
            self.launches + other.launches,
        )

    @property
    def moved_bytes(self) -> float:
        """[bytes] read and written."""
        return self.read_bytes + self.write_bytes


class NoCostRule(LookupError):
    """An op has no cost rule; the text names the op."""


def cost_of(op: Operation) -> Cost:
    """The work of `op` alone, by the rule of its class; NoCostRule where there is none."""
    rule = cost_rules().get(type(op))
    if rule is None:
        raise NoCostRule(f"there is no cost rule for `{op.name}`; a zero would make its plan look cheap")
    return rule(op)


@cache
def cost_rules() -> Mapping[type[Operation], CostRule]:
    """The rule of every op class, ours and those of entry points; ours cannot be taken over."""
    from importlib.metadata import entry_points

    from .rules import RULES  # loads xdsl, which a plan of agents does not need

    found: dict[type[Operation], CostRule] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found |= entry.load()
    return found | dict(RULES)
