"""One of several models for each node: every assignment tried, bounds on quality, and what plans say of it."""

from __future__ import annotations

import copy
import itertools
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
MODELS = ("llama-3.2-1b", "llama-3.2-3b", "qwen3-8b")
SITE = {"electricity": "0.20 USD/kWh"}


def chip(r: random.Random) -> Json:
    speed, price = r.choice([(100, 1), (400, 3), (800, 5)])
    figures = {"kind": "npu", "memory": f"{r.choice([10, 14])} GB", "bandwidth": f"{speed * 4} GB/s"}
    flops = {"bf16": f"{speed} TFLOP/s", "fp8": f"{speed} TFLOP/s"}
    figures |= {"flops": flops, "tdp": "300 W", "idle": "100 W"}
    return {**figures, "count": 1, "price": {"rent": f"{price * r.uniform(0.5, 2):.2f} USD/h"}}


def instance(seed: int) -> tuple[Json, Json]:
    """Two nodes that may choose between two models, one visited by some requests alone; devices, and a hosted API."""
    r = random.Random(seed)
    nodes: Json = {}
    for name in ("ask", "tell"):
        pair = r.sample(MODELS, 2)
        tokens = {"prompt_tokens": r.choice([200, 2000]), "output_tokens": r.choice([50, 300])}
        stated = {model: 10 * MODELS.index(model) + r.randint(50, 60) for model in pair}
        nodes[name] = {"kind": "llm", "model": pair, "quality": stated, "precision": "fp8", **tokens}
        nodes[name]["parallel"] = {"tp": 1}
    if r.random() < 0.3:
        nodes["ask"]["slo"] = {"quality": r.randint(55, 75)}
    rest = {"kind": "router"}
    edges = [{"from": "ask", "to": "tell", "probability": r.choice([0.25, 0.75])}, "ask -> rest"]
    graph = {"version": 1, "nodes": {**nodes, "rest": rest}, "edges": edges, "slo": {"quality": r.randint(60, 76)}}
    graph |= {"workload": {"rate": f"{r.uniform(0.1, 2):.2f} req/s"}} if r.random() < 0.5 else {}
    api: Json = {"kind": "api", "models": [r.choice(MODELS)], "ttft": "100 ms", "tbt": "10 ms"}
    api["price"] = {"input": f"{r.uniform(0.05, 1):.2f} USD/Mtok", "output": f"{r.uniform(0.1, 2):.2f} USD/Mtok"}
    devices = {"a": chip(r), "b": chip(r), "api": api, "host": {"model": "epyc-9554", "owned": 1}}
    return graph, {"devices": devices, "site": SITE}


def least(graph: Json, fleet: Json) -> float | None:
    """Least cost of a plan; None where there is none."""
    return objective_within(pose(parse_graph(graph), parse_fleet(fleet), Path()).problem, None)


def fixed(graph: Json, models: tuple[str, ...]) -> Json:
    """The graph with one model for each node, where no quality is spoken of."""
    found = copy.deepcopy({key: value for key, value in graph.items() if key != "slo"})
    for name, model in zip(("ask", "tell"), models, strict=True):
        found["nodes"][name]["model"] = model
        for key in ("quality", "slo"):
            found["nodes"][name].pop(key, None)
    return found


def is_good(graph: Json, models: tuple[str, ...]) -> bool:
    """Whether the models are as good as the graph asks: the mean goes by visits, of which `ask` has one a request."""
    ask, tell = graph["nodes"]["ask"], graph["nodes"]["tell"]
    visits = graph["edges"][0]["probability"]
    mean = (ask["quality"][models[0]] + visits * tell["quality"][models[1]]) / (1 + visits)
    return mean >= graph["slo"]["quality"] and ask["quality"][models[0]] >= ask.get("slo", {}).get("quality", 0)


@pytest.mark.parametrize("batch", range(2))
def test_the_best_plan_is_the_best_of_all_assignments_of_models(batch: int) -> None:
    changed = 0
    for seed in range(batch, 44, 2):
        graph, fleet = instance(seed)
        pairs = list(itertools.product(*(graph["nodes"][name]["model"] for name in ("ask", "tell"))))
        costs = {models: least(fixed(graph, models), fleet) for models in pairs}
        known = [cost for models, cost in costs.items() if cost is not None and is_good(graph, models)]
        found = least(graph, fleet)
        assert found == (pytest.approx(min(known)) if known else None)
        changed += found is None or found != pytest.approx(min(c for c in costs.values() if c is not None))
    assert changed >= 16  # 32 of all: the bounds take another plan than the cheapest


GPUS = {
    "h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "2.50 USD/h"}},
    "l40s": {"model": "l40s", "count": 8, "price": {"rent": "0.90 USD/h"}},
}
THINK = {"kind": "llm", "precision": "fp8", "prompt_tokens": 1000, "output_tokens": 200}
PAIR = {"model": ["llama-3.1-8b", "llama-3.1-70b"], "quality": {"llama-3.1-8b": 0.71, "llama-3.1-70b": 0.78}}


