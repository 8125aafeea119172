"""Whole plans of small graphs: every one is checked by the validator before it is handed out."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

import dovetail
from dovetail.ir.digest import digest
from dovetail.planner.check import check_plan

LLM = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 100}
H100 = {"model": "h100-sxm", "count": 8, "price": {"rent": "2.50 USD/h"}}
SITE = {"electricity": "0.40 USD/kWh", "pue": 1.2}
PROFILE = {
    "prefill": {"latency": "80 ms", "usd_per_token": 0.00001},
    "decode": {"latency": "900 ms", "usd_per_token": 0.00002},
}


def planned(tmp_path: Path, devices: dict[str, Any], node: dict[str, Any] = LLM, **more: Any) -> dovetail.Plan:
    graph = {"version": 1, "name": "small", "nodes": {"chat": node}, "workload": {"rate": "1 req/s"}, **more}
    fleet = {"devices": devices, "site": SITE}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


def test_a_rent_includes_energy(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": H100})
    assert plan.cost["parts"]["rent"] == 2.5 * plan.document["fleet"]["h100"]["devices"]
    assert plan.cost["parts"]["energy"] == 0


def test_a_rent_of_nothing_includes_energy_too(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": {**H100, "price": {"rent": "0 USD/h"}}})
    assert plan.cost["usd_per_hour"] == 0


def test_energy_may_be_extra(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": {**H100, "price": {"rent": "2.50 USD/h", "energy": "extra"}}})
    assert plan.cost["parts"]["energy"] > 0


@pytest.mark.parametrize("price", [{}, {"price": {"rent": "2.50 USD/h"}}])
def test_owned_devices_cost_their_energy_alone(tmp_path: Path, price: dict[str, Any]) -> None:
    plan = planned(tmp_path, {"h100": {"model": "h100-sxm", "owned": 4, **price}})
    parts = plan.cost["parts"]
    assert parts["energy"] > 0
    assert parts["energy"] == pytest.approx(plan.cost["usd_per_hour"])


def test_only_interest_is_paid_with_full_power(tmp_path: Path) -> None:
    """P ((1+i/12)^(12L) - 1) / (8760 L) + kW x price: 0.60 USD/h of an H100 for 30,000 USD."""
    price = {"capex": "30000 USD", "accounting": "interest_only"}
    plan = planned(tmp_path, {"h100": {**H100, "price": price}})
    assert plan.cost["usd_per_hour"] / plan.document["fleet"]["h100"]["devices"] == pytest.approx(0.60, abs=0.01)


def test_what_does_not_fit_the_count_is_no_candidate(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": {**H100, "count": 1}})
    assert plan.pools[0]["devices"] == 1


def test_profiles_replace_the_model_also_where_the_device_is_known(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": {**H100, "price": {"capex": "25000 USD"}}}, profile={"h100": PROFILE})
    assert {p["piece"]: p["latency_s"] for p in plan.placements} == {"chat.prefill": 0.08, "chat.decode": 0.9}
    assert plan.document["quality"]["measured"] > 0


def test_a_device_that_is_taken_back_needs_others_beside_it(tmp_path: Path) -> None:
    """One is busy a third of the time; but down in a share of it that the bound does not allow."""
    firm = planned(tmp_path, {"h100": H100}, slo={"ttft": "1 s", "percentile": 99})
    price = {"rent": "2.50 USD/h", "interruptions": "0.5 per hour"}
    spot = planned(tmp_path, {"h100": {**H100, "price": price}}, slo={"ttft": "1 s", "percentile": 99})
    assert firm.pools[0]["replicas"] < spot.pools[0]["replicas"]
    assert 0.9 < spot.pools[0]["availability"] < 0.99
    assert "availability" not in firm.pools[0]
    assert any("may be taken back" in warning for warning in spot.document["warnings"])


def test_the_catalogue_has_spot_prices(tmp_path: Path) -> None:
    price = {"rent": "spot", "interruptions": "1 per day"}
    plan = planned(tmp_path, {"a100": {"model": "a100-sxm", "count": 8, "price": price}})
    devices = plan.document["fleet"]["a100"]["devices"]
    assert plan.cost["parts"]["rent"] == pytest.approx(0.4515 * devices)


def test_without_a_rate_repeats_cost_time_of_devices(tmp_path: Path) -> None:
    firm, spot = (
        planned(tmp_path, {"h100": {**H100, "price": {**H100["price"], **more}}}, workload={})
        for more in ({}, {"interruptions": "20 per hour"})
    )
    assert spot.cost["usd_per_request"] > 1.2 * firm.cost["usd_per_request"]


def with_survivors(tmp_path: Path, survive: dict[str, Any], **more: Any) -> dovetail.Plan:
    graph = {"version": 1, "name": "small", "nodes": {"chat": LLM}, "workload": {"rate": "8 req/s"}, **more}
    fleet = {"devices": {"h100": H100}, "survive": survive}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


@pytest.mark.parametrize("replicas", [1, 2])
def test_every_pool_has_replicas_that_may_fail(tmp_path: Path, replicas: int) -> None:
    slo = {"ttft": "300 ms", "tbt": "30 ms", "percentile": 95}
    alone = with_survivors(tmp_path, {}, slo=slo)
    plan = with_survivors(tmp_path, {"replicas": replicas}, slo=slo)
    assert [pool["spare"] for pool in plan.pools] == [replicas] * len(plan.pools)
    assert plan.cost["usd_per_hour"] > alone.cost["usd_per_hour"]
    assert "survive.replicas" in plan.document["binding"]


def test_a_fleet_too_small_to_survive_says_so(tmp_path: Path) -> None:
    with pytest.raises(dovetail.Infeasible) as caught:
        with_survivors(tmp_path, {"replicas": 8})
    assert set(caught.value.conflict) == {"count[h100]", "survive.replicas"}


def test_a_plan_that_hides_a_replica_to_spare_is_found_out(tmp_path: Path) -> None:
    plan = with_survivors(tmp_path, {"replicas": 1}).document
    plan["pools"][0]["spare"] = 0
    assert "check.survive" in {fault.id for fault in check_plan(plan)}


def in_zones(tmp_path: Path, zones: list[str], survive: dict[str, Any], **more: Any) -> dovetail.Plan:
    graph = {"version": 1, "name": "small", "nodes": {"chat": LLM}, "workload": {"rate": "60 req/s"}}
    graph["slo"] = {"ttft": "300 ms", "tbt": "30 ms", "percentile": 95}
    fleet = {"devices": {"h100": {**H100, "zones": zones, **more}}, "survive": survive}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


def test_every_pool_survives_the_loss_of_its_fullest_zone(tmp_path: Path) -> None:
    alone = in_zones(tmp_path, ["a", "b", "c"], {}, count=32)
    three = in_zones(tmp_path, ["a", "b", "c"], {"zone": 1}, count=32)
    two = in_zones(tmp_path, ["a", "b"], {"zone": 1}, count=32)
    assert alone.cost["usd_per_hour"] < three.cost["usd_per_hour"] < two.cost["usd_per_hour"]
    for pool in three.pools:
        assert sum(pool["zones"].values()) == pool["replicas"]
        assert pool["spare"] == max(pool["zones"].values())
    assert "survive.zone" in three.document["binding"]
    both = in_zones(tmp_path, ["a", "b", "c"], {"zone": 1, "replicas": 1}, count=32)
    assert all(pool["spare"] == max(pool["zones"].values()) + 1 for pool in both.pools)


def test_where_all_zones_may_be_lost_nothing_survives(tmp_path: Path) -> None:
    with pytest.raises(dovetail.Infeasible) as caught:
        in_zones(tmp_path, ["a", "b"], {"zone": 2}, count=32)
    assert caught.value.conflict == ("survive.zone",)


@pytest.mark.parametrize("zones", [{"a": 3, "b": 0, "c": 0}, {"a": 1, "b": 1}, {"a": 2, "b": 2, "c": 2}])
def test_a_plan_that_misstates_its_zones_is_found_out(tmp_path: Path, zones: dict[str, int]) -> None:
    plan = in_zones(tmp_path, ["a", "b", "c"], {"zone": 1}, count=32).document
    assert plan["pools"][0]["replicas"] == 3
    plan["pools"][0]["zones"] = zones
    assert "check.survive" in {fault.id for fault in check_plan(plan)}


def with_rack(tmp_path: Path, power: str, exceed: str) -> dovetail.Plan:
    graph = {"version": 1, "name": "small", "nodes": {"chat": LLM}, "workload": {"rate": "60 req/s"}}
    graph["slo"] = {"tbt": "25 ms"}
    cool = {"model": "l40s", "price": {"rent": "2.50 USD/h"}, "count": 40}
    fleet = {"devices": {"h100": {**H100, "rack": "r1"}, "l40s": cool}}
    fleet["racks"] = {"r1": {"power": power, "exceed": exceed}}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")


def test_a_rack_may_hold_more_devices_than_it_could_feed_all_at_once(tmp_path: Path) -> None:
    """Full power of the devices that are taken is over the limit, but they are seldom all busy."""
    strict, seldom = with_rack(tmp_path, "1.3 kW", "0 %"), with_rack(tmp_path, "1.3 kW", "20 %")
    for plan, exceed in ((strict, 0.0), (seldom, 0.2)):
        assert plan.document["racks"]["r1"]["exceeded"] <= exceed
    assert strict.document["fleet"].get("h100", {"devices": 0})["devices"] * 700 <= 1300
    assert strict.cost["usd_per_hour"] > with_rack(tmp_path, "50 kW", "0 %").cost["usd_per_hour"]
    assert "racks[r1]" in strict.document["binding"]
    assert seldom.cost["usd_per_hour"] <= strict.cost["usd_per_hour"]


def test_a_rack_that_is_over_its_limit_is_found_out(tmp_path: Path) -> None:
    plan = with_rack(tmp_path, "50 kW", "1 %").document
    fleet = plan["inputs"]["fleet"]
    fleet["racks"]["r1"]["power"] = "400 W"
    plan["inputs"]["sha256"]["fleet"] = digest(fleet)
    assert "check.rack" in {fault.id for fault in check_plan(plan)}


def test_a_whole_chassis_is_paid_for(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"h100": {**H100, "sold_by": "chassis", "chassis": 8}})
    assert plan.document["fleet"]["h100"]["devices"] == 8
    assert plan.cost["parts"]["rent"] == 20.0


def test_objective_latency_is_no_slower_than_cost(tmp_path: Path) -> None:
    cheap = planned(tmp_path, {"h100": H100})
    fast = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml", objective="latency")
    assert fast.latency["end_to_end"]["mean"] <= cheap.latency["end_to_end"]["mean"]
    assert fast.cost["usd_per_hour"] >= cheap.cost["usd_per_hour"]


def test_equal_inputs_give_equal_bytes_outside_solve(tmp_path: Path) -> None:
    plans = [planned(tmp_path, {"h100": H100, "l40s": {"model": "l40s", "price": {"rent": "1 USD/h"}}}) for _ in "ab"]
    for plan in plans:
        plan.document.pop("solve")
    assert plans[0].to_json() == plans[1].to_json()


def test_an_infeasible_graph_names_its_conflict(tmp_path: Path) -> None:
    with pytest.raises(dovetail.Infeasible) as caught:
        planned(tmp_path, {"h100": {**H100, "count": 1}}, slo={"tbt": "1 ms"})
    assert "slo.tbt[chat]" in caught.value.conflict
    assert caught.value.document is not None
    assert caught.value.document["status"] == "infeasible"


def test_without_a_rate_devices_are_chosen_and_not_counted(tmp_path: Path) -> None:
    """Two models on one kind of device: together they would take more of it than there are."""
    nodes = {
        "one": {**LLM, "model": "llama-3.1-70b", "parallel": {"tp": 8}},
        "two": {**LLM, "parallel": {"tp": 4}, "place": {"apart": "one"}},
    }
    graph = {"version": 1, "name": "small", "nodes": nodes, "edges": ["one -> two"]}
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"devices": {"h100": H100}}))
    plan = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
    assert {pool["devices"] for pool in plan.pools} == {8, 4}
    assert plan.document["quality"]["data_sheet"] < 1


def test_place_binds_and_stands_in_the_conflict(tmp_path: Path) -> None:
    devices = {"h100": {**H100, "count": 1}, "slow": {"model": "l4", "count": 8, "price": {"rent": "1 USD/h"}}}
    node = {**LLM, "place": {"on": ["slow"]}}
    assert planned(tmp_path, devices, node).pools[0]["device"] == "slow"
    with pytest.raises(dovetail.Infeasible) as caught:
        planned(tmp_path, devices, node, slo={"tbt": "10 ms"})
    assert set(caught.value.conflict) == {"place[chat]", "slo.tbt[chat]"}


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "cases" / "fuzzed").glob("*.yaml")), ids=lambda p: p.stem
)
def test_graphs_that_once_failed_are_planned_and_pass_the_validator(file: Path) -> None:
    """Found by planning random graphs: the driver refuses any plan that its validator does not accept."""
    assert dovetail.plan(file).status == "optimal"


@pytest.mark.parametrize("interrupts", [1, 2])
def test_a_plan_that_is_found_is_written_down_unless_interrupted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupts: int
) -> None:
    def interrupted(document: dict[str, Any]) -> Any:
        for _ in range(interrupts):
            signal.raise_signal(signal.SIGINT)
        return check_plan(document)

    monkeypatch.setattr("dovetail.planner.check.check_plan", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    try:
        if interrupts == 1:
            assert planned(tmp_path, {"h100": H100}).document["status"] == "optimal"
        else:
            with pytest.raises(KeyboardInterrupt):
                planned(tmp_path, {"h100": H100})
    finally:
        signal.signal(signal.SIGINT, before)
