"""Replicas and waits of candidate pools: exact for the tenants they are made for, never too short for fewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import dovetail
from dovetail.costmodel.queueing import wait
from dovetail.ir.distribution import Distribution
from dovetail.ir.split import VisitClass
from dovetail.planner.candidates.classes import tenant_sets
from dovetail.planner.candidates.sizing import NEGLIGIBLE, sizings


def test_one_server_at_half_load_waits_as_long_as_it_serves() -> None:
    """M/M/1 at rho = 0.5: half of the visits wait, 2 service times on average."""
    first, *_ = sizings(1.0, 1, [0.5], 0.5, None)
    assert first.capacity == (0.5,)
    assert first.law.params == (0.5, pytest.approx(1.0))


@settings(max_examples=60)
@given(
    st.lists(st.floats(0.01, 3.0), min_size=1, max_size=4),
    st.sampled_from([1, 4, 32]),
    st.floats(0.1, 4.0),
)
def test_a_law_holds_for_every_part_of_its_tenants(loads: list[float], slots: int, rate: float) -> None:
    """P(W > t) of any subset at the sizing's replicas is at most what the law says, at several t."""
    services = [load * slots for load in loads]  # one visit a request each
    for sizing in sizings(rate, slots, loads, max(services), 50):
        if not sizing.label.startswith("n"):
            continue
        n = len(sizing.capacity)
        for count in range(1, len(loads) + 1):
            part = services[:count]
            offered = rate * sum(part)
            law = wait(n * slots, offered, sum(part) / count)
            for quantile in (0.5, 0.9, 0.99, 0.999):
                assert law.quantile(quantile) <= sizing.law.quantile(quantile) * (1 + 1e-9) + 1e-12


def test_the_ladder_ends_where_nobody_waits() -> None:
    laws = [sizing.law for sizing in sizings(3.0, 1, [0.9], 0.9, None)]
    assert len(laws) > 3
    assert laws[-1].mean <= NEGLIGIBLE * 0.9 < laws[-2].mean


def test_too_few_replicas_make_one_pool_that_no_plan_takes() -> None:
    (short,) = sizings(3.0, 1, [0.9], 0.9, 2)
    assert short.label == "short"
    assert max(short.capacity) < 2.7


def test_tenants_stand_together_and_alone() -> None:
    def sets(tenants: str) -> list[tuple[str, ...]]:
        return [each.tenants for each in tenant_sets(tenants, str, {}, dict.fromkeys(tenants, 0))]

    assert sets("abc") == [("a", "b", "c"), ("a",), ("b",), ("c",)]
    assert sets("a") == [("a",)]


def test_classes_by_length_stand_with_their_neighbours_and_any_so_many_parts_together() -> None:
    law = Distribution.point(1.0)
    by_length = {f"a#{k}": VisitClass("a", k, 3, 0.2, law) for k in (1, 2, 3)}
    runs = [each.tenants for each in tenant_sets([*by_length], str, by_length, dict.fromkeys(by_length, 0))]
    assert runs == [("a#1", "a#2", "a#3"), ("a#1",), ("a#2",), ("a#3",), ("a#1", "a#2"), ("a#2", "a#3")]
    parts = {f"a#{k}": VisitClass("a", k, 3, 1 / 3) for k in (1, 2, 3)}
    sets = [
        (len(each.tenants), round(3 * each.share))
        for each in tenant_sets([*parts], str, parts, dict.fromkeys(parts, 0))
    ]
    assert sets == [(3, 3), (3, 1), (3, 2)]


def test_tenants_of_each_priority_stand_together_too() -> None:
    ranks = dict(zip("abcd", [1, 0, 1, 2], strict=True))
    sets = [each.tenants for each in tenant_sets("abcd", str, {}, ranks)]
    assert sets == [("a", "b", "c", "d"), ("a",), ("b",), ("c",), ("d",), ("a", "c")]


def test_every_priority_has_a_law_and_the_first_waits_least() -> None:
    for sizing in sizings(2.0, 1, [0.3, 0.4, 0.6], 0.6, 20, priorities=[2, 0, 1]):
        laws = [sizing.of(priority).law for priority in (2, 1, 0)]
        assert [law.mean for law in laws] == sorted(law.mean for law in laws)
        if sizing.label[1:].isdigit():
            assert laws[0].mean < sizing.law.mean <= laws[2].mean
    alike = sizings(2.0, 1, [0.3, 0.4, 0.6], 0.6, 20, priorities=[7, 7, 7])
    assert alike == sizings(2.0, 1, [0.3, 0.4, 0.6], 0.6, 20)


def planned(tmp_path: Path, graph: dict[str, Any]) -> dovetail.Plan:
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump({"version": 1, "name": "small", **graph}))
    return dovetail.plan(tmp_path)


def profiled(**devices: str) -> dict[str, Any]:
    profile = {device: {"run": {"latency": latency}} for device, latency in devices.items()}
    return {"kind": "compute", "cpu": "10 ms", "profile": profile}


def fleet(**counts: str) -> dict[str, Any]:
    return {"devices": {name: {"count": count, "price": {"rent": "1 USD/h"}} for name, count in counts.items()}}


def test_high_percentiles_are_met_with_more_replicas(tmp_path: Path) -> None:
    """M/M/n with 2 erlangs: P(W > 0.2 s) <= 1 % needs 6 servers of 1 s: C(6, 2) exp(-0.8) = 0.81 %."""
    graph = {
        "nodes": {"a": profiled(A="1 s")},
        "workload": {"rate": "2 req/s"},
        "slo": {"end_to_end": "1.2 s", "percentile": 99},
        "fleet": fleet(A="0..40"),
    }
    assert planned(tmp_path, graph).document["fleet"]["A"]["devices"] == 6


