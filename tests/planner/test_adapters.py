"""Low-rank adapters: nodes that share a base's weights, every way of sharing tried, and what plans say of it."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

import dovetail
from dovetail.ir.digest import digest
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan
from dovetail.planner.placement.search.solve import objective_within
from dovetail.planner.posing.pose import pose

Json = dict[str, Any]
SITE = {"electricity": "0.20 USD/kWh"}


def chip(r: random.Random) -> Json:
    """Two such chips are alike, so that nodes may also be kept apart."""
    speed = r.choice([100, 300])
    figures = {"kind": "npu", "memory": f"{r.choice([6, 9, 18])} GB", "bandwidth": f"{speed * 4} GB/s"}
    figures |= {"flops": {"bf16": f"{speed} TFLOP/s"}, "tdp": "300 W", "idle": "100 W"}
    return {**figures, "count": 2, "price": {"rent": f"{r.uniform(0.5, 2):.2f} USD/h"}}


def instance(seed: int) -> tuple[Json, Json]:
    """Two nodes with adapters of one base, and two devices of a kind."""
    r = random.Random(seed)
    base = r.choice(["llama-3.2-1b", "llama-3.2-3b"])
    nodes: Json = {}
    for name in ("ask", "tell"):
        tokens = {"prompt_tokens": r.choice([200, 1000]), "output_tokens": r.choice([50, 200])}
        adapter = {"rank": r.choice([8, 64, 1024])}
        nodes[name] = {"kind": "llm", "model": base, "adapter": adapter, "parallel": {"tp": 1}, **tokens}
    rate = {"rate": f"{r.uniform(0.1, 2):.2f} req/s"}
    graph = {"version": 1, "nodes": nodes, "edges": ["ask -> tell"], "workload": rate}
    device = chip(r)
    return graph, {"devices": {"a": device, "b": device}, "site": SITE}


def least(graph: Json, fleet: Json, **place: str) -> float | None:
    """Least cost of a plan, with `place` for the first node; None where there is none."""
    asked = copy.deepcopy(graph)
    if place:
        asked["nodes"]["ask"]["place"] = place
    return objective_within(pose(parse_graph(asked), parse_fleet(fleet), Path()).problem, None)


def test_the_best_plan_is_the_best_of_sharing_and_not() -> None:
    cheaper = 0
    for seed in range(54):
        graph, fleet = instance(seed)
        together, apart = least(graph, fleet, **{"with": "tell"}), least(graph, fleet, apart="tell")
        known = [cost for cost in (together, apart) if cost is not None]
        found = least(graph, fleet)
        assert found == (pytest.approx(min(known)) if known else None)
        cheaper += found is not None and (apart is None or found < apart * 0.999)
    assert cheaper >= 30


H100 = {"h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "2.50 USD/h"}}}
CALL = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 1000, "output_tokens": 200}


def planned(tmp_path: Path, one: Json, other: Json, devices: Json = H100) -> dovetail.Plan:
    nodes = {"ask": {**CALL, "adapter": one}, "tell": {**CALL, "adapter": other}}
    graph = {"version": 1, "nodes": nodes, "edges": ["ask -> tell"], "workload": {"rate": "1 req/s"}}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"devices": devices, "site": SITE}))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


def test_two_adapters_of_one_base_share_a_pool(tmp_path: Path) -> None:
    """Rank 16 on q (4096, 4096) and v (4096, 1024) of 32 layers in 16 bits: 2 * 32 * 16 * (8192 + 5120) bytes."""
    targets = {"targets": ["q_proj", "v_proj"]}
    (two,) = planned(tmp_path, {"rank": 16, **targets}, {"rank": 16, **targets}).pools
    (one,) = planned(tmp_path, {"name": "x", "rank": 16, **targets}, {"name": "x", "rank": 16, **targets}).pools
    assert (two["adapters"], one["adapters"], two["devices"]) == (2, 1, 1)
    assert two["memory_bytes_per_device"] - one["memory_bytes_per_device"] == pytest.approx(13_631_488, rel=1e-3)


def test_an_adapter_takes_time(tmp_path: Path) -> None:
    small, large = (planned(tmp_path, {"rank": rank}, {"rank": rank}) for rank in (8, 512))
    assert small.latency["tbt"]["ask"] < large.latency["tbt"]["ask"]


def test_a_hosted_api_serves_an_adapter_by_its_name(tmp_path: Path) -> None:
    price = {"input": "0.01 USD/Mtok", "output": "0.01 USD/Mtok"}
    api = {"kind": "api", "models": ["llama-3.1-8b", "legal"], "price": price, "ttft": "100 ms", "tbt": "10 ms"}
    for name, device in (("legal", "api"), ("medical", "h100")):
        adapter = {"name": name, "rank": 16}
        plan = planned(tmp_path, adapter, adapter, {**H100, "api": api})
        assert {pool["device"] for pool in plan.pools} == {device}


def test_manifests_start_the_engine_with_the_adapters(tmp_path: Path) -> None:
    planned(tmp_path, {"name": "legal", "rank": 16, "path": "acme/legal"}, {"rank": 40}).write(tmp_path / "out")
    (text,) = (file.read_text() for file in (tmp_path / "out").rglob("pool*.yaml"))
    arguments = yaml.safe_load_all(text)
    deployment = next(each for each in arguments if each["kind"] == "Deployment")
    started = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    at = started.index("--enable-lora")
    flags = ["--enable-lora", "--max-loras", "2", "--max-lora-rank", "64", "--lora-modules"]
    assert started[at : at + 8] == [*flags, "legal=acme/legal", "tell=/adapters/tell"]
    assert "dovetail.dev/adapters-needed" in text


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["pools"][0].update(adapters=1),
        lambda plan: plan["inputs"]["graph"]["nodes"]["ask"]["adapter"].update(rank=2048),
    ],
)
def test_a_misstated_adapter_is_found_out(tmp_path: Path, change: Any) -> None:
    document = planned(tmp_path, {"rank": 16}, {"rank": 16}).document
    change(document)
    document["inputs"]["sha256"]["graph"] = digest(document["inputs"]["graph"])
    assert "check.memory" in {fault.id for fault in check_plan(document)}
