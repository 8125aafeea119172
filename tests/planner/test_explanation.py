"""What an explanation says, held against plans solved for by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.backends.explanation_text import explanation_lines
from dovetail.driver import plan, plan_files
from dovetail.explain_driver import explain
from dovetail.ir.diagnostics import Infeasible, InputError
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.answers.explanation import Explanation
from dovetail.planner.conflicts.relaxations import way_out
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.posing.pose import pose

GRAPH: dict[str, Any] = {
    "version": 1,
    "name": "pair",
    "nodes": {"a": {"kind": "compute", "cpu": "200 ms"}, "b": {"kind": "compute", "cpu": "100 ms"}},
    "edges": ["a -> b"],
    "workload": {"rate": "400 req/s"},
    "slo": {"end_to_end": "2 s"},
}
FLEET: dict[str, Any] = {
    "devices": {
        "cheap": {"model": "epyc-9554", "count": 1, "price": {"rent": "1 USD/h"}},
        "dear": {"model": "xeon-8480", "count": "0..4", "price": {"rent": "3 USD/h"}},
    }
}
TABLE3 = Path(__file__).parents[2] / "examples" / "table3" / "graph.yaml"


def written(document: object, folder: Path) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps(document))
    return path


def test_table_3_says_what_its_bound_costs_and_what_comes_next(tmp_path: Path) -> None:
    found = explain(written(plan(TABLE3).document, tmp_path)).document
    assert [row["name"] for row in found["binding"]] == ["slo.end_to_end"]
    assert found["binding"][0]["without"] == pytest.approx(0.095 - 0.06)
    assert found["next_best"][0]["extra"] == pytest.approx(0.11 - 0.095)
    assert {pool["device"] for pool in found["next_best"][0]["pools"]} == {"HP"}
    assert found["missing"] == []


def cost(fleet: dict[str, Any]) -> float:
    found = plan_files(parse_graph(copy.deepcopy(GRAPH)), parse_fleet(fleet), Path())
    return found.document["objective"]["value"]


def test_one_more_device_and_a_device_left_idle_cost_what_planning_again_says(tmp_path: Path) -> None:
    free = copy.deepcopy(FLEET)
    free["devices"]["cheap"]["count"] = 2
    first = plan_files(parse_graph(copy.deepcopy(GRAPH)), parse_fleet(copy.deepcopy(FLEET)), Path())
    found = explain(written(first.document, tmp_path)).document
    saved = {row["name"]: row["saves"] for row in found["binding"]}
    assert saved["count[cheap]"] == pytest.approx(first.document["objective"]["value"] - cost(free))
    assert saved["count[cheap]"] > 0


def test_a_device_that_is_not_used_costs_what_the_best_plan_with_it_does(tmp_path: Path) -> None:
    fleet = copy.deepcopy(FLEET)
    fleet["devices"]["cheap"]["count"] = 8
    found = explain(written(plan_files(parse_graph(GRAPH), parse_fleet(fleet), Path()).document, tmp_path)).document
    (row,) = found["unused"]
    assert row["device"] == "dear"
    assert row["extra"] > 0
    assert len(row["pieces"]) == 1


def test_plans_that_differ_in_their_batch_alone_are_told_apart() -> None:
    pool = {"pieces": ["think.decode"], "device": "h100", "devices": 2, "tp": 2, "batch": 16}
    alone = {**pool, "pieces": ["hear.run"], "devices": 1, "tp": 1, "batch": 1}
    found = {"unit": "USD/h", "next_best": [{"extra": 0.0, "pools": [pool, alone]}], "missing": []}
    (line,) = explanation_lines(found)
    assert line.endswith("is as good: think.decode on 2 x h100 (tp 2, batch 16); hear.run on 1 x h100")
    found["next_best"][0]["extra"] = 0.25
    assert "is worse by 0.25 USD/h: " in explanation_lines(found)[0]


def test_no_time_is_said(tmp_path: Path) -> None:
    found = explain(written(plan(TABLE3).document, tmp_path), time_limit_s=1e-9)
    assert found.document["missing"] == ["binding", "next_best"]
    assert "not found in the time" in found.to_text()


def test_who_stops_one_question_stops_all_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dovetail.planner.answers.explanation.best_plan", interrupted)
    found = Explanation(plan(TABLE3).document).run()
    assert found["missing"] == ["binding", "next_best"]  # each device is used


def test_a_conflict_is_explained_by_what_ends_it(tmp_path: Path) -> None:
    graph = copy.deepcopy(GRAPH) | {"slo": {"end_to_end": "100 ms"}}
    with pytest.raises(Infeasible) as caught:
        plan_files(parse_graph(graph), parse_fleet(copy.deepcopy(FLEET)), Path())
    found = explain(written(caught.value.document, tmp_path))
    assert "slo.end_to_end" in found.document["conflict"]
    assert found.document["ways_out"]
    assert "there is a plan with" in found.to_text()


def test_progress_says_what_is_sought() -> None:
    told: list[str] = []
    plan_files(parse_graph(copy.deepcopy(GRAPH)), parse_fleet(copy.deepcopy(FLEET)), Path(), on_progress=told.append)
    assert told[:2] == ["writing down what may serve each node", "first plan"]
    late = parse_graph(copy.deepcopy(GRAPH) | {"slo": {"end_to_end": "100 ms"}})
    with pytest.raises(Infeasible):
        plan_files(late, parse_fleet(copy.deepcopy(FLEET)), Path(), on_progress=told.append)
    assert "no plan exists, looking for what excludes it" in told
    assert told[-1] == "no plan exists, looking for a way out"


def test_a_conflict_without_time_for_a_way_out_says_so(tmp_path: Path) -> None:
    posed = pose(parse_graph(copy.deepcopy(GRAPH)), parse_fleet(copy.deepcopy(FLEET)), Path())
    alone = PlacementResult("infeasible", conflict=("rate",), unit="USD/h")
    help = way_out(posed.problem, alone, posed.anew, 0.0)
    assert help is not None
    assert help.startswith("there was no time to find out how far `rate` has to be loosened; `dovetail explain`")
    graph = copy.deepcopy(GRAPH) | {"slo": {"end_to_end": "100 ms"}}
    with pytest.raises(Infeasible) as caught:
        plan_files(parse_graph(graph), parse_fleet(copy.deepcopy(FLEET)), Path())
    found = explain(written(caught.value.document, tmp_path), time_limit_s=1e-9).document
    assert (found["ways_out"], found["unit"]) == ([], "USD/h")


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no plan"):
        explain(written({"order": []}, tmp_path))
    changed = copy.deepcopy(plan(TABLE3).document)
    changed["cost"]["usd_per_request"] = 7.0
    with pytest.raises(InputError, match="no sound plan"):
        explain(written(changed, tmp_path))
