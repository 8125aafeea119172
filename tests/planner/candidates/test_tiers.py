"""Caches and weights beyond the devices' memory: what trying everything finds, and that it changes plans."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from test_shared import fewest

import dovetail
from dovetail.costmodel import serving
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.posing.pose import pose

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
COUNT = 10
GB = 1e9
Json = dict[str, Any]


class Case(NamedTuple):
    """One node that calls an 8B model on H100s of so little memory that a tier matters."""

    memory_gb: float
    rate: float
    prompt: int
    output: int
    ttft_s: float
    tbt_s: float
    size_gb: float
    """of the tier"""
    bandwidth_gb_per_s: float

    def documents(self, tiers: bool) -> tuple[Json, Json]:
        """graph.yaml and fleet.yaml."""
        node = {
            "kind": "llm",
            "parallel": {"pp": 1},
            "model": "llama-3.1-8b",
            "prompt_tokens": self.prompt,
            "output_tokens": self.output,
        }
        slo = {"ttft": f"{self.ttft_s} s", "tbt": f"{self.tbt_s} s"}
        graph = {"version": 1, "name": "one", "nodes": {"chat": node | {"parallel": {"tp": 1, "pp": 1}}}, "slo": slo}
        device: Json = {"model": "h100-sxm", "memory": f"{self.memory_gb} GB", "count": COUNT}
        device["price"] = {"rent": "1 USD/h"}
        tier = {"size": f"{self.size_gb} GB", "bandwidth": f"{self.bandwidth_gb_per_s} GB/s"}
        device |= {"tiers": {"cxl": tier}} if tiers else {}
        return graph | {"workload": {"rate": f"{self.rate} req/s"}}, {"devices": {"gpu": device}}


def random_case(seed: int) -> Case:
    rng = random.Random(seed)
    return Case(
        rng.choice([8, 14, 17, 18.5, 20]),
        round(rng.uniform(0.1, 3.0), 2),
        rng.choice([300, 2000, 6000]),
        rng.choice([30, 200]),
        rng.choice([1.0, 4.0]),
        rng.choice([0.03, 0.2, 0.6]),
        rng.choice([6, 12, 64]),
        rng.choice([25, 60, 200]),
    )


class Way(NamedTuple):
    """A server: its batch, and shares of weights and caches in the tier."""

    batch: int
    weights: float
    cache: float


class Priced:
    """What the cost model says of a case."""

    def __init__(self, case: Case) -> None:
        llm, device = find_model("llama-3.1-8b"), find_device("h100-sxm")
        assert isinstance(llm, LLM)
        assert device is not None
        self.case, self.replica = case, serving.Replica(llm, device, precision=llm.precision)
        self.weights = serving.weight_bytes_per_device(llm, self.replica.parallel, llm.precision)
        self.token = llm.kv_bytes_per_token("bf16")
        self.link_s = (self.token * case.prompt / (25e9 / 8) + 100e-6) / (case.output - 1)

    def ways(self, tiers: bool) -> Iterator[Way]:
        """Every server that fits, with as little in the tier as will do: caches, weights, or all caches and weights."""
        for batch in BATCHES:
            if self.fits(Way(batch, 0.0, 0.0)):
                yield Way(batch, 0.0, 0.0)
                continue
            shares = [k / 32 for k in range(1, 33)] if tiers else []
            caches = [w for w in (Way(batch, 0.0, share) for share in shares) if self.fits(w)][:1]
            parts = [w for w in (Way(batch, share, 0.0) for share in shares) if self.fits(w)][:1]
            both = [w for w in (Way(batch, share, 1.0) for share in shares) if self.fits(w)][:1]
            yield from (w for w in caches + parts or both if self.in_tier(w) <= self.case.size_gb * GB)

    def fits(self, way: Way) -> bool:
        """Two of 32 layers of what is streamed lie in memory with what stays there."""
        longest = self.case.prompt + self.case.output
        held = self.weights * (1 - way.weights + min(way.weights, 2 / 32))
        held += way.batch * longest * self.token * (1 - way.cache + min(way.cache, 2 / 32))
        rest = serving.activation_bytes_per_device(self.replica.llm, self.replica.parallel, way.batch, float(longest))
        return held + rest <= self.case.memory_gb * GB

    def in_tier(self, way: Way) -> float:
        longest = self.case.prompt + self.case.output
        return way.weights * self.weights + way.cache * way.batch * longest * self.token

    def times(self, way: Way) -> tuple[float, float]:
        """Prefill and decode step [s]: each at least as long as what it streams takes."""
        context, bandwidth = self.case.prompt + self.case.output / 2, self.case.bandwidth_gb_per_s * GB
        prefill = float(serving.prefill_s(self.replica, float(self.case.prompt), 0.0))
        step = float(serving.decode_step_s(self.replica, float(way.batch), context))
        weights = way.weights * self.weights
        moved = weights + way.cache * self.case.prompt * self.token
        read = weights + way.cache * way.batch * context * self.token
        return max(prefill, moved / bandwidth), max(step, read / bandwidth)

    def best(self, tiers: bool) -> float | None:
        """USD/h of the cheapest way to serve the case; None where there is none."""
        case, gaps = self.case, self.case.output - 1
        prefills, decodes, whole = [math.inf], [math.inf], [math.inf]
        for way in self.ways(tiers):
            prefill, step = self.times(way)
            if way.batch == 1:
                prompts = case.rate * prefill
                prefills += fewest(prompts, (1, prompts, prefill, case.ttft_s - prefill))
            tokens = case.rate * gaps * step / way.batch
            if step + self.link_s <= case.tbt_s:
                decodes += fewest(tokens, (way.batch, tokens, gaps * step, math.inf))
            gap = step + (way.batch - 1) / case.output * max(0.0, prefill - self.replica.engine.step_s)
            held = prefill + gaps * gap
            if gap <= case.tbt_s:
                load = case.rate * held / way.batch
                whole += fewest(load, (way.batch, load, held, case.ttft_s - prefill))
        found = min(min(whole), min(prefills) + min(decodes))
        return found if found <= COUNT else None


def planned(case: Case) -> float | None:
    """The planner's cost [USD/h]; None where it finds no plan."""
    graph, fleet = case.documents(tiers=True)
    result = solve(pose(parse_graph(graph), parse_fleet(fleet), Path()).problem, with_latency=False)
    assert result.status in ("optimal", "infeasible")
    return result.objective


