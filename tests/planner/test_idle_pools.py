"""Plans on rented devices that may be given back: when their pools go down, and what the validator finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import dovetail
from dovetail.ir.digest import digest
from dovetail.planner.check import check_plan

LLM = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 100}
H100 = {"model": "h100-sxm", "count": 8, "price": {"rent": "2.50 USD/h"}, "cold_start": "40 s"}
HOST = {"model": "epyc-9554", "count": 4, "price": {"rent": "1 USD/h", "energy": "extra"}}
TOOL = {"kind": "tool", "latency": "300 ms", "cpus": 1, "memory": "1 GiB"}


def planned(
    folder: Path, rate: str, scale: dict[str, Any] | None, slo: dict[str, Any] | None = None, **more: Any
) -> dovetail.Plan:
    devices = {"h100": H100, "host": HOST}
    devices = {name: {**d, "scale": scale} if scale else d for name, d in devices.items()}
    nodes = {"ask": {"kind": "router"}, "think": LLM, "look": TOOL, "say": LLM}
    edges = ["ask -> think", {"from": "think", "to": "look", "probability": 0.5, "max_visits": 2}, "look -> think"]
    graph = {"version": 1, "name": "rare", "nodes": nodes, "edges": [*edges, "think -> say"], "slo": slo or {}}
    (folder / "graph.yaml").write_text(yaml.safe_dump({**graph, "workload": {"rate": rate}}))
    (folder / "fleet.yaml").write_text(yaml.safe_dump({"devices": devices, **more}))
    return dovetail.plan(folder, fleet=folder / "fleet.yaml")


def test_pools_that_are_seldom_asked_go_down_where_bounds_allow_it(tmp_path: Path) -> None:
    scale = {"min_replicas": 0, "keep_alive": ["1 min", "20 min"]}
    site = {"electricity": "0.40 USD/kWh", "pue": 1.2, "carbon": "400 gCO2/kWh"}
    up = planned(tmp_path, "0.002 req/s", None, site=site)
    down = planned(tmp_path, "0.002 req/s", scale, site=site)
    bound = planned(tmp_path, "0.002 req/s", scale, {"end_to_end": "20 s", "percentile": 80}, site=site)
    strict = planned(tmp_path, "0.002 req/s", scale, {"end_to_end": "20 s", "percentile": 95}, site=site)
    assert down.cost["usd_per_hour"] < bound.cost["usd_per_hour"] < strict.cost["usd_per_hour"]
    assert strict.cost["usd_per_hour"] == up.cost["usd_per_hour"]
    assert all(pool["scale"]["keep_alive_s"] == 60.0 for pool in down.pools)
    assert sum("goes down after 60 s" in warning for warning in down.document["warnings"]) == len(down.pools)
    assert {pool["scale"]["keep_alive_s"] for pool in bound.pools if "scale" in pool} == {1200.0}
    assert any("goes down after 20 min" in warning for warning in bound.document["warnings"])
    assert not any("scale" in pool for pool in (*up.pools, *strict.pools))
    assert down.document["energy_j_per_request"] < up.document["energy_j_per_request"]
    billed = {pool["device"]: pool["scale"]["billed"] * pool["devices"] for pool in down.pools}
    assert down.cost["parts"]["rent"] == pytest.approx(2.5 * billed["h100"] + billed["host"], rel=1e-6)


@pytest.mark.parametrize("keep_alive", ["1 min", "1 h"])
def test_a_busy_pool_stays_up(keep_alive: str, tmp_path: Path) -> None:
    plan = planned(tmp_path, "2 req/s", {"min_replicas": 0, "keep_alive": keep_alive})
    assert not any("scale" in pool for pool in plan.pools)


@pytest.mark.parametrize("field", ["start_s", "cold", "billed", "keep_alive_s"])
def test_a_plan_that_misstates_how_a_pool_goes_down_is_found_out(tmp_path: Path, field: str) -> None:
    plan = planned(tmp_path, "0.002 req/s", {"min_replicas": 0, "keep_alive": "1 min"}).document
    assert check_plan(plan) == []
    plan["pools"][0]["scale"][field] *= 0.9
    assert "check.scale" in {fault.id for fault in check_plan(plan)}


def test_a_pool_that_goes_down_where_the_fleet_keeps_it_up_is_found_out(tmp_path: Path) -> None:
    plan = planned(tmp_path, "0.002 req/s", {"min_replicas": 0, "keep_alive": "1 min"}).document
    for device in plan["inputs"]["fleet"]["devices"].values():
        device["scale"] = {"min_replicas": 1}
    plan["inputs"]["sha256"]["fleet"] = digest(plan["inputs"]["fleet"])
    assert "check.scale" in {fault.id for fault in check_plan(plan)}


def test_the_most_requests_are_not_asked_of_pools_that_go_down(tmp_path: Path) -> None:
    planned(tmp_path, "0.002 req/s", {"min_replicas": 0, "keep_alive": "1 min"})
    with pytest.raises(dovetail.InputError, match="`throughput` cannot stand beside `scale`"):
        dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml", objective="throughput")
