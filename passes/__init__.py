"""Passes by name, and the two pipelines: before planning, and after it for each kind of device."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdsl.passes import ModulePass

PassFactory = Callable[[], "type[ModulePass]"]

PIPELINE = (
    ("lower-llm-call", "prefill and decode are bound by different things, so each gets a device of its own"),
    ("partition-pieces", "gives what is placed a name that does not depend on the order in the file"),
)
"""Before planning: (pass, why)."""

TARGET_PIPELINE: dict[str, tuple[tuple[str, str], ...]] = {
    "gpu": (),
    "tpu": (),
    "npu": (),
    "cpu": (),
    "api": (),
}
"""After planning, by the kind of device that a piece was placed on: (pass, why)."""

BUILT_IN = {
    "apply-plan": (".apply_plan", "ApplyPlanPass"),
    "lower-llm-call": (".lower_llm_call", "LowerLLMCallPass"),
    "partition-pieces": (".partition", "PartitionPiecesPass"),
}
"""Pass name -> its module and its class there; imported when first asked for."""

ENTRY_POINT_GROUP = "dovetail.passes"
"""Other packages add passes here: the entry point's name is the pass's, its value the `ModulePass` class."""


def available_passes() -> dict[str, PassFactory]:
    """Every pass by name, ours and those of entry points; the value imports the class when called.

    Our own names cannot be taken over.
    """
    found: dict[str, PassFactory] = {entry.name: entry.load for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return found | {name: _loader(*where) for name, where in BUILT_IN.items()}


def _loader(module: str, attribute: str) -> PassFactory:
    return lambda: getattr(import_module(module, __package__), attribute)
