"""Workflows read from short texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.ir.agent import GraphOp, graph_of
from dovetail.ir.read.graph import read_graph

ReadGraph = Callable[[str], GraphOp]


@pytest.fixture
def graph(tmp_path: Path) -> ReadGraph:
    """`graph(body)` is the workflow of a graph.yaml of version 1 with that body."""

    def read(body: str) -> GraphOp:
        file = tmp_path / "graph.yaml"
        file.write_text(f"version: 1\n{body}")
        return graph_of(read_graph(file).module)

    return read
