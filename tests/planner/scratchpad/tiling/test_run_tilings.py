"""Tiled operators compute what the whole ones do, and move and hold what they claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dovetail.planner.scratchpad.tiling import Nest, Tiling, least_bytes, tile
from dovetail.planner.scratchpad.tiling.search import coarsen, tile_with
from dovetail.planner.scratchpad.tiling.shapes import (
    Slide,
    attention,
    convolution,
    elementwise,
    matmul,
    pool,
    reduction,
    rows,
)

NESTS = {
    "matmul": matmul("a", "b", "out", 7, 6, 9, partial=4),
    "batched": matmul("a", "b", "out", 5, 4, 3, batch=3),
    "convolution": convolution(
        "a", "b", "out", 2, 4, 6, Slide(9, 3, 2, 1, 1), Slide(8, 3, 1, 2, 2, 2), groups=2, bias="z"
    ),
    "strided": convolution("a", "b", "out", 1, 3, 5, Slide(9, 1, 2), Slide(9, 1, 2)),
    "pool": pool("a", "out", 1, 3, Slide(9, 3, 2, 1, 1), Slide(8, 2, 2)),
    "attention": attention("a", "b", "v", "out", 4, 6, 7, 3, kv_heads=2, value_dim=2, partial=4),
    "softmax": rows(["a"], ["out"], 9, 5),
    "add": elementwise(["a", "b"], ["out"], 23),
    "sum": reduction("a", "out", (5, 4, 3), (1,)),
}


def arrays_of(nest: Nest) -> dict[str, np.ndarray]:
    """Random tensors in the shapes of the nest's operands, and room for what it makes."""
    random = np.random.default_rng(1)
    found = {}
    for o in nest.operands:
        shape = [nest.extent[a] if isinstance(a, str) else a.size for a in o.axes]
        if o.role == "input":
            found[o.tensor] = random.standard_normal(shape)
        else:
            found[o.tensor] = np.zeros([*shape, 2] if o.role == "state" else shape)
    return found


def untiled(nest: Nest, machine: Any) -> np.ndarray:
    return run(machine, nest, (), nest.extent).arrays["out"]


def run(machine: Any, nest: Nest, order: Any, tiles: Any) -> Any:
    return machine(nest, order, dict(tiles), arrays_of(nest)).run()


def tilings(nest: Nest) -> list[Tiling]:
    """Tilings of all tensors in several amounts of room."""
    least, most = least_bytes(nest), sum(nest.whole_bytes(o) for o in nest.operands)
    return tile_with(nest, (), [least + (most - least) * i // 12 for i in range(12)])


@pytest.mark.parametrize("name", NESTS)
def test_tiles_compute_what_the_whole_does_and_move_what_they_claim(name: str, machine: Any) -> None:
    nest = NESTS[name]
    expected = untiled(nest, machine)
    found = tilings(nest)
    assert found
    for one in found:
        done = run(machine, nest, one.order, one.tiles)
        np.testing.assert_allclose(done.arrays["out"], expected, rtol=1e-9, atol=1e-12)
        moved = {tensor: bytes for tensor, bytes in one.moved if bytes}
        assert {tensor: bytes for tensor, bytes in done.moved.items() if bytes} == moved
        assert done.peak <= one.workspace_bytes
        assert sum(moved.values()) == one.traffic_bytes


def test_the_whole_convolution_is_the_convolution(machine: Any) -> None:
    """The machine itself, against a plain sum over the padded image."""
    nest = NESTS["convolution"]
    arrays, out = arrays_of(nest), untiled(nest, machine)
    x = np.pad(arrays["a"], ((0, 0), (0, 0), (0, 0), (1, 1), (2, 2)))
    for p, q in ((0, 0), (4, 7), (2, 3)):
        patch = x[:, :, :, 2 * p : 2 * p + 3, q : q + 5 : 2]
        here = np.einsum("ngcrs,gkcrs->ngk", patch, arrays["b"]) + arrays["z"]
        np.testing.assert_allclose(out[..., p, q], here)


def test_the_whole_attention_is_attention(machine: Any) -> None:
    nest = NESTS["attention"]
    arrays = arrays_of(nest)
    scores = np.exp(np.einsum("ghid,gjd->ghij", arrays["a"], arrays["b"]))
    expected = np.einsum("ghij,gje->ghie", scores / scores.sum(-1, keepdims=True), arrays["v"])
    np.testing.assert_allclose(untiled(nest, machine), expected)


def test_tiles_lie_at_aligned_places() -> None:
    nest = NESTS["add"]
    one = tile(nest, 3 * 16, alignment=16)
    assert one is not None
    assert one.resident_bytes == 48
    assert dict(one.tiles)["at"] <= 16
    assert tile(nest, 47, alignment=16) is None


@pytest.mark.parametrize("name", NESTS)
def test_coarser_tiles_move_no_more(name: str, machine: Any) -> None:
    nest = NESTS[name]
    for one in tilings(nest):
        coarse = coarsen(one, one.workspace_bytes * 2)
        done = run(machine, nest, coarse.order, coarse.tiles)
        assert done.peak <= coarse.workspace_bytes <= one.workspace_bytes * 2
        assert sum(done.moved.values()) == coarse.traffic_bytes <= one.traffic_bytes
        assert all(size >= dict(one.tiles)[loop] for loop, size in coarse.tiles)
    assert any(coarsen(one, one.workspace_bytes * 2).tiles != one.tiles for one in tilings(nest))
