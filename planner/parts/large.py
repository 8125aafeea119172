"""Which graphs are planned part by part, and their plans."""

from __future__ import annotations

from dataclasses import replace

from ..candidates.profiles import profile_of
from ..candidates.setting import Setting
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock
from ..posing.goals import MINIMISED
from ..posing.pose import Posed
from ..posing.to_problem import frame
from .solve import ByParts, Progress

LARGE = 300
"""Nodes that are placed times kinds of device from which parts are quicker than the whole."""


def goes_by_parts(posed: Posed) -> bool:
    """Whether a problem is large, and of a kind whose parts share no pools: language models and small work, by cost.

    Networks share hosts with small work, and models of a choice share nodes; profiles say what no survey knows.
    """
    setting = posed.setting
    plain = posed.made is None and posed.inputs.previous is None and not setting.keeps_all
    if not plain or posed.works or posed.goal != "cost" or setting.rate_per_s is None:
        return False
    return len(setting.nodes) * len(setting.fleet.devices) >= LARGE and _are_apart(setting)


def _are_apart(setting: Setting) -> bool:
    return not setting.chooses_models and all(profile_of(setting, op) is None for op in setting.nodes.values())


def by_parts(
    posed: Posed, gap: float, time_limit_s: float | None, solver: str, on_progress: Progress | None
) -> tuple[Posed, PlacementResult] | None:
    """The question with the pools that were looked at, and its plan; None where a part has none, or the whole."""
    bare = frame(posed.setting, posed.works, MINIMISED[posed.goal])
    found = ByParts(posed.setting, bare, gap, solver, Clock(time_limit_s), on_progress).solve()
    return None if found is None else (replace(posed, made=found[0]), found[1])
