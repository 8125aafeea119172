"""A network while passes change it, and the one walk that all patterns share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from xdsl.dialects.builtin import FunctionType, LocationAttr, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from ...ir import nn
from ..locations import fused_location
from .profit import Target, default_target

Replacement = Sequence[SSAValue] | None
"""The values that stand for the results of an op from now on; None where the pattern does not match."""
Pattern = Callable[[Any, "Draft"], Replacement]
"""Called with an op of the class it is registered for; emits new ops before it and gives what replaces it."""
Patterns = Mapping[type[Operation], Sequence[tuple[str, Pattern]]]
"""Op class -> the patterns that it is the last op of, by name, the largest first."""


@dataclass
class Draft:
    """
    A network that is being rewritten in place.

    `weights` holds the values that are known beside the module: none of them where a pass runs over text alone, so
    that patterns which must see a value do not match there.
    """

    module: ModuleOp
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    target: Target = field(default_factory=default_target)
    fired: Counter[str] = field(default_factory=Counter)
    """how often each pattern fired, by name"""
    fresh: list[Operation] = field(default_factory=list)
    """the ops that the present pattern has put in, in order"""

    @cached_property
    def main(self) -> FuncOp | None:
        """The function `main`, where the module has one, with a body."""
        functions = (op for op in self.module.ops if isinstance(op, FuncOp) and not op.is_declaration)
        return next((op for op in functions if op.sym_name.data == "main"), None)

    @property
    def block(self) -> Block:
        """The body of `main`; an empty block where there is none."""
        return self.main.body.block if self.main is not None else Block()

    @property
    def ops(self) -> Iterator[Operation]:
        """The ops of `main` in order, without the return; ops may be added and removed meanwhile."""
        for op in list(self.block.ops):
            if op.parent is not None and not isinstance(op, ReturnOp):
                yield op

    def emit(
        self,
        before: Operation,
        kind: type[nn.TensorOp],
        /,
        *operands: SSAValue | None,
        at: Iterable[Operation] | None = None,
        name: str | None = None,
        **given: Any,
    ) -> SSAValue:
        """The first result, hinted `name`, of a new op before `before`, with its location or that of the ops `at`."""
        result = self.put(before, kind.make(*operands, **given), at).results[0]
        result.name_hint = name
        return result

    def put(self, before: Operation, made: Operation, at: Iterable[Operation] | None = None) -> Operation:
        """`made`, now standing before `before`, with its location or, if given, that of the ops `at`."""
        made.location = location_of(at) if at is not None else before.location
        assert before.parent is not None
        before.parent.insert_op_before(made, before)
        self.fresh.append(made)
        return made

    def scalar(self, before: Operation, value: float, like: SSAValue) -> SSAValue:
        """`value` as a tensor of rank 0 with the element type of `like`."""
        return self.emit(before, nn.FillOp, type=nn.with_shape(like, ()), value=float(value))

    def replace(self, op: Operation, values: Sequence[SSAValue]) -> None:
        """Let `values` stand for the results of `op`, and remove it with all that was computed for it alone."""
        for old, new in zip(op.results, values, strict=True):
            new.name_hint = new.name_hint or old.name_hint
            old.replace_all_uses_with(new)
        self.erase(op)

    def erase(self, op: Operation) -> None:
        """Remove `op`, which nobody uses, and every op that was there for it alone."""
        waiting = [op]
        while waiting:
            dead = waiting.pop()
            if dead.parent is None or any(result.first_use is not None for result in dead.results):
                continue
            owners = [o.owner for o in dict.fromkeys(dead.operands)]
            dead.detach()
            dead.erase()
            waiting += [owner for owner in owners if isinstance(owner, Operation)]

    def retype(self) -> None:
        """Let the signature of `main` say what its body takes and returns."""
        if self.main is not None and (end := self.block.last_op) is not None:
            inputs, outputs = [a.type for a in self.block.args], [o.type for o in end.operands]
            self.main.function_type = FunctionType.from_lists(inputs, outputs)


def sweep(draft: Draft, patterns: Patterns) -> None:
    """
    Try `patterns` on every op of `main`, once, in order; what a pattern puts in is tried too.

    Linear in the number of ops as long as a pattern looks at a bounded number of them. Ends if each pattern makes its
    ops fewer or simpler.
    """
    op = draft.block.first_op
    while op is not None:
        after = op.next_op
        draft.fresh.clear()
        if _rewrite(op, draft, patterns):
            op = next((made for made in draft.fresh if made.parent is not None), after)
        else:
            op = after


def _rewrite(op: Operation, draft: Draft, patterns: Patterns) -> bool:
    for name, pattern in patterns.get(type(op), ()):
        values = pattern(op, draft)
        if values is not None:
            draft.fired[name] += 1
            draft.replace(op, values)
            return True
    return False


def location_of(ops: Iterable[Operation]) -> LocationAttr:
    """Where all of `ops` come from."""
    return fused_location(*(op.location for op in ops))
