"""`decompose-batch-norm`: the text before and after, and the meaning on random tensors of each rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr, TensorType, f32
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.opt import main
from dovetail.passes import run_pipeline

CASE = Path(__file__).parents[2] / "cases/nn_batch_norm.mlir"
DECOMPOSE = (("decompose-batch-norm", ""),)


def batch_norm(shape: tuple[int, ...], epsilon: float) -> ModuleOp:
    """A batch norm whose five operands are inputs."""
    body = Block(arg_types=[TensorType(f32, s) for s in (shape, *[(shape[1],)] * 4)])
    op = nn.BatchNormOp.make(*body.args, epsilon=epsilon)
    op.location = NameLoc(StringAttr("bn"), NoneAttr())
    body.add_op(op)
    return nn.build_main(body, [op.result])


def test_text(golden, capsys):
    assert main([str(CASE), "-p", "decompose-batch-norm"]) == 0
    golden("passes/nn_batch_norm.mlir", capsys.readouterr().out)


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4), (2, 3, 4, 5), (1, 4, 2, 3, 2), (4, 1, 4, 4), (4, 4, 4, 4)])
@pytest.mark.parametrize("epsilon", [0.0, 1e-5, 0.1])
def test_meaning_is_kept(shape, epsilon):
    before = batch_norm(shape, epsilon)
    after = before.clone()
    run_pipeline(after, DECOMPOSE)
    assert not any(isinstance(op, nn.BatchNormOp) for op in nn.body_of(after))
    rng = np.random.default_rng(len(shape))
    vectors = [rng.normal(size=shape[1]) for _ in range(3)] + [rng.uniform(0.5, 1.5, shape[1])]
    inputs = [rng.normal(size=shape), *vectors]
    np.testing.assert_allclose(interpret(after, inputs, {}), interpret(before, inputs, {}), rtol=1e-11, atol=1e-13)


def test_locations_are_copied():
    module = batch_norm((2, 3, 4, 4), 1e-5)
    run_pipeline(module, DECOMPOSE)
    ops = nn.body_of(module)
    assert {op.location for op in ops} == {NameLoc(StringAttr("bn"), NoneAttr())}