def test_one_busy_replica_is_enough_for_a_loose_bound(tmp_path: Path) -> None:
    """M/M/1 at 0.85: 95 % are done within 1 + ln(0.85 / 0.05) / 0.15 = 19.9 s."""
    graph = {
        "nodes": {"a": profiled(A="1 s")},
        "workload": {"rate": "0.85 req/s"},
        "slo": {"end_to_end": "60 s", "percentile": 95},
        "fleet": fleet(A="0..40"),
    }
    plan = planned(tmp_path, graph)
    assert plan.cost["usd_per_hour"] == 1
    assert plan.latency["end_to_end"]["p95"] == pytest.approx(19.9, rel=0.01)


@pytest.mark.parametrize("place", [{}, {"place": {"on": ["B"]}}])
def test_a_node_is_not_charged_with_the_service_time_of_another(tmp_path: Path, place: dict[str, Any]) -> None:
    """`slow` may come to A, where `quick` runs: whether it does or not, `quick` needs one A alone."""
    graph = {
        "nodes": {"quick": profiled(A="100 ms"), "slow": {**profiled(A="30 s", B="1 s"), **place}},
        "edges": ["quick -> slow"],
        "workload": {"rate": "2 req/s"},
        "slo": {"end_to_end": "2.5 s", "percentile": 95},
        "fleet": fleet(A="0..40", B="0..40"),
    }
    plan = planned(tmp_path, graph)
    assert plan.document["fleet"]["A"]["devices"] == 1


def test_nodes_of_one_model_need_not_agree_on_parallelism(tmp_path: Path) -> None:
    llm = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 100}
    graph = {
        "nodes": {"a": {**llm, "parallel": {"tp": 4}}, "b": {**llm, "parallel": {"tp": 1}}},
        "edges": ["a -> b"],
        "workload": {"rate": "1 req/s"},
        "fleet": {"devices": {"h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "2 USD/h"}}}},
    }
    plan = planned(tmp_path, graph)
    degrees = {pool["id"]: pool["parallel"]["tp"] for pool in plan.pools}
    tp = {p["piece"]: degrees[p["pool"]] for p in plan.placements}
    assert (tp["a.prefill"], tp["a.decode"], tp["b.prefill"], tp["b.decode"]) == (4, 4, 1, 1)


def test_the_fastest_plan_is_not_the_one_with_the_least_bound(tmp_path: Path) -> None:
    graph = {
        "nodes": {"a": profiled(A="100 ms", B="400 ms")},
        "workload": {"rate": "0.001 req/s"},
        "objective": "latency",
        "fleet": fleet(A="0..1", B="0..10"),
    }
    assert planned(tmp_path, graph).latency["end_to_end"]["mean"] == pytest.approx(0.1, rel=1e-3)


def test_networks_share_a_host_with_small_work(tmp_path: Path) -> None:
    graph = {
        "nodes": {
            "hear": {"kind": "model", "model": "speecht5-tts", "characters": 100},
            "log": {"kind": "store", "bytes": "1 kB"},
        },
        "edges": ["hear -> log"],
        "workload": {"rate": "0.5 req/s"},
        "fleet": {"devices": {"host": {"model": "epyc-9554", "count": 1, "price": {"rent": "2 USD/h"}}}},
    }
    assert planned(tmp_path, graph).cost["usd_per_hour"] == 2


def test_calls_in_flight_are_limited(tmp_path: Path) -> None:
    """M/M/2 at 1 erlang: a third of the calls waits 1 s on average, so the mean rises from 1 s to 4/3 s."""
    tool = {"kind": "tool", "latency": "1 s", "cpus": 0.1, "concurrency": 2}
    graph = {
        "nodes": {"t": tool},
        "workload": {"rate": "1 req/s"},
        "fleet": {"devices": {"host": {"model": "epyc-9554", "count": 1, "price": {"rent": "2 USD/h"}}}},
    }
    assert planned(tmp_path, graph).latency["end_to_end"]["mean"] == pytest.approx(4 / 3, rel=1e-3)
    with pytest.raises(dovetail.InputError, match="3 calls are in flight on average, and `concurrency` allows 2"):
        planned(tmp_path, {**graph, "workload": {"rate": "3 req/s"}})


def test_a_context_longer_than_the_models_is_refused(tmp_path: Path) -> None:
    llm = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 200000, "output_tokens": 100}
    graph = {
        "nodes": {"a": llm},
        "fleet": {"devices": {"h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "2 USD/h"}}}},
    }
    with pytest.raises(dovetail.InputError, match=r"the context of `llama-3.1-8b` is 131072"):
        planned(tmp_path, graph)


def test_a_device_that_cannot_compute_what_is_asked_is_no_candidate(tmp_path: Path) -> None:
    device = {
        "kind": "npu",
        "memory": "32 GB",
        "bandwidth": "400 GB/s",
        "flops": {"int8": "100 TFLOP/s"},
        "tdp": "75 W",
        "price": {"capex": "1500 USD"},
        "count": 8,
    }
    llm = {"kind": "llm", "model": "qwen3-1.7b", "prompt_tokens": 500, "output_tokens": 100}
    with pytest.raises(dovetail.Infeasible):
        planned(tmp_path, {"nodes": {"a": llm}, "fleet": {"devices": {"npu": device}}})
