"""A whole network: its module, and beside it what text cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue


@dataclass(frozen=True)
class NnModule:
    """
    A network: `main` of `module`, the values of its weights by name, and the names users call its ends by.

    Each input has a name of its own, and each output: what comes again is called `y_2`, `y_3`, ...
    """

    module: ModuleOp
    weights: Mapping[str, np.ndarray]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_names", distinct(self.input_names))
        object.__setattr__(self, "output_names", distinct(self.output_names))


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """`names`, where one that was there before has the next free number behind it."""
    taken, found = set(names), dict[str, None]()
    for name in names:
        free, number = name, 1
        while free in found or (number > 1 and free in taken):
            number += 1
            free = f"{name}_{number}"
        found[free] = None
    return tuple(found)


def build_main(block: Block, outputs: Sequence[SSAValue]) -> ModuleOp:
    """The module whose `main` has the body `block` (arguments and ops) and returns `outputs`."""
    block.add_op(ReturnOp(*outputs))
    types = ([a.type for a in block.args], [o.type for o in outputs])
    return ModuleOp([FuncOp("main", types, Region(block))])


def main_of(module: ModuleOp) -> FuncOp:
    """The function `main` of `module`; ValueError where there is none, or none with a body."""
    for op in module.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == "main" and not op.is_declaration:
            return op
    raise ValueError("the module has no function `main`")


def body_of(module: ModuleOp) -> Iterable[Operation]:
    """The ops of `main` in order, without the return."""
    return [op for op in main_of(module).body.block.ops if not isinstance(op, ReturnOp)]
