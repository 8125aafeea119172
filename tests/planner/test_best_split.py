"""Whether to split is itself a choice: a plan may split as written, at fewer thresholds, or not at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from xdsl.ir import Operation

import dovetail
from dovetail.check_driver import check
from dovetail.driver import read_graph_and_fleet
from dovetail.frontier_driver import pareto
from dovetail.ir.agent import graph_of
from dovetail.ir.read.graph import parse_graph
from dovetail.ir.split_choice import MOST_CHOICES, choices, keep, kept_of, stated
from dovetail.planner.answers.answer import Answer, asking
from dovetail.planner.answers.best_split import best_split
from dovetail.planner.check import check_plan
from dovetail.planner.posing.pose import Posed, pose

TOKENS = {"p50": 2000, "p95": 24000}
FLEET = {
    "devices": {
        "old": {"model": "l40s", "owned": 4},
        "new": {"model": "h100-sxm", "count": "0..4", "price": {"rent": "2.50 USD/h"}},
    }
}


def graph(split: Any, rate: str = "2 req/s", **more: Any) -> dict[str, Any]:
    """Questions of very different lengths to one model."""
    node = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": TOKENS, "output_tokens": 200}
    node |= {"parallel": {"tp": 1}, **({"split": split} if split else {})}
    slo = {"ttft": "3000 ms", "tbt": "60 ms", "percentile": 95}
    return {"version": 1, "nodes": {"a": node}, "workload": {"rate": rate}, "slo": slo, "fleet": FLEET, **more}


def planned(folder: Path, document: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
    file = folder / "graph.yaml"
    file.write_text(json.dumps(document))  # which YAML can read
    return dovetail.plan(file, **asked).document


def ops(*splits: Any) -> dict[str, Operation]:
    nodes = {f"n{k}": {**graph(split)["nodes"]["a"]} for k, split in enumerate(splits)}
    edges = [f"{a} -> {b}" for a, b in pairwise(nodes)]
    module = parse_graph({**graph(None), "nodes": nodes, "edges": edges}).module
    return {op.attributes["sym_name"].data: op for op in graph_of(module).nodes}  # type: ignore[attr-defined]


def test_the_choices_of_one_node_are_all_sets_of_its_thresholds() -> None:
    found = [choice["n0"] for choice in choices(ops({"prompt_tokens": "auto"}))]
    assert found == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize(
    ("splits", "number"),
    [
        ([None], 1),
        ([{"parts": 4}], 2),
        ([{"prompt_tokens": [1000, 2000, 4000, 8000]}], 6),  # none, four alone, all
        ([{"prompt_tokens": "auto"}, {"parts": 2}], 4),  # 16, or 10 with one threshold at a time, are too many
        ([{"parts": 2}] * 3, 8),
        ([{"parts": 2}] * 4, 2),
    ],
)
def test_more_nodes_have_fewer_choices_each(splits: list[Any], number: int) -> None:
    found = choices(ops(*splits))
    assert len(found) == number <= MOST_CHOICES
    assert not any(found[0].values())
    every = {name: kept_of(op, stated(op)) for name, op in ops(*splits).items()}
    assert found[-1] == {name: kept for name, kept in every.items() if kept}


def test_what_is_kept_is_stated_and_read_again() -> None:
    own, written = (ops({"prompt_tokens": [1000, 2000, 4000]})["n0"] for _ in range(2))
    keep(own, (0, 2))
    assert stated(own) == {"prompt_tokens": [1000.0, 4000.0]}
    assert kept_of(written, stated(own)) == (0, 2)
    keep(own, ())
    assert stated(own) is None


@pytest.mark.parametrize("split", [{"prompt_tokens": "auto"}, {"prompt_tokens": [8000]}, {"parts": 3}])
def test_a_node_that_may_be_split_is_never_dearer(tmp_path: Path, split: Any) -> None:
    may, may_not = (planned(tmp_path, graph(own)) for own in (split, None))
    assert "splits" not in may_not
    assert may["objective"]["value"] <= may_not["objective"]["value"] * (1 + 1e-6)
    assert may["status"] == "optimal"
    assert not check_plan(may)


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, Any]:
    """A plan that does not split, though it may: one device type serves all."""
    fleet = {"devices": {"new": FLEET["devices"]["new"]}}
    return planned(tmp_path, {**graph({"prompt_tokens": [2000, 8000]}), "fleet": fleet})


def test_of_equal_plans_that_with_the_fewest_classes_is_taken(whole: dict[str, Any]) -> None:
    assert whole["splits"] == {"a": None}
    assert all(row["when"] is None and row["share"] == 1 for row in whole["placements"])


@pytest.mark.parametrize("said", [{"prompt_tokens": [3000]}, {"prompt_tokens": [2000, 2000]}, {"parts": 2}, {}])
def test_the_validator_finds_splits_that_the_graph_does_not_allow(whole: dict[str, Any], said: Any) -> None:
    wrong = {**whole, "splits": {"a": said}}
    assert [fault.id for fault in check_plan(wrong)] == ["check.placement"]


def test_the_validator_finds_another_split_than_the_plan_has(whole: dict[str, Any]) -> None:
    as_written = {key: value for key, value in whole.items() if key != "splits"}
    assert "check.latency" in {fault.id for fault in check_plan(as_written)}
    assert check_plan({**whole, "splits": {"b": None}})


def test_plans_that_need_not_split_are_explained_and_studied(tmp_path: Path, whole: dict[str, Any]) -> None:
    plan = dovetail.Plan(copy.deepcopy(whole), tmp_path)
    explained = plan.with_explanation().document
    assert explained["explanation"]["value"] == pytest.approx(whole["objective"]["value"])
    (tmp_path / "plan.json").write_text(json.dumps(explained))
    assert not [fault for fault in check(tmp_path / "plan.json") if fault.severity == "error"]
    again = planned(tmp_path, whole["inputs"]["graph"] | {"fleet": whole["inputs"]["fleet"]}, previous=plan)
    assert again["splits"] == {"a": None}
    assert again["migration"]["usd_per_hour"] == 0


def test_ranges_and_most_requests_choose_too(tmp_path: Path) -> None:
    split = {"parts": 2}
    over = planned(tmp_path, graph(split, rate="1..2 req/s"))
    means = {"objective": "throughput", "slo": {"ttft": "3 s", "tbt": "60 ms", "end_to_end": "12 s"}}
    most = planned(tmp_path, graph(split, **means))
    whole = planned(tmp_path, graph(None, **means))
    assert over["splits"].keys() == most["splits"].keys() == {"a"}
    assert most["objective"]["value"] >= whole["objective"]["value"] * (1 - 1e-6)


def test_the_frontier_has_plans_of_every_choice(tmp_path: Path) -> None:
    ends = []
    for split in ({"parts": 2}, None):
        (tmp_path / "graph.yaml").write_text(json.dumps(graph(split)))
        found = pareto(tmp_path / "graph.yaml", objectives="cost,latency").found
        assert found.complete
        ends.append([point["values"] for point in found.document()["points"]])
    assert all(any(a <= x * (1 + 1e-6) and b <= y * (1 + 1e-6) for a, b in ends[0]) for x, y in ends[1])


@pytest.mark.parametrize("left", [1, 2])
def test_nothing_is_claimed_of_choices_that_were_not_tried(tmp_path: Path, left: int) -> None:
    """The user interrupts the first or the second of four problems."""
    (tmp_path / "graph.yaml").write_text(json.dumps(graph({"prompt_tokens": [2000, 8000]})))
    files = read_graph_and_fleet((tmp_path / "graph.yaml",), None, {})
    posed, answers = pose(files[0], files[1], tmp_path), list[Answer]()
    usual = asking((files[0], files[1]), "highs", lambda *_: None)

    def ask(own: Posed, below: float | None, time_limit_s: float | None) -> Answer:
        answers.append(usual(own, below, None))
        proved = len(answers) < left
        return answers[-1] if proved else replace(answers[-1], result=replace(answers[-1].result, status="feasible"))

    found = best_split(posed, ask, None)
    assert len(answers) == left
    assert (found.result.status, found.result.bound, found.result.gap) == ("feasible", None, None)
