"""Pieces that differ in their weights alone: one source serves them all, and each has weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xdsl.dialects.builtin import StringAttr

from ...ir import nn

if TYPE_CHECKING:
    from .executors import Target
    from .program import Step

Build = Callable[[nn.NnModule, str], "Step"]
"""makes a step of a piece and the name of its module"""


@dataclass
class EqualPieces:
    """The steps of the pieces so far, the first of each kind by what makes others equal to it."""

    _first: dict[Hashable, tuple[tuple[str, ...], Step]] = field(default_factory=dict)

    def step(self, piece: nn.NnModule, name: str, target: Target, build: Build) -> Step:
        """
        The step of `piece`: with the sources of an equal piece before it, where there is one, else with its own.

        Two pieces are equal if they stand on devices of one type, and the same text is emitted for both once the
        weights of the second are called as those of the first.
        """
        text, weights = _canonical(piece)
        key = (text, target.kind, target.device and target.device.id, target.scratchpad_bytes)
        if key not in self._first:
            made = build(piece, name)
            self._first[key] = (weights, made)
            return made
        others, first = self._first[key]
        made = build(_called(piece, dict(zip(weights, others, strict=True))), first.name)
        if made.executor.sources != first.executor.sources:  # what is emitted may depend on values
            return build(piece, name)
        return replace(made, name=name, executor=made.executor.sharing(first.executor, name))


def _canonical(piece: nn.NnModule) -> tuple[str, tuple[str, ...]]:
    """The text of `piece` with its weights numbered as they come, and what they are called."""
    module = piece.module.clone()
    numbers: dict[str, str] = {}
    for op in nn.body_of(module):
        if isinstance(op, nn.WeightOp):
            op.weight = StringAttr(numbers.setdefault(op.weight.data, str(len(numbers))))
    return str(module), tuple(numbers)


def _called(piece: nn.NnModule, names: dict[str, str]) -> nn.NnModule:
    """`piece` with its weights called as `names` says."""
    module = piece.module.clone()
    for old, new in zip(nn.body_of(piece.module), nn.body_of(module), strict=True):
        new.location = old.location
        if isinstance(new, nn.WeightOp):
            new.weight = StringAttr(names[new.weight.data])
    return replace(piece, module=module, weights={names[key]: value for key, value in piece.weights.items()})
