"""Which graphs are planned part by part, and their plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from ...costmodel.work import Work
from ..candidates.apis import api_candidates
from ..candidates.least_prices import of_nodes
from ..candidates.llm.pools import pools_of_run
from ..candidates.llm.runs import runs
from ..candidates.profiles import profile_of
from ..candidates.setting import Setting
from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult, SolveStats
from ..placement.search.clock import Clock
from ..placement.search.engine import on_interrupt
from ..placement.search.rounds import Progress
from ..placement.search.solve import solve, unit_of
from ..posing.goals import MINIMISED
from ..posing.pose import Posed
from ..posing.to_problem import frame, with_candidates
from .alone.part import restricted
from .solve import ByParts

LARGE = 300
"""Nodes that are placed times kinds of device from which parts are quicker than the whole."""


def goes_by_parts(posed: Posed) -> bool:
    """Whether a problem is large, and of a kind whose parts share no pools: language models and small work, by cost.

    Networks share hosts with small work, and models of a choice share nodes; profiles say what no survey knows.
    """
    plain = posed.made is None and posed.inputs.previous is None and not posed.setting.keeps_all
    return plain and posed.goal == "cost" and has_parts(posed.setting, posed.works)


def has_parts(setting: Setting, works: Mapping[str, Work]) -> bool:
    """Whether the graph is large and its parts share no pools; `works` is of networks."""
    if works or setting.rate_per_s is None or len(setting.nodes) * len(setting.fleet.devices) < LARGE:
        return False
    return not setting.chooses_models and all(profile_of(setting, op) is None for op in setting.nodes.values())


def by_parts(
    posed: Posed, gap: float, time_limit_s: float | None, solver: str, on_progress: Progress | None
) -> tuple[Posed, PlacementResult] | None:
    """The question with the pools that were looked at, and its plan; None where a part has none, or the whole.

    Where a relaxation shows that there is no plan, it is the question without pools, and why.
    Where nodes have no place at all it is the question of the first of these, and why there is none.
    """
    bare, clock = frame(posed.setting, posed.works, MINIMISED[posed.goal]), Clock(time_limit_s)
    search = ByParts(posed.setting, bare, gap, solver, clock, on_progress)

    def stop() -> None:
        """The plan of what is known by now; at once where the user insists."""
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    with on_interrupt(stop):
        found = search.solve()
    if found is not None:
        return replace(posed, made=found[0]), found[1]
    if search.impossible is not None:
        why = search.impossible
        stats = SolveStats(clock.spent, solver=solver)
        result = PlacementResult(
            "infeasible", unit=unit_of(bare), conflict=why.conflict, needed=why.needed, stats=stats
        )
        return replace(posed, made=bare), result
    if clock.stopped:
        raise KeyboardInterrupt("some parts have no plan yet, or those that they have do not go together")
    for node in search.without_place[:1]:
        alone = _alone(posed.setting, bare, node)
        result = solve(alone, time_limit_s=clock.left, solver=solver)
        if result.status == "infeasible":
            return replace(posed, made=alone), replace(result, unit=f"{result.unit} for `{node}` alone")
    return None


def _alone(setting: Setting, bare: PlacementProblem, node: str) -> PlacementProblem:
    """The problem of one node by itself, with all pools that it might have."""
    runs_of = (replace(run, calls=tuple(c for c in run.calls if c.node == node)) for run in runs(setting))
    own = chain.from_iterable(pools_of_run(setting, run) for run in runs_of if run.calls)
    written = of_nodes(tuple(api_candidates(setting)), (node,))
    return with_candidates(restricted(bare, (node,)), setting, chain(own, written))
