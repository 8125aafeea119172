"""Random workflows of many fields: every plan passes the validator, or the input is refused; and equal bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dovetail.driver import plan
from dovetail.ir.diagnostics import DovetailError

Json = dict[str, Any]
EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = ("llama-3.1-8b", "qwen3-8b")


def maybe(r: random.Random, share: float, fields: Json) -> Json:
    """The fields, in that share of the draws."""
    return fields if r.random() < share else {}


def language_model(r: random.Random) -> Json:
    """A call of a model, or of one of two, with an adapter, a split, a priority, a degree or a bound, or none."""
    several = r.random() < 0.25
    model: Json = {"model": list(MODELS), "quality": {MODELS[0]: 0.7, MODELS[1]: r.choice([0.6, 0.8])}}
    mean = r.choice([300, 800, 1500])
    long = r.random() < 0.3 and not several
    return {
        "kind": "llm",
        **(model if several else {"model": MODELS[0]}),
        "prompt_tokens": {"mean": mean, "p95": 2 * mean} if long else mean,
        "output_tokens": r.choice([40, 150, 400]),
        **({"split": r.choice([{"parts": 2}, {"prompt_tokens": mean}])} if long else {}),
        **({} if several else maybe(r, 0.2, {"adapter": {"rank": 16}})),
        **maybe(r, 0.2, {"priority": r.randint(1, 3)}),
        **maybe(r, 0.15, {"parallel": {"tp": r.choice([1, 2])}}),
        **maybe(r, 0.2, {"slo": {"tbt": f"{r.randint(20, 80)} ms"}}),
        **maybe(r, 0.2, {"stream": True}),
    }


def tool(r: random.Random) -> Json:
    """A call out of the graph whose memory may burst."""
    burst = {"memory": {"mean": "100 MiB", "peak": "1 GiB"}}
    law = r.choice(["200 ms", {"mean": "300 ms", "p95": "600 ms"}])
    retried = {"timeout": "3 s", "retries": 1}
    return {"kind": "tool", "latency": law, "cpus": 0.5, **maybe(r, 0.3, burst), **maybe(r, 0.2, retried)}


def fleet(r: random.Random) -> Json:
    """GPUs of two kinds, owned, rented or taken back, a hosted API and hosts; racks, regions, zones, tiers, splits."""
    gpu: Json = {"model": "h100-sxm", "count": "0..8", "price": {"rent": "2.5 USD/h"}}
    gpu |= maybe(r, 0.2, {"split": ["50 %"]})
    gpu |= maybe(r, 0.2, {"tiers": {"dram": {"size": "128 GB", "bandwidth": "50 GB/s"}}})
    gpu |= maybe(r, 0.2, {"scale": {"min_replicas": 0, "keep_alive": "5 min"}, "cold_start": "40 s"})
    other: Json = {"model": "l40s", "count": "0..12", "price": {"rent": "0.9 USD/h"}}
    other |= r.choice([{}, {"owned": 2}, {"price": {"rent": "0.4 USD/h", "interruptions": "0.05 per hour"}}])
    racked, zoned = r.random() < 0.25, r.random() < 0.2
    devices: Json = {"gpu": gpu, "other": other, "host": {"model": "epyc-9554", "price": {"rent": "2 USD/h"}}}
    if racked:
        gpu["rack"] = other["rack"] = "r1"
    if zoned:
        for device in devices.values():
            device["zones"] = ["a", "b"]
    price = {"input": "0.6 USD/Mtok", "output": "0.8 USD/Mtok"}
    if r.random() < 0.4:
        devices["api"] = {"kind": "api", "models": [MODELS[0]], "price": price, "ttft": "400 ms", "tbt": "15 ms"}
    site = {"electricity": "0.2 USD/kWh", "pue": 1.1, "carbon": "300 gCO2/kWh"}
    return {
        "devices": devices,
        "site": site,
        **({"racks": {"r1": {"power": "6 kW", "exceed": "2 %"}}} if racked else {}),
        **({"survive": {"zone": 1}} if zoned else maybe(r, 0.15, {"survive": {"replicas": 1}})),
        **maybe(r, 0.2, {"limits": {"usd_per_hour": 60}}),
    }


def workflow(seed: int) -> Json:
    """Two to four nodes in a row, or with a tool that is called in a loop."""
    r = random.Random(seed)
    names = [f"n{k}" for k in range(r.randint(2, 4))]
    nodes = {name: language_model(r) if r.random() < 0.6 else tool(r) for name in names}
    nodes["n0"] = language_model(r)
    edges: list[Any] = [f"{a} -> {b}" for a, b in pairwise(names)]
    if len(names) == 2 and r.random() < 0.5:
        loop = {"from": "n0", "to": "n1", "probability": 0.4, "max_visits": 2}
        edges = ["begin -> n0", loop, "n1 -> n0", "n0 -> end"]
        nodes |= {"begin": tool(r), "end": tool(r)}
    rate: Any = r.choice(["0.5 req/s", "2 req/s", "5 req/s", "1..3 req/s"])
    objective = "cost" if ".." in rate else r.choice(["cost", "cost", "latency", "energy", "carbon"])
    return {
        "version": 1,
        "nodes": nodes,
        "edges": edges,
        "workload": {"rate": rate},
        **maybe(r, 0.5, {"slo": {"end_to_end": f"{r.randint(6, 40)} s", "percentile": 95}}),
        "objective": objective,
        "fleet": fleet(r),
    }


def planned(seed: int, folder: Path) -> bool:
    """Whether a plan came of it, which then has passed the validator: AssertionError where it does not."""
    (folder / "graph.yaml").write_text(json.dumps(workflow(seed)))
    try:
        return plan(folder / "graph.yaml", time_limit_s=60).status in ("optimal", "feasible")
    except DovetailError:
        return False


@pytest.mark.parametrize(("seeds", "several"), [((5, 30), 2), pytest.param(range(60), 30, marks=pytest.mark.slow)])
def test_every_plan_of_a_random_workflow_passes_the_validator(
    seeds: Sequence[int], several: int, tmp_path: Path
) -> None:
    assert sum(planned(seed, tmp_path) for seed in seeds) >= several


@pytest.mark.slow
@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/graph.yaml")))
def test_two_processes_write_the_same_bytes(example: str) -> None:
    command = [sys.executable, "-c", BYTES, str(EXAMPLES / example)]
    runs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert runs[0]
    assert runs[0] == runs[1]


BYTES = """
import json, sys
from dovetail.driver import plan
found = plan(sys.argv[1]).document
assert found.pop("solve")
print(json.dumps(found))
"""
