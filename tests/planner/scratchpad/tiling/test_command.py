"""From a file to a plan with tiles, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dovetail.backends.scratchpad_text import scratchpad_text
from dovetail.ir.diagnostics import Infeasible
from dovetail.scratchpad_driver import scratchpad

SHAPE = {"m": 64, "n": 64, "k": 64}
GRAPH = {
    "ops": [
        {"name": "up", "type": "MatMul", "inputs": ["x", "w"], "outputs": ["h"], "attributes": SHAPE},
        {"name": "act", "type": "Relu", "inputs": ["h"], "outputs": ["y"]},
    ],
    "tensor_bytes_int8": {"x": 4096, "w": 4096, "h": 4096, "y": 4096},
    "graph_outputs": ["y"],
    "parameters": ["w"],
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(GRAPH))
    return path


def test_tiles_are_asked_for_and_told(file: Path) -> None:
    with pytest.raises(Infeasible):
        scratchpad(file, 2000, parameters=True)
    document = scratchpad(file, 2000, parameters=True, tile=True).to_json()
    assert [t["operator"] for t in document["tiles"]] == ["up", "act"]
    text = scratchpad_text(document, "graph")
    assert "2 operators run in tiles" in text
    assert "times the I/O lower bound" in text
    assert "the smallest scratchpad for this graph has 3 bytes" in text


def test_tiles_change_nothing_where_all_operators_fit(file: Path) -> None:
    tiled, plain = (scratchpad(file, 20_000, tile=tile).to_json() for tile in (True, False))
    assert {**tiled, "seconds": 0} == {**plain, "seconds": 0}
    assert "tiles" not in scratchpad_text(tiled, "graph")
