"""The examples that are read, and a reader of short texts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.ir.read.graph import GraphFile, read_graph

sys.path.insert(0, str(Path(__file__).parent))

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(params=sorted(folder.parent.name for folder in EXAMPLES.glob("*/graph.yaml")))
def example(request: pytest.FixtureRequest) -> Path:
    """The folder of each example with a graph.yaml."""
    return EXAMPLES / request.param


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], GraphFile]:
    """`read(body)` reads a graph.yaml of version 1 with that body."""

    def read_text(body: str) -> GraphFile:
        file = tmp_path / "graph.yaml"
        file.write_text(f"version: 1\n{body}")
        return read_graph(file)

    return read_text
