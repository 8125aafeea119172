"""Sizes over names: arithmetic as ints do it, comparisons that are proved or refused, and types that carry them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from xdsl.dialects.builtin import ArrayAttr, StringAttr, TensorType, f32
from xdsl.ir import Block
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.nn import Size, Undecided, size_of

BATCH, SEQ = Size.named("batch"), Size.named("seq")


def random_size(rng: random.Random, depth: int = 3) -> Size | int:
    if depth == 0:
        return rng.choice([BATCH, SEQ, rng.randint(-3, 3)])
    left, right = random_size(rng, depth - 1), random_size(rng, depth - 1)
    return rng.choice([lambda: left + right, lambda: left - right, lambda: left * right])()


def value_at(size: Size | int, values: dict[str, int]) -> int:
    known = size.at(values) if isinstance(size, Size) else size
    assert isinstance(known, int)
    return known


@pytest.mark.parametrize("seed", range(60))
def test_arithmetic_text_and_comparisons_agree_with_ints(seed: int) -> None:
    rng = random.Random(seed)
    a, b = random_size(rng), random_size(rng)
    points = [{"batch": x, "seq": y} for x in (1, 2, 5) for y in (1, 3, 4)]
    for at in points:
        x, y = value_at(a, at), value_at(b, at)
        assert (value_at(a + b, at), value_at(a * b, at), value_at(a - b, at)) == (x + y, x * y, x - y)
        assert value_at(size_of(str(a)), at) == x
        if a == b:
            assert x == y
    try:
        claim = a >= b
    except Undecided:
        return
    assert all((value_at(a, at) >= value_at(b, at)) == claim for at in points)


def test_division_is_exact_or_refused() -> None:
    assert (BATCH * SEQ * 12) // 4 == 3 * BATCH * SEQ
    assert (BATCH * SEQ) // SEQ == BATCH
    assert divmod(2 * SEQ + 3, 2) == (SEQ + 1, 1)
    for wrong in (lambda: SEQ // 2, lambda: SEQ // BATCH, lambda: 8 // SEQ, lambda: SEQ // (SEQ + 1), lambda: SEQ // 0):
        with pytest.raises(Undecided):
            wrong()


@pytest.mark.parametrize("text", ["", "2 seq", "seq**2", "seq/2", "*seq", "se-", "2.5"])
def test_other_text_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="no name of a size"):
        size_of(text)


def test_a_type_says_its_open_sizes_in_its_encoding() -> None:
    type = nn.tensor(f32, (BATCH, 2 * SEQ, 8))
    assert str(type.encoding) == '["batch", "2*seq", 8 : i64]'
    assert nn.shape_in(type) == (BATCH, 2 * SEQ, 8)
    assert nn.tensor(f32, (2, 8)) == TensorType(f32, [2, 8])


@pytest.mark.parametrize(
    "encoding", [ArrayAttr([]), ArrayAttr([StringAttr("a b")]), ArrayAttr([StringAttr("4")]), StringAttr("batch")]
)
def test_C0_an_open_size_without_a_readable_name_is_refused(encoding) -> None:
    block = Block(arg_types=[TensorType(f32, [nn.tensor(f32, (BATCH,)).get_shape()[0]], encoding)])
    with pytest.raises(VerifyException, match=r"\(C0\)"):
        nn.ReluOp.make(block.args[0])


def test_C0_an_encoding_without_an_open_size_is_refused() -> None:
    block = Block(arg_types=[TensorType(f32, [2], ArrayAttr([StringAttr("batch")]))])
    with pytest.raises(VerifyException, match=r"\(C0\).*no open size"):
        nn.ReluOp.make(block.args[0])


def open_network():
    """relu(x @ w) flattened, for an open batch and sequence."""
    block = Block(arg_types=[nn.tensor(f32, (BATCH, SEQ, 3))])
    w = nn.WeightOp.make(type=TensorType(f32, [3, 4]), weight="w")
    product = nn.MatmulOp.make(block.args[0], w.result)
    flat = nn.ReshapeOp.make(product.result, type=nn.tensor(f32, (BATCH * SEQ, 4)))
    block.add_ops([w, product, flat])
    return nn.build_main(block, [flat.result])


def test_open_sizes_are_given_by_name_or_by_the_inputs() -> None:
    module = open_network()
    assert nn.open_names(module) == {"batch", "seq"}
    closed = nn.with_sizes(module, {"batch": 2, "seq": 5})
    closed.verify()
    assert not nn.open_names(closed)
    assert nn.open_names(module) == {"batch", "seq"}, "the module given is kept"
    assert nn.open_names(nn.with_sizes(module, {"batch": 2})) == {"seq"}
    x, w = np.random.default_rng(1).normal(size=(2, 5, 3)), np.ones((3, 4))
    (y,) = interpret(module, [x], {"w": w})
    assert np.allclose(y, (x @ w).reshape(10, 4))


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 are needed for batch"):
        nn.with_sizes(open_network(), {"batch": 0})
    block = Block(arg_types=[nn.tensor(f32, (BATCH, 2)), nn.tensor(f32, (BATCH, 2))])
    module = nn.build_main(block, list(block.args))
    with pytest.raises(ValueError, match="`batch` is 2 for one input and 3 for another"):
        interpret(module, [np.zeros((2, 2)), np.zeros((3, 2))], {})
