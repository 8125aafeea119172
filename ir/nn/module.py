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
    """A network: `main` of `module`, the values of its weights by name, and the names users call its ends by."""

    module: ModuleOp
    weights: Mapping[str, np.ndarray]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


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
