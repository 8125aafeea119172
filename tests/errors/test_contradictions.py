"""Inputs that contradict themselves or ask for what cannot be: an error that says so, or a plan, in bounded time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.driver import plan
from dovetail.ir.diagnostics import DovetailError

Json = dict[str, Any]
LLM: Json = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 50, "parallel": {"tp": 1}}
TOOL: Json = {"kind": "tool", "latency": "100 ms"}
GPU: Json = {"model": "l40s", "count": 4, "price": {"rent": "1 USD/h"}}
CPU: Json = {"model": "epyc-9554", "count": 4, "price": {"rent": "2 USD/h"}}
BASE: Json = {
    "version": 1,
    "nodes": {"think": LLM, "act": TOOL},
    "edges": ["think -> act"],
    "workload": {"rate": "1 req/s"},
    "fleet": {"devices": {"gpu": GPU, "cpu": CPU}, "site": {"electricity": "0.2 USD/kWh"}},
}


def changed(**parts: Any) -> Json:
    """The base with other `nodes`, `slo`, ...; `devices` and the rest of the fleet by `fleet`."""
    return {**copy.deepcopy(BASE), **parts}


def with_fleet(**parts: Any) -> Json:
    return changed(fleet={**copy.deepcopy(BASE["fleet"]), **parts})


def placed(**place: Any) -> Json:
    return changed(nodes={"think": {**LLM, "place": place}, "act": TOOL})


REFUSED: dict[str, tuple[Json, str]] = {
    "ttft over nothing": (changed(slo={"ttft": "1 ns"}), r"slo\.ttft\[think\]"),
    "count the wrong way": (with_fleet(devices={"gpu": {**GPU, "count": "5..2"}, "cpu": CPU}), "starts above its end"),
    "place without overlap": (
        changed(
            nodes={"think": {**LLM, "place": {"on": ["gpu"], "region": "us"}}, "act": TOOL},
            fleet={
                "devices": {"gpu": {**GPU, "region": "eu"}, "far": {**GPU, "region": "us"}, "cpu": CPU},
                "site": {"electricity": "0.2 USD/kWh"},
            },
        ),
        "place",
    ),
    "with and apart": (placed(**{"with": "act", "apart": "act"}), "act"),
    "with itself": (placed(**{"with": "think"}), "think"),
    "a rate nobody serves": (changed(workload={"rate": "1000000 req/s"}), "infeasible"),
    "a rate nobody serves in reach": (changed(workload={"rate": "900 req/s"}), "infeasible"),
    "a model that fits nowhere": (
        changed(nodes={"think": {**LLM, "model": "llama-3.1-405b"}, "act": TOOL}),
        "think",
    ),
    "no device": (with_fleet(devices={}), "no device"),
    "devices none of which may be taken": (
        with_fleet(devices={"gpu": {**GPU, "count": 0}, "cpu": {**CPU, "count": 0}}),
        "no device to take",
    ),
    "no host for a tool": (with_fleet(devices={"gpu": GPU}), "act"),
    "a power limit under idle": (with_fleet(limits={"power": "1 W"}), "power"),
    "no money": (with_fleet(limits={"usd_per_hour": 0}), "usd_per_hour"),
    "probabilities over one": (
        changed(edges=[{"from": "think", "to": "act", "probability": 1.5}]),
        "at most 1",
    ),
    "a bound of no percentile": (changed(slo={"end_to_end": "9 s", "percentile": 101}), "percentile"),
}


def written(document: Json, folder: Path) -> Path:
    file = folder / "graph.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_words(name: str, tmp_path: Path) -> None:
    document, words = REFUSED[name]
    with pytest.raises(DovetailError, match=words) as caught:
        plan(written(document, tmp_path), time_limit_s=20)
    assert all(fault.labels for fault in caught.value.diagnostics)


def test_a_bound_on_the_first_output_may_be_over_that_on_the_end(tmp_path: Path) -> None:
    document = changed(slo={"first_output": "60 s", "end_to_end": "30 s", "ttft": "40 s"})
    assert plan(written(document, tmp_path)).status == "optimal"


def test_a_missing_link_takes_the_network_of_the_site_with_a_warning(tmp_path: Path) -> None:
    assert plan(written(with_fleet(links=[]), tmp_path)).status == "optimal"


def test_too_many_nodes_are_refused_early(tmp_path: Path) -> None:
    """A map of a map of a map: a billion nodes in a few lines."""
    leaf = {"version": 1, "nodes": {"a": {"kind": "compute", "cpu": "1 ms"}}}
    (tmp_path / "leaf.yaml").write_text(yaml.safe_dump(leaf))
    for depth, inner in enumerate(["leaf", "m0", "m1", "m2", "m3"]):
        nodes = {"all": {"kind": "map", "over": 64, "graph": f"{inner}.yaml"}}
        (tmp_path / f"m{depth}.yaml").write_text(yaml.safe_dump({"version": 1, "nodes": nodes}))
    document = changed(nodes={"all": {"kind": "map", "over": 64, "graph": "m4.yaml"}}, edges=[])
    with pytest.raises(DovetailError, match="more than 1000 nodes"):
        plan(written(document, tmp_path))
