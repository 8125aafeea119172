"""Element types: what may be done with them, and that text and MLIR keep every one, with open sizes too."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import (
    IndexType,
    IntegerType,
    Signedness,
    bf16,
    f8E4M3FN,
    f8E5M2,
    f16,
    f32,
    f64,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import mlir, nn
from dovetail.ir.mlir import find_bindings, verify_in_mlir
from dovetail.ir.text import parse_module, print_module

FLOATS = (f64, f32, f16, bf16, f8E4M3FN, f8E5M2)
INTEGERS = (*(IntegerType(bits) for bits in (*range(1, 9), 16, 32, 64)), IntegerType(8, Signedness.UNSIGNED))
BINDINGS = find_bindings()
needs_mlir = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=mlir.INSTALL)


@pytest.mark.parametrize(
    ("element", "float_", "integer", "number", "truth"),
    [
        *((f, True, False, True, False) for f in FLOATS),
        *((i, False, True, i != i1, i == i1) for i in INTEGERS),
        (IntegerType(65), False, False, False, False),
        (IndexType(), False, False, False, False),
    ],
    ids=str,
)
def test_kinds_of_elements(element: Attribute, float_: bool, integer: bool, number: bool, truth: bool) -> None:
    found = (nn.is_float(element), nn.is_integer(element), nn.is_number(element), nn.is_truth(element))
    assert found == (float_, integer, number, truth)


@pytest.mark.parametrize(
    ("element", "bits", "low", "high"),
    [
        (i1, 1, 0, 1),
        (IntegerType(3), 3, -4, 3),
        (i32, 32, -(2**31), 2**31 - 1),
        (IntegerType(8, Signedness.UNSIGNED), 8, 0, 255),
        (i64, 64, -(2**63), 2**63 - 1),
    ],
    ids=str,
)
def test_ranges_of_integers(element: Attribute, bits: int, low: int, high: int) -> None:
    assert nn.bits_of(element) == bits
    assert nn.integer_range(element) == (low, high)


def test_what_has_no_width_is_refused() -> None:
    with pytest.raises(VerifyException, match=r"\(C0\) index has no fixed width"):
        nn.bits_of(IndexType())


def casts() -> str:
    """Open and closed tensors of every element type, each cast to the next."""
    elements = (*FLOATS, *INTEGERS)
    batch = nn.Size.named("batch")
    block = Block(arg_types=[nn.tensor(elements[-1], shape) for shape in ((2, 3), (batch, 2 * batch + 1, 3))])
    last: list[SSAValue] = list(block.args)
    for element in elements:
        for i, x in enumerate(last):
            cast = nn.CastOp.make(x, type=nn.tensor(element, nn.shape_of(x)))
            block.add_op(cast)
            last[i] = cast.result
    return print_module(nn.build_main(block, last), generic=True)


def test_text_keeps_every_element_type() -> None:
    text = casts()
    module = parse_module(text, "casts.mlir")
    module.verify()
    assert print_module(module, generic=True) == text
    found = {nn.tensor_type(op.results[0]).element_type for op in nn.body_of(module)}
    assert found == {*FLOATS, *INTEGERS}


@needs_mlir
def test_mlir_keeps_every_element_type() -> None:
    printed = parse_module(verify_in_mlir(casts()), "mlir.mlir")
    assert printed.is_structurally_equivalent(parse_module(casts(), "casts.mlir"))
