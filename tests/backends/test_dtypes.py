"""Element types in emitted code: every one that JAX can hold runs, as an input, as a weight and on the way."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import (
    IntegerType,
    NameLoc,
    NoneAttr,
    Signedness,
    StringAttr,
    TensorType,
    bf16,
    f8E4M3FN,
    f8E5M2,
    f16,
    f32,
    f64,
    i1,
    i64,
)  # fmt: skip
from xdsl.ir import Attribute, Block

import dovetail
from dovetail.backends.dtypes import dtype_of, numpy_dtype, stored_dtype
from dovetail.backends.jax.program import build_program
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret

HELD = (
    f32, f16, bf16, f8E4M3FN, f8E5M2, i1, i64, *(IntegerType(bits) for bits in (2, 4, 8, 16, 32)),
    IntegerType(8, Signedness.UNSIGNED),
)  # fmt: skip
VALUES = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
"""What every element type holds exactly."""


def through(element: Attribute) -> nn.NnModule:
    """x above a weight, both of `element`, as f32 and back."""
    type = TensorType(element, VALUES.shape)
    block = Block(arg_types=[type])
    weight = nn.WeightOp.make(type=type, weight="w")
    low = nn.ConcatOp.make(block.args[0], weight.result, axis=0)
    wide = nn.CastOp.make(low.result, type=TensorType(f32, [4, 3]))
    back = nn.CastOp.make(wide.result, type=TensorType(element, [4, 3]))
    block.add_ops([weight, low, wide, back])
    held = VALUES.astype(numpy_dtype(dtype_of(type)))
    return nn.NnModule(nn.build_main(block, [wide.result, back.result]), {"w": held}, ("x",), ("wide", "back"))


@pytest.mark.parametrize("element", HELD, ids=str)
def test_jax_runs_every_element_type_that_it_holds(element: Attribute, imported, tmp_path) -> None:
    network = through(element)
    program = build_program(network, "through")
    x = VALUES[::-1].astype(numpy_dtype(program.inputs["x"][1]))
    expected = interpret(network.module, [x], network.weights)
    saved = imported(program.save(tmp_path / "out") / "jax" / "through")
    for run in (program, saved):
        wide, back = (np.asarray(each) for each in run(x))
        assert (str(wide.dtype), str(back.dtype)) == ("float32", dtype_of(TensorType(element, [])))
        for found, want in zip((wide, back), expected, strict=True):
            np.testing.assert_array_equal(found.astype(np.float64), want)


@pytest.mark.parametrize("element", [f64, IntegerType(3), IntegerType(7)], ids=str)
def test_an_element_type_that_code_cannot_hold_is_named(element: Attribute) -> None:
    block = Block(arg_types=[TensorType(element, [2])])
    network = nn.NnModule(nn.build_main(block, list(block.args)), {}, ("x",), ("y",))
    shown = "float64" if element == f64 else str(element)
    with pytest.raises(InputError, match=f"input `x` holds {shown}, for which no code is emitted"):
        build_program(network, "unheld")


@pytest.mark.parametrize("way", [None, "h100-sxm", "epyc-9554"])
def test_where_float64_comes_from_is_told_and_not_what_follows(way: str | None) -> None:
    block = Block(arg_types=[TensorType(f32, [2]), TensorType(f64, [2])])
    up = nn.CastOp.make(block.args[0], type=TensorType(f64, [2]))
    up.location = NameLoc(StringAttr("up"), NoneAttr())
    weight = nn.WeightOp.make(type=TensorType(f64, [2]), weight="table")
    total = nn.AddOp.make(up.result, weight.result)
    down = nn.CastOp.make(total.result, type=TensorType(f32, [2]))
    block.add_ops([up, weight, total, down])
    ends = [down.result, block.args[1]]
    network = nn.NnModule(nn.build_main(block, ends), {"table": np.ones(2)}, ("x", "precise"), ("y", "z"))
    with pytest.raises(InputError) as raised:
        dovetail.compile(network, placement=None if way is None else [way] * 3)
    assert sorted(each.message.partition(", for which")[0] for each in raised.value.diagnostics) == [
        "input `precise` holds float64",
        "operator `nn.cast` at `up` gives float64",
        "weight `table` holds float64",
    ]
    assert all("float32" in str(each.help) for each in raised.value.diagnostics)


def test_files_hold_narrow_integers_in_bytes() -> None:
    names = ["float32", "float16", "bfloat16", "float8_e5m2", "int4", "int8", "uint8", "bool"]
    stored = ["float32", "float16", "bfloat16", "float8_e5m2", "int8", "int8", "uint8", "bool"]
    assert [stored_dtype(name) for name in names] == stored
