"""Elementwise ops to emit as kernels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, TensorType, f32
from xdsl.ir import Attribute, Block

from dovetail.backends.triton.interpreter import Interpreter
from dovetail.ir import nn

sys.path.insert(0, str(Path(__file__).parent))  # `random_shapes` here, `epilogues` in the interpreter's process

Step = tuple[str, tuple[int, ...]]
Made = tuple[nn.FusedElementwiseOp, ModuleOp]


@pytest.fixture(scope="session")
def triton() -> None:
    """Skips what needs the triton package."""
    if find_spec("triton") is None:
        pytest.skip("needs the extra dovetail[triton]")


@pytest.fixture(scope="session")
def interpreter(triton: None) -> Iterator[Interpreter]:
    """One process in which Triton interprets, for all tests of kernels."""
    with Interpreter() as interpreter:
        yield interpreter


@pytest.fixture
def make_chain() -> Callable[..., Made]:
    """
    `make_chain(steps, shapes, constants)`: a fused op on tensors, then scalar fills, and the module that it returns in.
    """

    def make(
        steps: Sequence[Step], shapes: Sequence[tuple[int, ...]], constants: Sequence[float] = (), type: Attribute = f32
    ) -> Made:
        block = Block(arg_types=[TensorType(type, shape) for shape in shapes])
        fills = [nn.FillOp.make(type=TensorType(type, []), value=value) for value in constants]
        attributes = ArrayAttr([nn.StepAttr.of(kind, args) for kind, args in steps])
        op = nn.FusedElementwiseOp.make(*block.args, *(fill.results[0] for fill in fills), steps=attributes)
        block.add_ops([*fills, op])
        return op, nn.build_main(block, [op.results[0]])

    return make