def test_planner_and_brute_force_agree_on_tiers() -> None:
    changed = possible = 0
    for seed in range(80):
        case = random_case(seed)
        priced = Priced(case)
        without, best = priced.best(tiers=False), priced.best(tiers=True)
        assert planned(case) == (None if best is None else pytest.approx(best)), f"seed {seed}"
        changed += without != best
        possible += without is None and best is not None
    assert changed >= 30
    assert 0 < possible < changed


CASE = Case(8, 0.1, 300, 30, 4.0, 0.6, 64, 60)
"""16 GB of weights and 8 GB of memory."""


def written(folder: Path, tiers: bool, case: Case = CASE) -> dovetail.Plan:
    graph, fleet = case.documents(tiers)
    (folder / "graph.yaml").write_text(yaml.safe_dump(graph))
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(folder, fleet=folder / "fleet.yaml")


def test_a_model_that_fits_nowhere_is_planned_with_a_tier(tmp_path: Path) -> None:
    with pytest.raises(dovetail.Infeasible):
        written(tmp_path, tiers=False)
    document = written(tmp_path, tiers=True).document
    (pool,) = document["pools"]
    assert pool["tier"]["name"] == "cxl"
    assert pool["tier"]["weights"] > 0.5
    assert pool["memory_bytes_per_device"] <= 8 * GB
    assert any("taken to stream" in warning for warning in document["warnings"])


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return written(tmp_path_factory.mktemp("tier"), tiers=True).document


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("weights", 0.25, "bytes on a device of"),
        ("bytes_per_device", 1e9, "bytes in its tier; derived"),
        ("name", "dram", "has no tier `dram`"),
        ("cache", 1.0, "in its tier; derived"),
    ],
)
def test_the_validator_derives_a_tier_again(document: Json, key: str, value: Any, fault: str) -> None:
    assert not list(check_plan(document))
    wrong = copy.deepcopy(document)
    wrong["pools"][0]["tier"][key] = value
    assert any(fault in str(each) for each in check_plan(wrong))


def test_a_tier_is_bounded_by_its_size(document: Json) -> None:
    small = CASE._replace(size_gb=4)
    assert Priced(small).best(tiers=True) is None
    assert planned(small) is None


def test_tenants_share_a_tier(tmp_path: Path) -> None:
    """Three nodes of one model; the validator adds up their caches."""
    graph, fleet = CASE.documents(tiers=True)
    graph["nodes"] = dict.fromkeys(("ask", "think", "say"), graph["nodes"]["chat"])
    graph |= {"edges": ["ask -> think", "think -> say"]}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    plan = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
    assert all("tier" in pool for pool in plan.pools)


def test_faults_of_tiers_are_told(tmp_path: Path) -> None:
    bad = {"dram": {"bandwidth": "0 GB/s"}, "tape": {"size": "1 TB"}}
    with pytest.raises(dovetail.InputError) as caught:
        parse_fleet({"devices": {"gpu": {"model": "h100-sxm", "tiers": bad}}})
    told = str(caught.value)
    assert "`size`" in told
    assert "tape" in told
    assert "bandwidth" in told
    graph, fleet = CASE.documents(tiers=True)
    del fleet["devices"]["gpu"]["tiers"]["cxl"]["bandwidth"]
    with pytest.raises(dovetail.InputError, match="how fast `gpu` reads its tier `cxl`"):
        pose(parse_graph(graph), parse_fleet(fleet), Path())
    fleet["devices"]["gpu"]["tiers"] = {"dram": {"size": "64 GB"}}
    assert pose(parse_graph(graph), parse_fleet(fleet), Path()).problem.pools
