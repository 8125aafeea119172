"""Chains of a few calls of language models and tools on a few kinds of device, drawn with a seed."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.posing.pose import Posed, pose

Json = dict[str, Any]
MODELS = ("llama-3.2-3b", "qwen3-8b")


def language_model(r: random.Random, model: str) -> Json:
    prompt = r.choice([300, 1500, {"mean": 600, "p95": 1500}])
    found: Json = {"kind": "llm", "model": model, "prompt_tokens": prompt, "output_tokens": r.choice([30, 150])}
    return found | ({"place": {"on": ["x"]}} if r.random() < 0.1 else {})


def device(r: random.Random) -> Json:
    found: Json = {
        "kind": "npu",
        "memory": f"{r.choice([12, 24, 40])} GB",
        "bandwidth": f"{r.choice([0.5, 1, 2])} TB/s",
        "flops": {"bf16": f"{r.choice([50, 200])} TFLOP/s"},
        "chassis": 2,
        "count": f"{r.choice([0, 0, 1])}..{r.choice([1, 2, 3, 8])}",
        "idle": "50 W",
        "tdp": "300 W",
        "price": {"rent": f"{r.uniform(0.5, 3):.2f} USD/h", "energy": "extra"},
    }
    return found | r.choice([{}, {}, {}, {"owned": 1}, {"sold_by": "chassis", "count": "0..4"}])


def posed(seed: int) -> Posed:
    """Two to four calls of one or two models in a row, some with tools between them, on three kinds of devices."""
    r = random.Random(seed)
    names = [f"n{k}" for k in range(r.randint(2, 4))]
    nodes: Json = {name: language_model(r, r.choice(MODELS)) for name in names}
    for name in names[1:]:
        if r.random() < 0.3:
            nodes[name] = {"kind": "tool", "latency": {"mean": "100 ms", "p95": "300 ms"}, "usd_per_call": 1e-5}
    slo: Json = {"end_to_end": f"{r.choice([3, 6, 12, 40])} s", "percentile": 95}
    graph: Json = {
        "version": 1,
        "nodes": nodes,
        "edges": [f"{a} -> {b}" for a, b in pairwise(names)],
        "workload": {"rate": f"{r.choice([0.5, 2, 8])} req/s"},
        "slo": slo | ({"ttft": "1 s"} if r.random() < 0.4 else {}),
        "objective": "cost",
    }
    devices: Json = {name: device(r) for name in ("x", "y", "z")}
    devices["host"] = {"model": "epyc-9554", "price": {"rent": "2 USD/h"}}
    if r.random() < 0.3:
        price = {"input": f"{r.choice([0.1, 1])} USD/Mtok", "output": "2 USD/Mtok"}
        devices["api"] = {"kind": "api", "models": [MODELS[0]], "price": price, "ttft": "400 ms", "tbt": "15 ms"}
    fleet: Json = {"devices": devices, "site": {"electricity": "0.2 USD/kWh"}}
    if r.random() < 0.15:
        fleet["survive"] = {"replicas": 1}
    return pose(parse_graph(graph), parse_fleet(fleet), Path())
