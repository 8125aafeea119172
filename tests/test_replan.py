"""`plan --from`: a plan in place of one that runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import dovetail
from dovetail.cli import main
from dovetail.ir.diagnostics import Infeasible, InputError
from dovetail.ir.digest import digest
from dovetail.planner.check import check_plan

LLM = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 500, "output_tokens": 100}
GRAPH: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "nodes": {"chat": LLM, "look": {"kind": "compute", "cpu": "20 ms"}},
    "edges": ["look -> chat"],
    "workload": {"rate": "20 req/s"},
    "slo": {"ttft": "500 ms", "tbt": "30 ms"},
}
FLEET: dict[str, Any] = {
    "devices": {
        "h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "2.50 USD/h"}},
        "l40s": {"model": "l40s", "count": 8, "price": {"rent": "0.90 USD/h"}},
        "host": {"model": "epyc-9554", "count": 4, "price": {"rent": "2 USD/h"}},
    }
}


def planned(folder: Path, graph: dict[str, Any] = GRAPH, fleet: dict[str, Any] = FLEET, **more: Any) -> dovetail.Plan:
    (folder / "graph.yaml").write_text(yaml.safe_dump(graph))
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(folder, fleet=folder / "fleet.yaml", **more)


def priced(**usd_per_hour: str) -> dict[str, Any]:
    """The fleet with other rents."""
    fleet = copy.deepcopy(FLEET)
    for name, rent in usd_per_hour.items():
        fleet["devices"][name]["price"] = {"rent": rent}
    return fleet


def pools(plan: dovetail.Plan) -> list[tuple[object, ...]]:
    return [(p["device"], p["replicas"], p["devices"], p["max_batch"]) for p in plan.pools]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dovetail.Plan:
    return planned(tmp_path_factory.mktemp("old"))


def test_without_a_change_the_plan_stays(old: dovetail.Plan, tmp_path: Path) -> None:
    again = planned(tmp_path, previous=old)
    moved = again.document["migration"]
    assert {row["model"] for row in moved["replicas"]} == {"llama-3.1-8b", ""}
    assert pools(again) == pools(old)
    assert (moved["started"], moved["stopped"], moved["usd"]) == (0, 0, 0)
    assert again.document["objective"]["value"] == old.document["objective"]["value"]


def test_what_is_a_little_dearer_stays_for_a_day_and_not_for_an_hour(old: dovetail.Plan, tmp_path: Path) -> None:
    """Half the devices at the price of the others: it pays to change within a month and not within ten minutes."""
    used = next(p["device"] for p in old.pools if p["device"] != "host")
    fleet = priced(**{used: f"{FLEET['devices'][used]['price']['rent'].split()[0]}1 USD/h"})
    fleet["devices"]["same"] = FLEET["devices"][used]
    short = planned(tmp_path, fleet=fleet, previous=old, over_s=1.0)
    assert used in {p["device"] for p in short.pools}
    assert short.document["migration"]["started"] == 0
    long = planned(tmp_path, fleet=fleet, previous=old, over_s=1e9)
    assert "same" in {p["device"] for p in long.pools}
    assert long.document["migration"]["started"] > 0


def test_the_objective_is_the_cost_and_the_change_spread(old: dovetail.Plan, tmp_path: Path) -> None:
    graph = copy.deepcopy(GRAPH) | {"workload": {"rate": "200 req/s"}}
    new = planned(tmp_path, graph, previous=old, over_s=7200.0)
    moved, value = new.document["migration"], new.document["objective"]["value"]
    assert moved["started"] > 0
    assert moved["usd_per_hour"] == pytest.approx(moved["usd"] / 2)
    assert value == pytest.approx(new.cost["usd_per_hour"] + moved["usd_per_hour"])
    assert "brought up" in new.to_text()
    assert "llama-3.1-8b. " not in new.to_text()  # the name alone where no precision is asked


def test_old_and_new_that_do_not_fit_side_by_side_make_requests_late(old: dovetail.Plan, tmp_path: Path) -> None:
    used, devices = next((p["device"], p["devices"]) for p in old.pools if p["device"] != "host")
    fleet = {"devices": {name: FLEET["devices"][name] for name in (used, "host")}}
    fleet["devices"][used] = {**fleet["devices"][used], "count": devices}
    graph = copy.deepcopy(GRAPH) | {"slo": {}}
    graph["nodes"]["chat"]["precision"] = "fp8"  # other weights: nothing of the old replicas goes on
    new = planned(tmp_path, graph, fleet, previous=old)
    moved = new.document["migration"]
    assert moved["kept"] == 1
    assert moved["requests_late"] > 0
    assert "do not fit side by side" in new.to_text()
    more = moved["usd"] - sum(row["usd"] for row in moved["replicas"])
    assert more == pytest.approx(moved["requests_late"] * old.cost["usd_per_request"])


def test_a_lost_device_takes_a_replica_with_it(old: dovetail.Plan, tmp_path: Path) -> None:
    used, replicas = next((p["device"], p["replicas"]) for p in old.pools if p["device"] != "host")
    one = planned(tmp_path, previous=old, lost={used: 1})
    assert one.document["inputs"]["previous"]["lost"] == {used: 1}
    assert one.document["inputs"]["fleet"]["devices"][used]["count"] == "0..7"
    all_gone = planned(tmp_path, previous=old, lost={used: None})
    assert used not in {p["device"] for p in all_gone.pools}
    assert f"{replicas} replica" in all_gone.to_text()


def tampered(plan: dovetail.Plan, *path: str | int, value: object) -> dict[str, Any]:
    document = copy.deepcopy(plan.document)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    if "previous" in document["inputs"]:
        document["inputs"]["sha256"]["previous"] = digest(document["inputs"]["previous"])
    return document


@pytest.mark.parametrize(
    "path",
    [
        *(("migration", name) for name in ("kept", "started", "stopped", "bytes", "usd", "seconds")),
        ("migration", "requests_late"),
        ("migration", "replicas", 0, "kept"),
        ("inputs", "previous", "pools", 0, "replicas"),
        ("inputs", "previous", "over_s"),
    ],
)
def test_the_validator_sees_what_was_changed(old: dovetail.Plan, tmp_path: Path, path: tuple[str | int, ...]) -> None:
    graph = copy.deepcopy(GRAPH) | {"workload": {"rate": "200 req/s"}}
    new = planned(tmp_path, graph, previous=old)
    assert check_plan(new.document) == []
    found = {fault.id for fault in check_plan(tampered(new, *path, value=7))}
    assert "check.migration" in found


def test_a_plan_without_its_migration_is_not_sound(old: dovetail.Plan, tmp_path: Path) -> None:
    new = planned(tmp_path, previous=old)
    del new.document["migration"]
    assert "check.migration" in {fault.id for fault in check_plan(new.document)}


def test_explaining_and_sensitivity_count_the_change_too(old: dovetail.Plan, tmp_path: Path) -> None:
    new = planned(tmp_path, previous=old, lost={"host": 1})
    found = new.with_explanation().document["explanation"]
    assert found["value"] == pytest.approx(new.document["objective"]["value"])
    assert all(row["extra"] is None or row["extra"] >= 0 for row in found["unused"])


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ({"name": "other"}, {}, "the old plan is of `small`, and this graph is `other`"),
        ({"workload": {}}, {}, "gives no rate"),
        ({"objective": "energy"}, {}, "counted in USD, and the objective is `energy`"),
        ({"objective": "throughput"}, {}, "counted in USD, and the objective is `throughput`"),
        ({}, {"lost": {"h200": 1}}, "no such device"),
        ({}, {"lost": {"h100": 9}}, "the fleet has 8"),
    ],
)
def test_what_cannot_be_replanned_is_refused(
    old: dovetail.Plan, tmp_path: Path, change: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        planned(tmp_path, copy.deepcopy(GRAPH) | change, previous=old, **more)


def test_losing_what_everything_runs_on_is_infeasible_or_refused(old: dovetail.Plan, tmp_path: Path) -> None:
    with pytest.raises(Infeasible, match="look"):
        planned(tmp_path, previous=old, lost={"host": None})
    with pytest.raises(InputError, match="none is given"):
        planned(tmp_path, lost={"host": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot read the plan"), ("[]", "is no plan"), ('{"status": "optimal", "inputs": {}}', "is missing")],
)
def test_a_broken_plan_is_refused_with_its_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump({**GRAPH, "fleet": FLEET}))
    (tmp_path / "plan.json").write_text(text)
    assert main(["plan", str(tmp_path), "--from", str(tmp_path / "plan.json")]) == 1
    assert message in capsys.readouterr().err


def test_the_command_takes_a_folder_a_horizon_and_losses(
    old: dovetail.Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump({**GRAPH, "fleet": FLEET}))
    (tmp_path / "plan.json").write_text(old.to_json())
    command = ["plan", str(tmp_path), "--from", str(tmp_path), "--over", "2 h", "--lost", "l40s=1", "--lost", "h100"]
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["migration"]["over_s"] == 7200
    assert document["inputs"]["fleet"]["devices"]["l40s"]["count"] == "0..7"
    assert document["inputs"]["fleet"]["devices"]["h100"]["count"] == "0..0"
    assert check_plan(document) == []
    with pytest.raises(SystemExit):
        main([*command, "--over", "soon"])
    assert main([*command[:2], "--pareto", "cost,latency", "--from", str(tmp_path)]) == 1
    assert "leave `--from` out" in capsys.readouterr().err
