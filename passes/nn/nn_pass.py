"""What the passes over tensor networks share: options, and running over text or over a network with its weights."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from .draft import Draft
from .profit import target_of


@dataclass(frozen=True)
class NnPass(ModulePass):
    """A pass that rewrites `main`. `device` is the catalogue's device, or the kind, whose time decides what pays."""

    device: str = "gpu"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self.rewrite(Draft(op, target=target_of(self.device)))

    @abstractmethod
    def rewrite(self, draft: Draft) -> None:
        """Change the draft in place and count in `draft.fired` what was done."""
