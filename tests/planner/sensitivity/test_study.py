"""Plans whose answers to a wrong input are known by hand, and the study of an example."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import dovetail
from dovetail.cli import main
from dovetail.costmodel.calibrated import Calibration
from dovetail.driver import plan_files, schema
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.placement.search.solve import best_plan
from dovetail.planner.sensitivity.graph_inputs import scaled
from dovetail.planner.sensitivity.knobs import knobs
from dovetail.planner.sensitivity.question import question_of
from dovetail.planner.sensitivity.study import Study

EXAMPLES = Path(__file__).parents[3] / "examples"
GRAPH: dict[str, Any] = {
    "version": 1,
    "name": "one",
    "nodes": {"work": {"kind": "tool", "latency": "500 ms", "cpus": 1, "usd_per_call": 0.001}},
    "workload": {"rate": "1 req/s"},
    "slo": {"end_to_end": "600 ms"},
}
CPU = {"kind": "cpu", "cores": 64, "memory": "64 GB", "bandwidth": "100 GB/s", "flops": {"fp32": "1 TFLOP/s"}}


@pytest.fixture
def files(tmp_path: Path) -> str:
    """A folder with the graph, and a fleet of one host."""
    fleet = {"devices": {"a": {**CPU, "count": 4, "price": {"rent": "2 USD/h"}}}}
    (tmp_path / "graph.yaml").write_text(json.dumps({**GRAPH, "fleet": fleet}))
    return str(tmp_path)


def study(rents: dict[str, float], graph: dict[str, Any] = GRAPH, off: float = 0.2, **others: Any) -> dict[str, Any]:
    """The study of the plan of one tool, at these rents [USD/h] of hosts that are else the same."""
    devices = {name: {**CPU, "count": 4, "price": {"rent": f"{rent} USD/h"}} for name, rent in rents.items()}
    made = plan_files(parse_graph(graph), parse_fleet({"devices": devices}), Path())
    return Study(made.document, off, **others).run()


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in found["rows"] if row["input"] == name)


def test_what_was_measured_of_a_device_stays_where_a_figure_of_it_is_off() -> None:
    devices = {"a": {**CPU, "count": 4, "price": {"rent": "1 USD/h"}}}
    question = question_of(plan_files(parse_graph(GRAPH), parse_fleet({"devices": devices}), Path()).document)
    measured = Calibration({"gemm_plain": {"compute_share": 0.5}})
    question = replace(question, devices={"a": replace(question.devices["a"], calibration=measured)})
    knob = next(knob for knob in knobs(question) if knob.name == "a.bandwidth")
    off = knob.apply(question, 1.2).devices["a"]
    assert off.bandwidth_bytes_per_s == pytest.approx(120e9)
    assert off.calibration == measured


def test_cost_moves_by_the_share_that_the_input_is_off() -> None:
    """2 USD/h of rent and 3.60 USD/h of calls: 20 % of either, and of the calls by the rate as well."""
    found = study({"a": 2.0})
    assert found["value"] == pytest.approx(5.6)
    assert row(found, "a.rent")["higher"]["same_plan"] == pytest.approx(6.0)
    assert row(found, "a.rent")["lower"]["same_plan"] == pytest.approx(5.2)
    assert row(found, "work.usd_per_call")["higher"]["same_plan"] == pytest.approx(6.32)
    assert row(found, "workload.rate")["lower"]["same_plan"] == pytest.approx(4.88)
    assert not any(
        row["lower"]["changed"] or row["higher"]["changed"] for row in found["rows"] if row["input"] == "a.rent"
    )


def test_choice_changes_where_prices_cross() -> None:
    """b is 15 % dearer than a: at 20 % off either way it is the better one, and keeping a costs the difference."""
    found = study({"a": 2.0, "b": 2.3})
    dearer, cheaper = row(found, "a.rent")["higher"], row(found, "b.rent")["lower"]
    assert dearer["changed"]
    assert [pool["device"] for pool in dearer["choice"]] == ["b"]
    assert dearer["regret"] == pytest.approx(2.4 - 2.3)
    assert cheaper["changed"]
    assert cheaper["regret"] == pytest.approx(2.0 - 2.3 * 0.8)
    assert not row(found, "a.rent")["lower"]["changed"]


def test_choice_stays_where_prices_do_not_cross() -> None:
    found = study({"a": 2.0, "b": 2.3}, off=0.1)
    assert not any(row[way]["changed"] for row in found["rows"] for way in ("lower", "higher"))
    assert "b.rent" not in {row["input"] for row in found["rows"]}


def test_bounds_that_break_are_named_and_come_first() -> None:
    """500 ms of a tool against a bound of 600: at 620 it is late, and at a latency of 600 it just is not."""
    graph = {**GRAPH, "slo": {"end_to_end": "590 ms"}}
    found = study({"a": 2.0}, graph)
    assert row(found, "work.latency")["higher"]["broken"] == ["slo.end_to_end"]
    assert row(found, "work.latency")["higher"]["best"] is None
    assert row(found, "slo.end_to_end")["lower"]["broken"] == ["slo.end_to_end"]
    assert "slo.end_to_end" not in row(found, "work.latency")["lower"]["broken"]


def test_pools_that_overflow_are_named() -> None:
    """64 cores at 110 calls a second of half a second are 55 busy; 20 % more are 66."""
    found = study({"a": 2.0}, {**GRAPH, "workload": {"rate": "110 req/s"}})
    assert row(found, "workload.rate")["higher"]["broken"] == ["capacity[a]"]
    assert row(found, "workload.rate")["higher"]["choice"][0]["devices"] == 2


def test_time_that_is_over_ends_the_study_with_what_is_known() -> None:
    found = study({"a": 2.0}, time_limit_s=1e-9)
    assert found["studied"] == 0
    assert found["rows"] == []
    assert found["inputs"] > 5


def test_an_interrupt_ends_the_study_with_what_is_known(files: str) -> None:
    made = dovetail.plan(files)

    def stop(message: str) -> None:
        if message.startswith("3 of"):
            raise KeyboardInterrupt

    document = made.with_sensitivity(on_progress=stop).document
    assert document["sensitivity"]["studied"] == 2
    jsonschema.validate(document, schema("plan"))


@pytest.mark.parametrize(
    ("value", "doubled"),
    [
        (3, 6),
        ("300 ms", "600.0 ms"),
        ("1_000 MiB", "2000.0 MiB"),
        ({"mean": "1 s", "p95": "2 s"}, {"mean": "2.0 s", "p95": "4.0 s"}),
        ({"quantiles": {"0.5": 1, "0.9": 3}}, {"quantiles": {"0.5": 2, "0.9": 6}}),
        ({"samples": [1, 2], "unit": "ms"}, {"samples": [2, 4], "unit": "ms"}),
    ],
)
def test_quantities_and_distributions_are_scaled(value: Any, doubled: Any) -> None:
    assert scaled(value, 2) == doubled


def test_command_prints_rows_and_guesses(files: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", files, "--sensitivity", "--off", "10"]) == 0
    text = capsys.readouterr().out
    assert "If an input is off" in text
    assert "10 % lower" in text
    assert "Guesses that the plan rests on" in text


def test_command_keeps_the_plan_valid(files: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", files, "--sensitivity", "--json", "-o", str(tmp_path / "out")]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema("plan"))
    assert document["sensitivity"]["studied"] == document["sensitivity"]["inputs"]
    assert main(["check", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("percent", ["0", "100", "-5", "nan", "many"])
def test_bad_percentages_are_refused(percent: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(EXAMPLES / "pinned"), "--sensitivity", "--off", percent])
    assert ended.value.code == 2
    assert "--off" in capsys.readouterr().err


def test_a_best_plan_that_is_not_proved_ends_no_study(monkeypatch: pytest.MonkeyPatch) -> None:
    def unproved(*given: Any) -> Any:
        return replace(best_plan(*given), status="feasible")

    monkeypatch.setattr("dovetail.planner.sensitivity.study.best_plan", unproved)
    found = study({"a": 2.0, "b": 2.3})
    assert found["studied"] == found["inputs"]
    assert row(found, "a.rent")["higher"]["changed"]


@pytest.mark.slow
def test_the_voice_agent_names_its_guesses_and_what_breaks_it() -> None:
    found = dovetail.plan(EXAMPLES / "voice_agent").with_sensitivity().document["sensitivity"]
    assert found["studied"] == found["inputs"]
    assert row(found, "workload.rate")["higher"]["broken"]
    assert any(guess["matters"] for guess in found["guesses"])
    for each in found["rows"]:
        for case in (each["lower"], each["higher"]):
            if not case["broken"] and case["best"] is not None:
                assert case["best"] <= case["same_plan"] * (1 + 1e-6)
