"""Pictures of modules at any level: a workflow, its phases, a plan, a network; as Graphviz, Mermaid or SVG."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...ir.diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from .picture import Picture

FORMATS = ("dot", "mermaid", "svg")


def draw(module: ModuleOp, format: str) -> str:
    """The picture of `module` in one of FORMATS; InputError for a module of which there is none."""
    return _writer(format)(picture_of(module))


def picture_of(module: ModuleOp) -> Picture:
    """The picture of `module`: of its plan where pieces are placed, else of its workflow, else of its network."""
    from ...ir.agent import GraphOp
    from ...ir.plan import PlaceOp

    ops = list(module.walk())
    if any(isinstance(op, PlaceOp) for op in ops):
        from .plan import plan_picture

        return plan_picture(module)
    graph = next((op for op in ops if isinstance(op, GraphOp)), None)
    if graph is not None:
        from .workflow import workflow_picture

        return workflow_picture(graph)
    from .network import network_picture

    try:
        return network_picture(module)
    except ValueError as error:
        raise InputError([Diagnostic("picture", f"there is nothing to draw: {error}")]) from error


def _writer(format: str) -> Callable[[Picture], str]:
    match format:
        case "dot":
            from .dot import dot as write
        case "mermaid":
            from .mermaid import mermaid as write
        case "svg":
            from .svg import svg as write
        case _:
            raise ValueError(f"there is no format `{format}`")
    return write
