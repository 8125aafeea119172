"""Nodes whose traffic is split, as one node for each class of visits; and which classes pools are made for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Generic, TypeVar

from xdsl.dialects.builtin import FloatAttr, StringAttr, f64
from xdsl.ir import Operation

from ...ir.agent import DistAttr
from ...ir.llm import DecodeOp, PrefillOp, node_and_part
from ...ir.split import VisitClass, without_class
from ..placement.problem import Scenario, Step
from ..placement.times.unroll import MAX_SCENARIOS, MAX_STEPS, TooManyScenarios, node_of

Tenant = TypeVar("Tenant")
Classes = Mapping[str, tuple[VisitClass, ...]]
"""Node -> its classes; nodes that are not split are absent."""


def op_of_class(op: Operation, each: VisitClass) -> Operation:
    """(37) `op`, or the phase that it is, for the visits of one class alone.

    A cached prefix is not longer than the prompts of the class are on average.
    """
    _, part = node_and_part(op)
    own = op.clone()
    if isinstance(own, PrefillOp | DecodeOp):
        own.attributes["sym_name"] = StringAttr(f"{each.name}.{part}")
        own.attributes["node"] = StringAttr(each.name)
        if each.prompt is not None:
            own.attributes["prompt_tokens"] = DistAttr.of(each.prompt)
            if isinstance(own, PrefillOp):
                cached = min(own.cached_prefix_tokens.value.data, each.prompt.mean)
                own.attributes["cached_prefix_tokens"] = FloatAttr(cached, f64)
    else:
        own.attributes["sym_name"] = StringAttr(each.name)
    return own


def split_scenarios(scenarios: Sequence[Scenario], classes: Classes) -> tuple[Scenario, ...]:
    """Each way of a request, once for each combination of its classes at the nodes that it visits.

    A request keeps its class at a node, and those at different nodes are independent. Raises TooManyScenarios.
    """
    if not classes:
        return tuple(scenarios)
    found, steps = [], 0
    for scenario in scenarios:
        visited = dict.fromkeys(n for step in scenario.steps if (n := node_of(step)) in classes)
        ways = product(*(classes[node] for node in visited))
        for way in ways:
            found.append(_of_classes(scenario, dict(zip(visited, way, strict=True))))
            steps += len(scenario.steps)
            if len(found) > MAX_SCENARIOS or steps > MAX_STEPS:
                message = f"the ways through the graph and its split traffic are more than {MAX_SCENARIOS}"
                raise TooManyScenarios(message)
    return tuple(sorted(found, key=lambda s: -s.probability))


def _of_classes(scenario: Scenario, way: Mapping[str, VisitClass]) -> Scenario:
    probability, steps = scenario.probability, list[Step]()
    for each in way.values():
        probability *= each.share
    for step in scenario.steps:
        each = way.get(node_of(step))
        if each is not None:
            step = replace(step, pieces=tuple(f"{each.name}.{piece.rpartition('.')[2]}" for piece in step.pieces))
        steps.append(step)
    return replace(scenario, probability=probability, steps=tuple(steps))


@dataclass(frozen=True)
class TenantSet(Generic[Tenant]):
    """Tenants that pools are made for, and the share of their load that the largest of these carry."""

    tenants: tuple[Tenant, ...]
    share: float = 1.0

    @property
    def label(self) -> str:
        """Tells pools of the same tenants apart."""
        return "" if self.share == 1.0 else f"/{self.share:.3g}"


def tenant_sets(
    tenants: Sequence[Tenant],
    name: Callable[[Tenant], str],
    class_of: Mapping[str, VisitClass],
    priorities: Mapping[str, int],
) -> Iterator[TenantSet[Tenant]]:
    """All tenants together, each node alone, and where priorities differ those of each together.

    Of a node that is split, also what its classes may have together.

    By length these are runs of classes next to each other. Of n parts any k are alike, so that pools for all of them
    that are sized for k / n of the load stand for every choice of k.
    """
    by_node: dict[str, list[Tenant]] = defaultdict(list)
    for tenant in tenants:
        by_node[without_class(name(tenant))].append(tenant)
    yield TenantSet(tuple(tenants))
    for own in by_node.values():
        if len(by_node) > 1:
            yield TenantSet(tuple(own))
        first = class_of.get(name(own[0]))
        if first is not None and first.prompt is None:
            yield from (TenantSet(tuple(own), k / len(own)) for k in range(1, len(own)))
        elif len(own) > 1:
            yield from _runs(own)
    ranks = sorted({priorities[name(tenant)] for tenant in tenants}, reverse=True)
    for rank in ranks if len(ranks) > 1 else ():
        same = tuple(tenant for tenant in tenants if priorities[name(tenant)] == rank)
        if len({without_class(name(tenant)) for tenant in same}) > 1:
            yield TenantSet(same)


def _runs(tenants: Sequence[Tenant]) -> Iterator[TenantSet[Tenant]]:
    """Neighbours together, but not all."""
    for length in range(1, len(tenants)):
        for start in range(len(tenants) - length + 1):
            yield TenantSet(tuple(tenants[start : start + length]))


def loads_by_node(loads: Mapping[str, float], share: float) -> list[float]:
    """Load of each node of the user's [replica-s], its classes together, as `sizings` counts tenants."""
    found: dict[str, float] = defaultdict(float)
    for name, load in loads.items():
        found[without_class(name)] += load * share
    return list(found.values())


def priorities_by_node(priorities: Mapping[str, int], names: Iterable[str]) -> list[int]:
    """Those that go with `loads_by_node`."""
    return [priorities[node] for node in dict.fromkeys(map(without_class, names))]
