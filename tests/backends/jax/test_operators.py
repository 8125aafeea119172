"""Every nn operator: emitted JAX source against the reference interpreter on random inputs."""

from __future__ import annotations

import numpy as np
import pytest
from operator_cases import CASES, SEVERAL, inputs_of
from xdsl.dialects.builtin import f32
from xdsl.ir import Block

from dovetail.backends.dtypes import dtype_of
from dovetail.backends.jax.operators import EXPRESSIONS
from dovetail.backends.jax.program import build_program
from dovetail.backends.jax.sharding import COLLECTIVES
from dovetail.backends.jax.transformer_operators import EXPRESSIONS as OF_TRANSFORMERS
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret


def test_every_operator_that_has_code_has_a_case(make_network):
    made = [make_network(build, shapes).module for build, shapes in (CASES | SEVERAL).values()]
    covered = {type(op) for module in made for op in nn.body_of(module)}
    elsewhere = {*OF_TRANSFORMERS, *COLLECTIVES}  # test_transformers.py, test_sharding.py
    assert covered >= {*EXPRESSIONS, *nn.ELEMENTWISE.values(), nn.FusedElementwiseOp} - elsewhere


@pytest.mark.parametrize("case", CASES | SEVERAL)
def test_operator_means_what_the_interpreter_says(case, make_network):
    build, shapes = (CASES | SEVERAL)[case]
    network, inputs = make_network(build, shapes), inputs_of(case)
    program = build_program(network, case)
    end = nn.main_of(network.module).body.block.last_op
    assert end is not None
    types = [nn.tensor_type(value) for value in end.operands]
    for found, expected, type in zip(program(*inputs), interpret(network.module, inputs, {}), types, strict=True):
        assert found.shape == expected.shape
        assert str(found.dtype) == dtype_of(type)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_an_operator_without_code_is_named(make_network):
    network = make_network(lambda add, x: add(nn.AllReduceOp, x, mesh="tp", ranks=2), [(3, 4)])
    with pytest.raises(InputError, match=r"no JAX code for operator `nn.all_reduce` on one device"):
        build_program(network, "sharded")


def test_open_sizes_are_named():
    block = Block(arg_types=[nn.tensor(f32, (nn.Size.named("batch"), nn.Size.named("seq")))])
    network = nn.NnModule(nn.build_main(block, list(block.args)), {}, ("x",), ("y",))
    with pytest.raises(InputError, match="JAX code needs sizes for batch, seq"):
        build_program(network, "open")
