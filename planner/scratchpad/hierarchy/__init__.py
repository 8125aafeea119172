"""More than one level: what leaves the scratchpad goes to the next memory while that has room, and DMA takes time."""

from __future__ import annotations

from .check import check_hierarchy
from .level import Level, operator_seconds
from .plan import HierarchyPlan
from .solve import plan_hierarchy

__all__ = ["HierarchyPlan", "Level", "check_hierarchy", "operator_seconds", "plan_hierarchy"]
