"""Pipelines of networks: layers in equal shares, transfers as posed, and stages that are pieces."""

from __future__ import annotations

import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.tensor_graph import weight_bytes
from dovetail.ir import nn
from dovetail.passes.pieces.emit import working_ops
from dovetail.planner.partition.stages import check_stages, solve_stages
from dovetail.planner.partition.to_stages import pose_stages, stage_pieces

LINK = (50e9, 5e-6)


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


@pytest.fixture
def layers(make_decoder) -> nn.NnModule:
    return make_decoder(layers=8, width=1024, heads=16, ffn=4096, seq=128)


def test_equal_devices_take_equal_shares(layers: nn.NnModule) -> None:
    p = pose_stages(layers, [(device("h100-sxm"), 4)], *LINK)
    found = solve_stages(p)
    check_stages(p, found.stages, found.period_s)
    whole = p.stage_s(0, len(p.items), 0)
    assert len(found.stages) == 4
    assert whole / 4 <= found.period_s <= 1.1 * whole / 4
    assert sum(item.weight_bytes for item in p.items) == weight_bytes(layers)
    per_layer = len(working_ops(layers)) / 8
    assert all(abs((s.end - s.first) / per_layer - 2) <= 0.5 for s in found.stages)


def test_a_slower_device_takes_fewer_layers(layers: nn.NnModule) -> None:
    p = pose_stages(layers, [(device("h100-sxm"), 1), (device("a100-sxm"), 1)], *LINK)
    found = solve_stages(p)
    check_stages(p, found.stages, found.period_s)
    fast, slow = (next(s for s in found.stages if s.kind == kind) for kind in (0, 1))
    assert fast.end - fast.first > slow.end - slow.first


def test_stages_are_pieces_with_the_transfers_that_were_posed(layers: nn.NnModule) -> None:
    p = pose_stages(layers, [(device("h100-sxm"), 4)], *LINK)
    found = solve_stages(p)
    pieces = stage_pieces(layers, found.stages)
    pieces.module.verify()
    assert len(pieces.names) == 4
    for i, stage in enumerate(found.stages[1:], start=1):
        sent = sum(size for a, b, size in pieces.transfers if (a, b) == (f"p{i - 1}", f"p{i}"))
        assert sent == p.crossing_bytes[stage.first - 1]
