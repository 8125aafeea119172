"""Each numbered constraint of nn.fusion has a case that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn

VECTOR = TensorType(f32, [4])
Build = Callable[[SSAValue], Sequence[Operation]]


def fusion(build: Build, inside: Attribute = VECTOR) -> nn.FusionOp:
    """The fusion of `build(argument)` on one vector, verified."""
    given, block = Block(arg_types=[VECTOR]), Block(arg_types=[inside])
    ops = build(block.args[0])
    block.add_ops(ops)
    results = [VECTOR] if ops else []
    made = nn.FusionOp.create(operands=list(given.args), result_types=results, regions=[Region(block)])
    made.verify_()
    return made


def twice(x: SSAValue) -> list[Operation]:
    first = nn.ReluOp.make(x)
    return [first, nn.NegOp.make(first.result)]


def with_unused(x: SSAValue) -> list[Operation]:
    return [nn.ExpOp.make(x), *twice(x)]


BROKEN: list[tuple[type, int, Callable[[], object]]] = [
    (nn.FusionOp, 1, lambda: fusion(twice, inside=TensorType(f32, [5]))),
    (nn.FusionOp, 2, lambda: fusion(lambda x: [])),
    (nn.FusionOp, 2, lambda: fusion(lambda x: [*twice(x), ReturnOp(x)])),
    (nn.FusionOp, 2, lambda: fusion(lambda x: [nn.WeightOp.make(type=VECTOR, weight="w"), *twice(x)])),
    (nn.FusionOp, 2, lambda: fusion(lambda x: [nn.FusionOp.around([nn.ReluOp.make(x)])])),
    (nn.FusionOp, 3, lambda: fusion(with_unused)),
]


@pytest.mark.parametrize(("op", "constraint", "build"), BROKEN, ids=[f"{o.__name__}-C{c}" for o, c, _ in BROKEN])
def test_breaking_a_constraint_is_refused_by_its_number(op, constraint, build):
    with pytest.raises(VerifyException, match=rf"\(C{constraint}\)"):
        build()


def test_results_are_those_of_the_last_op():
    made = fusion(twice)
    assert [step.name for step in made.steps] == ["nn.relu", "nn.neg"]
    assert made.type == VECTOR
