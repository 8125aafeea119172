"""Every example is planned, checked and written; numbers worked by hand where there are any."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import dovetail
from dovetail import cli

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "graph.yaml").is_file())


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_planned_written_and_checked(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["plan", str(EXAMPLES / name), "-o", str(tmp_path / "out"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == ("feasible" if "batch" in document else "optimal")
    assert json.loads((tmp_path / "out" / "plan.json").read_text()) == document
    assert cli.main(["check", str(tmp_path / "out")]) == 0
    graph, fleet = str(EXAMPLES / name / "graph.yaml"), EXAMPLES / name / "fleet.yaml"
    given = ["--fleet", str(fleet)] if fleet.is_file() else []
    assert cli.main(["check", str(tmp_path / "out"), "--graph", graph, *given]) == 0
    assert cli.main(["check", graph]) == 0


def test_table_3() -> None:
    """arXiv 2507.19635, Table 3: prefill on HP and decode on CO, 120 ms and 0.095 USD; all on HP costs 0.11 USD."""
    plan = dovetail.plan(EXAMPLES / "table3")
    assert {p["piece"]: p["device"] for p in plan.placements} == {"think.prefill": "HP", "think.decode": "CO"}
    assert plan.cost["usd_per_request"] == pytest.approx(0.095, rel=1e-9)
    assert plan.latency["end_to_end"]["mean"] == pytest.approx(0.120, rel=1e-9)
    assert (plan.status, plan.document["objective"]["gap"]) == ("optimal", 0)


@pytest.mark.parametrize(
    ("bound", "devices", "usd"),
    [("105 ms", {"HP"}, 0.11), ("160 ms", {"CO"}, 0.06), ("119 ms", {"HP"}, 0.11)],
)
def test_table_3_under_other_bounds(tmp_path: Path, bound: str, devices: set[str], usd: float) -> None:
    """All on HP takes 105 ms; all on CO 160 ms, and 1000 x 0.00005 + 500 x 0.00002 = 0.06 USD."""
    text = (EXAMPLES / "table3" / "graph.yaml").read_text().replace("120 ms", bound)
    (tmp_path / "graph.yaml").write_text(text)
    plan = dovetail.plan(tmp_path, fleet=EXAMPLES / "table3" / "fleet.yaml")
    assert {p["device"] for p in plan.placements} == devices
    assert plan.cost["usd_per_request"] == pytest.approx(usd, rel=1e-9)


def test_the_hosted_api_is_paid_by_token() -> None:
    """0.5 req/s x 3600 s x (800 x 0.6 + 200 x 0.8) USD/Mtok = 1.152 USD/h, less than one GPU at 2.50."""
    plan = dovetail.plan(EXAMPLES / "hosted_api")
    assert {p["device"] for p in plan.placements} == {"api"}
    assert plan.cost["usd_per_hour"] == pytest.approx(1.152, rel=1e-9)


def test_at_a_higher_rate_own_gpus_beat_the_api(tmp_path: Path) -> None:
    text = (EXAMPLES / "hosted_api" / "graph.yaml").read_text().replace("0.5 req/s", "20 req/s")
    (tmp_path / "graph.yaml").write_text(text)
    plan = dovetail.plan(tmp_path, fleet=EXAMPLES / "hosted_api" / "fleet.yaml")
    assert {p["device"] for p in plan.placements} == {"h100"}
    assert plan.cost["usd_per_hour"] < 40 * 1.152


def test_pinned_nodes_stay_where_they_are_pinned() -> None:
    plan = dovetail.plan(EXAMPLES / "pinned")
    pool = {p["piece"]: p["pool"] for p in plan.placements}
    device = {p["piece"]: p["device"] for p in plan.placements}
    assert device["draft.prefill"] == device["draft.decode"] == "owned"
    assert {pool["draft.prefill"], pool["draft.decode"]}.isdisjoint({pool["judge.prefill"], pool["judge.decode"]})
    assert device["log.run"] == device["recall.run"]


def test_the_voice_agent_chooses_among_vendors() -> None:
    fleet = yaml.safe_load((EXAMPLES / "voice_agent" / "fleet.yaml").read_text())
    assert len(fleet["devices"]) >= 5
    plan = dovetail.plan(EXAMPLES / "voice_agent")
    devices = plan.document["inputs"]["catalogue"]["devices"]
    assert len({entry["vendor"] for entry in devices.values()}) >= 3
    assert sum(plan.cost["parts"].values()) == pytest.approx(plan.cost["usd_per_hour"], rel=1e-6)


def test_the_classifier_runs_here_after_planning(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.main(["plan", str(EXAMPLES / "classifier"), "-o", str(out)]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "dovetail.cli", "run", str(out), "--requests", "2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("jax/classify:\n")
    assert "each of 2 more:" in done.stdout


def test_two_graphs_share_a_gpu_since_one_can_wait(tmp_path: Path) -> None:
    """Together they take one H100, for less than apart; without the priority of the chat it is not enough."""
    folder = EXAMPLES / "two_graphs"
    both = dovetail.plan(folder / "chat", folder / "digests")
    assert both.document["fleet"]["h100"]["devices"] == 1
    assert "l40s" not in both.document["fleet"]
    apart = [dovetail.plan(folder / name) for name in ("chat", "digests")]
    assert both.cost["usd_per_hour"] < sum(plan.cost["usd_per_hour"] for plan in apart)
    (shared,) = (pool for pool in both.pools if pool["device"] == "h100")
    assert [row["priority"] for row in shared["waits"]] == [10, 0]
    for name in ("chat", "digests"):
        text = (folder / name / "graph.yaml").read_text().replace("priority: 10", "priority: 0")
        (tmp_path / f"{name}.yaml").write_text(text)
    alike = dovetail.plan(tmp_path / "chat.yaml", tmp_path / "digests.yaml", fleet=folder / "fleet.yaml")
    assert alike.cost["usd_per_hour"] > 1.2 * both.cost["usd_per_hour"]
