"""Norms and softmax of bf16 are worked out in float32 and rounded once, whatever the network says of precision."""

from __future__ import annotations

from typing import Any

import pytest
from xdsl.dialects.builtin import bf16, f16
from xdsl.ir import Attribute, Block

import dovetail
from dovetail.ir import nn

OPS: dict[str, tuple[type[nn.TensorOp], list[tuple[int, ...]], dict[str, Any]]] = {
    "softmax": (nn.SoftmaxOp, [(4, 64)], {"axis": 1}),
    "rms_norm": (nn.RmsNormOp, [(4, 64), (64,)], {"axis": 1, "epsilon": 1e-5}),
    "rms_norm without scale": (nn.RmsNormOp, [(4, 64)], {"axis": 1, "epsilon": 1e-5}),
    "layer_norm": (nn.LayerNormOp, [(4, 64), (64,), (64,)], {"axis": 1, "epsilon": 1e-5}),
    "group_norm": (nn.GroupNormOp, [(2, 8, 16), (8,), (8,)], {"groups": 2, "epsilon": 1e-5}),
    "batch_norm": (nn.BatchNormOp, [(2, 8, 16), *[(8,)] * 4], {"epsilon": 1e-5}),
    "route": (nn.RouteOp, [(4, 64)], {"k": 3}),
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("element", [bf16, f16], ids=["bf16", "fp16"])
def test_it_errs_as_rounding_alone_does(name: str, element: Attribute) -> None:
    kind, shapes, attributes = OPS[name]
    block = Block(arg_types=[nn.tensor(element, shape) for shape in shapes])
    op = kind.make(*block.args, **attributes)
    block.add_op(op)
    names = tuple(f"x{i}" for i in range(len(shapes)))
    network = nn.NnModule(
        nn.build_main(block, list(op.results)), {}, names, tuple(f"y{i}" for i in range(len(op.results)))
    )
    (piece,) = dovetail.compile(network).verify()["pieces"]
    for row in piece["outputs"]:
        assert row["relative_error"] <= 1.05 * row["by_rounding"]
