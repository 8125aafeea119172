"""How long ops of SPMD programs take: by hand, from the roofline and from the link."""

from __future__ import annotations

from dataclasses import replace

import pytest
from xdsl.dialects.builtin import TensorType, bf16, i64
from xdsl.ir import Attribute, Block, SSAValue

from dovetail.costmodel.cost import cost_of
from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.roofline import efficiency, time_s
from dovetail.costmodel.spmd import precision_of, seconds, total_s
from dovetail.ir import nn


def value(*shape: int, of: Attribute = bf16) -> SSAValue:
    return Block(arg_types=[TensorType(of, shape)]).args[0]


X = value(1024, 4096)
"""8.4 MB"""
SIZE = 1024 * 4096 * 2


@pytest.fixture(scope="module")
def h100() -> Device:
    found = find_device("h100-sxm")
    assert found is not None
    return replace(found, link_bandwidth_bytes_per_s=400e9, link_latency_s=2e-6)


@pytest.mark.parametrize(
    ("op", "messages", "wire_bytes"),
    [
        (nn.AllReduceOp.make(X, mesh="tp", ranks=4), 6, 1.5 * SIZE),
        (nn.AllGatherOp.make(X, axis=0, mesh="tp", ranks=4), 3, 3 * SIZE),
        (nn.ReduceScatterOp.make(X, axis=0, mesh="tp", ranks=4), 3, 0.75 * SIZE),
        (nn.AllToAllOp.make(X, split_axis=0, concat_axis=1, mesh="tp", ranks=4), 3, 0.75 * SIZE),
        (nn.PermuteOp.make(X, sources=(0,), targets=(1,), mesh="pp", ranks=4), 1, SIZE),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_collectives_by_hand(op: nn.CollectiveOp, messages: int, wire_bytes: float, h100: Device) -> None:
    expected = messages * 2e-6 + wire_bytes / 400e9 + efficiency(h100).launch_s
    assert seconds(op, h100) == pytest.approx(expected)


def test_other_ops_are_those_of_the_roofline(h100: Device) -> None:
    product = nn.MatmulOp.make(X, value(4096, 4096))
    own_part = nn.ShardOp.make(X, axis=0, mesh="tp", ranks=4)
    for op in (product, own_part):
        assert seconds(op, h100) == time_s(cost_of(op), h100, "bf16")
    assert seconds(nn.RankOp.make(mesh="tp", ranks=4), h100) == 0
    assert total_s([product, own_part], h100) == pytest.approx(seconds(product, h100) + seconds(own_part, h100))


def test_a_group_of_one_sends_nothing(h100: Device) -> None:
    alone = nn.AllReduceOp.make(X, mesh="tp", ranks=1)
    assert seconds(alone, h100) == efficiency(h100).launch_s


def test_a_device_without_a_link_is_named(h100: Device) -> None:
    with pytest.raises(ValueError, match="`h100-sxm` has no link to other devices"):
        seconds(nn.AllReduceOp.make(X, mesh="tp", ranks=2), replace(h100, link_bandwidth_bytes_per_s=0.0))


def test_precision_is_that_of_the_first_floats() -> None:
    assert precision_of(nn.GatherOp.make(X, value(3, of=i64), axis=0)) == "bf16"
    assert precision_of(nn.AddOp.make(value(2, of=i64), value(2, of=i64))) == "fp32"