def planned(tmp_path: Path, node: Json, devices: Json = GPUS, **more: Any) -> dovetail.Plan:
    graph = {"version": 1, "nodes": {"think": {**THINK, **node}}, "workload": {"rate": "1 req/s"}, **more}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"devices": devices, "site": SITE}))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


RATE = {"workload": {"rate": "8 req/s"}}


def models(plan: dovetail.Plan) -> set[str]:
    return {pool["model"] for pool in plan.pools}


def test_without_a_bound_the_cheapest_is_taken(tmp_path: Path) -> None:
    plan = planned(tmp_path, PAIR)
    assert models(plan) == {"llama-3.1-8b"}
    assert plan.document["model_quality"] == {"nodes": {"think": 0.71}, "mean": 0.71}
    assert plan.cost["usd_per_hour"] == planned(tmp_path, {"model": "llama-3.1-8b"}).cost["usd_per_hour"]


def test_a_bound_takes_the_better_model_and_binds(tmp_path: Path) -> None:
    plan = planned(tmp_path, {**PAIR, "slo": {"quality": 0.75}})
    assert models(plan) == {"llama-3.1-70b"}
    assert "slo.quality[think]" in plan.document["binding"]
    assert plan.cost["usd_per_hour"] == planned(tmp_path, {"model": "llama-3.1-70b"}).cost["usd_per_hour"]
    assert "llama-3.1-70b" in plan.to_text()


def test_prefill_and_decode_apart_are_of_one_model(tmp_path: Path) -> None:
    asked = {"slo": {"quality": 0.75, "ttft": "800 ms", "tbt": "25 ms"}, "prompt_tokens": 4000, "output_tokens": 600}
    plan = planned(tmp_path, {**PAIR, **asked}, {**GPUS, "h100": {**GPUS["h100"], "count": 64}}, **RATE)
    assert [pool["model"] for pool in plan.pools] == ["llama-3.1-70b"] * 2
    (transfer,) = plan.document["transfers"]
    assert transfer["bytes"] == 4000 * 80 * 2 * 8 * 128 * 2  # of the 80 layers of the 70B


def test_ties_go_to_the_higher_quality(tmp_path: Path) -> None:
    price = {"input": "1 USD/Mtok", "output": "2 USD/Mtok"}
    api = {"kind": "api", "models": ["small", "large"], "price": price, "ttft": "100 ms", "tbt": "10 ms"}
    for names in (["small", "large"], ["large", "small"]):
        plan = planned(tmp_path, {"model": names, "quality": {"small": 1, "large": 2}}, {"api": api})
        assert models(plan) == {"large"}


def test_a_hosted_api_offers_any_of_the_models_it_serves(tmp_path: Path) -> None:
    price = {"input": "0.01 USD/Mtok", "output": "0.01 USD/Mtok"}
    api = {"kind": "api", "models": ["llama-3.1-70b"], "price": price, "ttft": "100 ms", "tbt": "10 ms"}
    plan = planned(tmp_path, PAIR, {**GPUS, "api": api})
    assert models(plan) == {"llama-3.1-70b"}
    assert {pool["device"] for pool in plan.pools} == {"api"}


def test_a_model_without_room_for_the_call_is_none(tmp_path: Path) -> None:
    """Qwen3-8B was made for 40,960 tokens."""
    pair = {"model": ["qwen3-8b", "llama-3.1-8b"], "prompt_tokens": 60000}
    assert models(planned(tmp_path, pair)) == {"llama-3.1-8b"}


def test_nobody_meets_the_bound(tmp_path: Path) -> None:
    with pytest.raises(dovetail.Infeasible) as caught:
        planned(tmp_path, PAIR, slo={"quality": 0.9})
    assert caught.value.conflict == ("slo.quality",)
    assert "there is a plan with `slo.quality` at" in str(caught.value)


def test_manifests_serve_the_model_that_was_taken(tmp_path: Path) -> None:
    planned(tmp_path, {**PAIR, "slo": {"quality": 0.75}}).write(tmp_path / "out")
    text = "".join(file.read_text() for file in (tmp_path / "out").rglob("pool*.yaml"))
    assert "llama-3.1-70b" in text
    assert "8b" not in text.lower()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda plan: plan["pools"][0].update(model="llama-3.1-8b"), "check.model"),
        (lambda plan: plan["pools"][0].update(model="another"), "check.model"),
        (lambda plan: plan["model_quality"].update(mean=0.9), "check.model"),
        (lambda plan: plan["inputs"]["graph"]["nodes"]["think"]["slo"].update(quality=0.9), "check.bound"),
    ],
)
def test_a_wrong_choice_is_found_out(tmp_path: Path, change: Any, fault: str) -> None:
    document = planned(tmp_path, {**PAIR, "slo": {"quality": 0.75}}).document
    change(document)
    document["inputs"]["sha256"]["graph"] = digest(document["inputs"]["graph"])
    assert fault in {each.id for each in check_plan(document)}
