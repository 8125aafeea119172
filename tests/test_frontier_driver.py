"""`plan --pareto`: the frontier as a command gives it, and each of its plans."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from dovetail.check_driver import check
from dovetail.cli import main
from dovetail.driver import plan
from dovetail.frontier_driver import pareto
from dovetail.ir.diagnostics import Infeasible, InputError
from dovetail.planner.check import check_plan
from dovetail.planner.placement.search.rounds import Search

EXAMPLES = Path(__file__).parents[1] / "examples"
TABLE3 = EXAMPLES / "table3" / "graph.yaml"


def test_table_3_has_the_two_plans_that_keep_the_bound() -> None:
    found = pareto(TABLE3)
    values = [point["values"] for point in found.found.document()["points"]]
    assert values == [pytest.approx([0.095, 0.120]), pytest.approx([0.11, 0.105])]
    assert found.complete
    assert found.plans[0].document["placements"] == plan(TABLE3).document["placements"]
    turned = pareto(TABLE3, objectives="latency,cost").found.document()["points"]
    assert [point["values"][::-1] for point in turned] == [pytest.approx(v) for v in values[::-1]]


def test_each_point_is_a_plan_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(TABLE3), "--pareto", "cost,latency", "-o", str(tmp_path / "out")]) == 0
    assert "2 plans on the frontier of cost and mean end to end, all there are" in capsys.readouterr().out
    index = json.loads((tmp_path / "out" / "frontier.json").read_text())
    for point in index["points"]:
        assert check(tmp_path / "out" / point["folder"]) == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["01", "02"]


def test_json_has_the_plans(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(TABLE3), "--pareto", "cost,latency", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["objectives"] == ["cost", "latency"]
    assert document["units"] == ["USD/request", "s"]
    for point in document["points"]:
        assert point["plan"]["frontier"]["objectives"] == ["cost", "latency"]


def test_the_frontier_of_cost_and_throughput_has_ten_plans_and_more() -> None:
    found = pareto(TABLE3, objectives="cost,throughput")
    values = [point["values"] for point in found.found.document()["points"]]
    assert len(values) >= 10
    assert values == sorted(values, key=lambda pair: pair[1])
    for cheap, dear in itertools.pairwise(values):
        assert cheap[0] < dear[0]
    for each in found.plans:
        assert each.status == "optimal"
        assert each.document["objective"]["name"] == "throughput"
        assert each.document["frontier"]["under"] == {"cost": pytest.approx(each.cost["usd_per_hour"])}
        assert check_plan(each.document) == []


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ("cost", "names one"),
        ("cost,cost", "names one"),
        ("", "`` is no objective"),
        ("cost,speed", "`speed` is no objective"),
        ("cost,latency,energy", "names 3"),
        ("energy,throughput", "share what devices take when idle"),
        ("tokens_per_usd,throughput", "have no frontier"),
        ("cost,tokens_per_usd", "rank plans alike"),
        ("cost,energy", "needs a rate"),
    ],
)
def test_what_is_no_pair_is_refused(objectives: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pareto(TABLE3, objectives=objectives)


def test_options_of_one_plan_do_not_stand_beside(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(TABLE3), "--pareto", "cost,latency", "--explain"]) == 1
    assert "leave `--explain` out" in capsys.readouterr().err


def test_no_time_and_no_plan_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Infeasible, match="in the time given"):
        pareto(TABLE3, time_limit_s=1e-9)
    folder = EXAMPLES / "table3"
    (tmp_path / "fleet.yaml").write_text((folder / "fleet.yaml").read_text())
    (tmp_path / "graph.yaml").write_text((folder / "graph.yaml").read_text().replace("120 ms", "50 ms"))
    with pytest.raises(Infeasible, match=r"slo\.end_to_end"):
        pareto(tmp_path / "graph.yaml")


def test_an_interrupt_before_the_first_point_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match="no point of the frontier"):
        pareto(TABLE3)
