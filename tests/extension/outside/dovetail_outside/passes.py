"""A pass of another package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass

from dovetail.ir.agent import graph_of


@dataclass(frozen=True)
class RenamePass(ModulePass):
    """Calls every graph `renamed`."""

    name: ClassVar[str] = "outside-rename"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        graph_of(op).sym_name = StringAttr("renamed")
