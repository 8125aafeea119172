"""Inputs for a program that nobody gave: normal numbers, and whole ones that its tables have rows for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from xdsl.ir import SSAValue

from ...ir import nn
from ..dtypes import numpy_dtype

if TYPE_CHECKING:
    from .program import PlacedProgram


def random_inputs(program: PlacedProgram, seed: int = 0) -> list[np.ndarray]:
    """Normal numbers, and for integers places in the tables that they are looked up in."""
    rng, below = np.random.default_rng(seed), below_of(program)
    made = []
    for name, (shape, dtype) in program.inputs.items():
        whole = name in below
        made.append(
            (rng.integers(0, below[name], shape) if whole else rng.standard_normal(shape)).astype(numpy_dtype(dtype))
        )
    return made


def below_of(program: PlacedProgram) -> dict[str, int]:
    """For each input of whole numbers, what those that are drawn are below."""
    whole = [name for name, (_, dtype) in program.inputs.items() if numpy_dtype(dtype).kind in "biu"]
    return {name: _rows_of(program, name) for name in whole}


def _rows_of(program: PlacedProgram, name: str) -> int:
    """The rows of the smallest table that the input `name` looks up in; 2 where it is for something else."""
    rows = []
    for step in program.steps:
        args = nn.main_of(step.network.module).args
        waiting: list[SSAValue] = [arg for taken, arg in zip(step.takes, args, strict=True) if taken == name]
        while waiting:
            for use in waiting.pop().uses:
                if isinstance(op := use.operation, nn.GatherOp) and use.index == 1:
                    rows.append(nn.shape_of(op.x)[nn.integer(op.axis)])
                elif isinstance(op, nn.ReshapeOp | nn.CastOp | nn.TransposeOp | nn.BroadcastOp | nn.SliceOp):
                    waiting.append(op.results[0])
    return min(rows, default=2)
