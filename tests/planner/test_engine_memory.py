"""Plans that fill a device's memory: what the server is given of it, and when that is short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import dovetail
from dovetail.backends.manifests.emit import emit_manifests

Json = dict[str, Any]
Planned = Callable[[str], dovetail.Plan]
GRAPH: Json = {
    "version": 1,
    "name": "small",
    "nodes": {"ask": {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 400, "output_tokens": 100}},
    "workload": {"rate": "0.2 req/s"},
}


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """`planned(memory)`: a plan for GRAPH on one device with that memory."""

    def plan(memory: str) -> dovetail.Plan:
        device = {"model": "h100-sxm", "memory": memory, "count": 1, "price": {"rent": "2 USD/h"}}
        (tmp_path / "graph.yaml").write_text(yaml.safe_dump(GRAPH))
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"devices": {"gpu": device}}))
        return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")

    return plan


def share_of(plan: dovetail.Plan) -> str:
    """Of each device's memory that the one server is told to take."""
    documents = [each for file in emit_manifests(plan.document) for each in yaml.safe_load_all(file.content)]
    (deployment,) = (each for each in documents if each["kind"] == "Deployment")
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return server["args"][server["args"].index("--gpu-memory-utilization") + 1]


@pytest.mark.parametrize(
    ("filled", "share", "warning"),
    [(0.5, "0.90", None), (0.945, "0.96", None), (0.97, "0.97", "98 %"), (0.999, "0.97", "101 %")],
)
def test_a_server_is_given_what_the_plan_fills(
    planned: Planned, filled: float, share: str, warning: str | None
) -> None:
    """The same plan on devices of which it fills so much; one hundredth is the engine's room, and 0.97 the most."""
    held = planned("80 GB").pools[0]["memory_bytes_per_device"]
    plan = planned(f"{held / filled:.0f} B")
    assert plan.pools[0]["memory_bytes_per_device"] == held
    assert share_of(plan) == share
    said = [each for each in plan.warnings if "vLLM can be given 97 %" in each]
    start = f"pool `p1` needs {warning} of the memory of each `gpu`, with room for the engine"
    assert len(said) == (warning is not None)
    assert all(each.startswith(start) for each in said)
