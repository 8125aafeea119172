"""Integers of the reference meaning: exact, wrapped around, and what floats become."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate
from dovetail.ir.meaning import held
from dovetail.ir.read.elements import ELEMENT_TYPES


@pytest.mark.parametrize("name", ["int8", "int32", "int64", "uint8", "uint64"])
def test_a_float_out_of_range_becomes_the_nearest_integer_and_nan_0(name: str, x64) -> None:
    import jax

    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 127.9, -128.9, 255.5, 2.0**63, -(2.0**63), 0.9, -0.9])
    expected = jax.jit(lambda a: a.astype(name))(x)
    np.testing.assert_array_equal(held(ELEMENT_TYPES[name], x).astype(name), expected)


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_integers_wrap_around_as_those_of_numpy_do(name: str) -> None:
    limits, element = np.iinfo(name), ELEMENT_TYPES[name]
    x = np.array([limits.min, limits.max, 3, limits.max - 1], dtype=name)
    block = Block(arg_types=[nn.tensor(element, (4,))] * 2)
    for kind, function in ((nn.AddOp, np.add), (nn.MulOp, np.multiply), (nn.SubOp, np.subtract)):
        (found,) = evaluate(kind.make(*block.args), [x, x[::-1]], {})
        np.testing.assert_array_equal(found.astype(name), function(x, x[::-1]))
    (total,) = evaluate(nn.ReduceOp.make(block.args[0], kind="sum", axes=(0,)), [x], {})
    np.testing.assert_array_equal(total.astype(name), x.sum(dtype=name, keepdims=True))
