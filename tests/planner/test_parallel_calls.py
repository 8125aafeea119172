"""Calls that do not depend on each other start together: an edge is the only thing that orders two nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail

FLEET = "fleet: {devices: {host: {model: epyc-9554, count: 2, price: {rent: 1 USD/h}}}}"
TOOLS = (
    "nodes: {ask: {kind: router}, a: {kind: tool, latency: 2 s}, b: {kind: tool, latency: 3 s}, end: {kind: router}}"
)
DISPATCH_S = 2 * 100e-6
"""what the two routers take"""


@pytest.mark.parametrize(
    ("edges", "tools_s"),
    [
        ("[ask -> a, ask -> b, a -> end, b -> end]", 3.0),
        ("[ask -> a, a -> b, b -> end]", 5.0),
        ("[ask -> a, ask -> b, a -> b, b -> end]", 5.0),
        ("[{from: ask, to: a, probability: 0.5}, {from: ask, to: b, probability: 0.5}, a -> end, b -> end]", 2.5),
    ],
    ids=["no edge between them", "an edge", "an edge beside others", "one of them"],
)
def test_end_to_end_time(tmp_path: Path, edges: str, tools_s: float) -> None:
    (tmp_path / "graph.yaml").write_text(f"version: 1\n{TOOLS}\nedges: {edges}\n{FLEET}\n")
    mean_s = dovetail.plan(tmp_path).latency["end_to_end"]["mean"]
    assert mean_s == pytest.approx(tools_s + DISPATCH_S, rel=1e-6)
