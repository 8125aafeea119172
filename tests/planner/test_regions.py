"""Regions with their own electricity, carbon and links: every pair of regions tried, and what they change."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.ir.digest import digest
from dovetail.ir.fleet import DeviceSpec, FleetSpec, LinkSpec, SiteSpec
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.candidates.transfers import transfer_s
from dovetail.planner.check import check_plan
from dovetail.planner.placement.search.solve import objective_within
from dovetail.planner.posing.pose import pose

Json = dict[str, Any]


def device(r: random.Random, region: str) -> Json:
    figures = {"kind": "gpu", "memory": "80 GB", "bandwidth": "2 TB/s", "flops": {"bf16": "300 TFLOP/s"}}
    power = {"idle": "100 W", "tdp": f"{r.choice([500, 1000, 2000])} W"}
    return {
        **figures,
        **power,
        "count": 4,
        "price": {"rent": f"{r.uniform(0.1, 0.4):.3f} USD/h", "energy": "extra"},
    } | {"region": region}


def instance(seed: int) -> tuple[Json, Json]:
    """Two nodes one after the other, a device in each of two regions, and one in the first of another kind."""
    r = random.Random(seed)
    devices = {"a": device(r, "eu"), "b": device(r, "us"), "c": device(r, "eu")}
    rows = [{name: {"run": {"latency": f"{r.randint(50, 300)} ms"}} for name in devices} for _ in "xy"]
    nodes = {
        name: {"kind": "model", "model": "some-network", "profile": row} for name, row in zip("xy", rows, strict=True)
    }
    slo = {"end_to_end": f"{r.randint(250, 900)} ms"}
    edge = {"from": "x", "to": "y", "bytes": f"{r.choice([0, 1, 20])} MB"}
    graph = {"version": 1, "nodes": nodes, "edges": [edge], "workload": {"rate": f"{r.uniform(0.5, 6):.2f} req/s"}}
    sites = {region: {"electricity": f"{r.uniform(0.05, 0.6):.3f} USD/kWh"} for region in ("eu", "us")}
    links = [{"between": ["us", "eu"], "bandwidth": "1 Gbit/s", "latency": f"{r.choice([5, 40, 150])} ms"}]
    site = {"electricity": "0.20 USD/kWh", "pue": 1.3}
    fleet = {"devices": devices, "site": site, "sites": sites, "links": links if r.random() < 0.7 else []}
    return {**graph, "slo": slo}, fleet


def least(graph: Json, fleet: Json) -> float | None:
    """Least cost of a plan [USD/h]; None where there is none."""
    return objective_within(pose(parse_graph(graph), parse_fleet(fleet), Path()).problem, None)


def in_regions(graph: Json, regions: Sequence[str]) -> Json:
    nodes = {
        name: {**node, "place": {"region": region}}
        for (name, node), region in zip(graph["nodes"].items(), regions, strict=True)
    }
    return {**graph, "nodes": nodes}


@pytest.mark.parametrize("batch", range(4))
def test_the_best_plan_is_the_best_of_all_pairs_of_regions(batch: int) -> None:
    changed = 0
    for seed in range(batch, 44, 4):
        graph, fleet = instance(seed)
        best = least(graph, fleet)
        pairs = [least(in_regions(graph, pair), fleet) for pair in itertools.product(("eu", "us"), repeat=2)]
        known = [cost for cost in pairs if cost is not None]
        assert best == (pytest.approx(min(known)) if known else None)
        alike = least(graph, {key: value for key, value in fleet.items() if key not in ("sites", "links")})
        changed += best != pytest.approx(alike)
    assert changed >= 8


FLEET = FleetSpec(
    devices=(DeviceSpec("a", region="eu"), DeviceSpec("b", region="us"), DeviceSpec("c"), DeviceSpec("d", region="us")),
    links=(LinkSpec(between=("us", "eu"), latency_s=0.1), LinkSpec(between=("d", "a"), latency_s=0.2)),
    sites={"eu": SiteSpec(0.1), "us": SiteSpec(0.2)},
    site=SiteSpec(0.3),
)


def test_data_takes_the_slowest_link_between_zones() -> None:
    devices = (DeviceSpec("p", zones=("a", "b")), DeviceSpec("q", zones=("b",)), DeviceSpec("r"), DeviceSpec("s"))
    slow = LinkSpec(between=("a", "b"), bandwidth_bytes_per_s=1e9, latency_s=2e-3)
    direct = LinkSpec(between=("r", "s"), bandwidth_bytes_per_s=1e9, latency_s=0.0)
    fleet = FleetSpec(devices, (slow, direct))
    assert fleet.links_between("p", "q") == [slow, None]
    assert fleet.links_between("p", "p") == [None, slow]
    assert fleet.links_between("r", "s") == [direct]
    assert transfer_s(fleet, "p", "q", 1e9) == pytest.approx(1.002)
    assert transfer_s(fleet, "q", "q", 1e9) == pytest.approx(1e9 / (25e9 / 8) + 100e-6)


def test_a_link_between_devices_goes_before_one_between_regions() -> None:
    latencies = {
        pair: link and link.latency_s for pair in ("ab", "ba", "ad", "bd", "ac") for link in [FLEET.link_between(*pair)]
    }
    assert latencies == {"ab": 0.1, "ba": 0.1, "ad": 0.2, "bd": None, "ac": None}
    assert [FLEET.are_apart(*pair) for pair in ("ab", "bd", "ac")] == [True, False, False]
    assert [FLEET.site_of(d).electricity_usd_per_kwh for d in FLEET.devices] == [0.1, 0.2, 0.3, 0.2]


def planned(tmp_path: Path, graph: Json, fleet: Json) -> dovetail.Plan:
    import yaml

    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


def test_carbon_is_that_of_each_region(tmp_path: Path) -> None:
    graph, fleet = instance(0)
    graph["slo"] = {}
    carbon = {"eu": 50, "us": 500}
    for name, site in fleet["sites"].items():
        site["carbon"] = f"{carbon[name]} gCO2/kWh"
    fleet["links"] = [{"between": ["us", "eu"], "bandwidth": "10 Gbit/s", "latency": "5 ms"}]
    for region in ("eu", "us"):
        document = planned(tmp_path, in_regions(graph, (region, region)), fleet).document
        per_kwh = document["gco2_per_request"] / document["energy_j_per_request"] * 3.6e6
        assert per_kwh == pytest.approx(carbon[region])
        assert {fleet["devices"][pool["device"]]["region"] for pool in document["pools"]} == {region}


def test_regions_without_a_link_are_in_the_conflict(tmp_path: Path) -> None:
    graph, fleet = instance(0)
    fleet["links"] = []
    with pytest.raises(dovetail.Infeasible) as caught:
        planned(tmp_path, in_regions({**graph, "slo": {}}, ("eu", "us")), fleet)
    assert "transfer[x->y]" in caught.value.conflict


def test_a_plan_outside_of_its_region_is_found_out(tmp_path: Path) -> None:
    graph, fleet = instance(0)
    plan = planned(tmp_path, in_regions(graph, ("eu", "eu")), fleet).document
    plan["inputs"]["graph"]["nodes"]["x"]["place"]["region"] = "us"
    plan["inputs"]["sha256"]["graph"] = digest(plan["inputs"]["graph"])
    assert "check.constraint" in {fault.id for fault in check_plan(plan)}
