"""Dovetail: a compiler and cost-model planner for agent workflows and neural networks on mixed hardware.

import dovetail
plan = dovetail.plan("graph.yaml", fleet="fleet.yaml")
print(plan.to_text())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .check_driver import check
    from .driver import Plan, plan
    from .ir.diagnostics import Infeasible, InputError
    from .program import Program, compile

__all__ = ["Infeasible", "InputError", "Plan", "Program", "check", "compile", "plan"]

_HOME = {
    "InputError": "ir.diagnostics",
    "Infeasible": "ir.diagnostics",
    "Program": "program",
    "check": "check_driver",
    "compile": "program",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module at first use, so that `import dovetail` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'dovetail' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f".{_HOME.get(name, 'driver')}", __name__), name)
