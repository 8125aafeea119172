"""Plans of batches from graph.yaml to plan.json: the examples, what the objective asks, what the validator says."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dovetail.cli import main
from dovetail.driver import plan
from dovetail.ir.diagnostics import DovetailError, Infeasible, InputError
from dovetail.planner.check import check_plan

EXAMPLES = Path(__file__).parents[3] / "examples"
SHAPES = {
    "halo_w1": (8, 9),
    "halo_w2": (10, 3),
    "halo_w3": (9, 6),
    "halo_w4": (9, 3),
    "halo_w5": (7, 10),
    "halo_w6": (9, 13),
}
"""LLM and tool operators (arXiv 2509.02121, figure 5)"""
CHAIN = """
version: 1
nodes:
  first: {kind: llm, model: llama-3.1-8b, prompt_tokens: 800, cached_prefix_tokens: 400, output_tokens: 200}
  ask: {kind: tool, latency: 400 ms, concurrency: 64, usd_per_call: 0.0001}
  last: {kind: llm, model: llama-3.1-8b, prompt_tokens: 1400, output_tokens: 100, continues: first}
edges: [first -> ask, ask -> last]
workload: {batch: {size: SIZE, deadline: DEADLINE}}
objective: cost
fleet:
  devices:
    h100: {model: h100-sxm, count: 0..3, price: {rent: 2.50 USD/h}}
    l40s: {model: l40s, count: 0..3, price: {rent: 0.80 USD/h}}
    host: {model: epyc-9554, count: 1, price: {rent: 1 USD/h}}
"""


def chain(folder: Path, size: str = "5000", deadline: str = "20 min", old: str = "", new: str = "") -> Path:
    text = CHAIN.replace("SIZE", size).replace("DEADLINE", deadline)
    assert old in text
    (folder / "graph.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return folder / "graph.yaml"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cheapest plan of the chain."""
    return plan(chain(tmp_path_factory.mktemp("chain"))).document


@pytest.mark.parametrize("name", SHAPES)
def test_the_examples_have_the_published_shapes(name: str) -> None:
    text = (EXAMPLES / name / "graph.yaml").read_text(encoding="utf-8")
    assert (text.count("kind: llm"), text.count("kind: tool") + text.count("kind: compute")) == SHAPES[name]


def test_text_of_an_example(golden: Callable[[str, str], None]) -> None:
    golden("plan-text/halo_w6.txt", plan(EXAMPLES / "halo_w6").to_text())


def test_equal_inputs_give_equal_plans(document: dict[str, Any], tmp_path: Path) -> None:
    again = plan(chain(tmp_path)).document
    assert {**again, "solve": 0} == {**document, "solve": 0}


def test_the_cheapest_fleet_meets_the_deadline(document: dict[str, Any]) -> None:
    assert not check_plan(document)
    assert document["objective"]["name"] == "cost"
    assert document["batch"]["makespan_s"] <= 1200
    assert document["objective"]["bound"] <= document["cost"]["usd"]


def test_less_time_costs_no_less(document: dict[str, Any], tmp_path: Path) -> None:
    found = plan(chain(tmp_path, deadline="4 min")).document
    assert found["batch"]["makespan_s"] <= 240
    assert found["cost"]["usd"] >= document["cost"]["usd"]


def test_the_fastest_takes_all_devices(document: dict[str, Any], tmp_path: Path) -> None:
    found = plan(chain(tmp_path), objective="latency").document
    assert not check_plan(found)
    assert found["fleet"]["h100"]["devices"] == 3
    assert found["batch"]["makespan_s"] < document["batch"]["makespan_s"]


def test_calls_continue_from_caches(document: dict[str, Any]) -> None:
    kept = sum(row["continued"] for row in document["placements"] if row["piece"] == "last.run")
    assert kept == pytest.approx(1)


def test_a_billion_instances_are_planned_like_a_thousand(tmp_path: Path) -> None:
    found = plan(chain(tmp_path, size="1000000000", deadline="10000 h")).document
    assert found["batch"]["simulated_s"] is None
    assert not check_plan(found)


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a share": (lambda d: d["placements"][0].update(share=0.5, continued=0.0), "check.placement"),
    "a phase": (lambda d: d["batch"].update(phases_s=[s * 0.9 for s in d["batch"]["phases_s"]]), "check.capacity"),
    "a batch": (lambda d: _set_batch(d, 4000), "check.memory"),
    "the makespan": (lambda d: d["batch"].update(makespan_s=d["batch"]["makespan_s"] * 0.99), "check.latency"),
    "the cost": (lambda d: d["cost"].update(usd=d["cost"]["usd"] * 0.99), "check.cost"),
    "the devices": (lambda d: d["fleet"].update({d["pools"][0]["device"]: {"devices": 60}}), "check.count"),
    "the bound": (lambda d: d["objective"].update(bound=d["objective"]["value"] * 1.1), "check.objective"),
    "the size": (lambda d: d["batch"].update(size=4000), "check.inputs"),
    "a pool": (lambda d: d["placements"][0].update(pool="p99"), "check.placement"),
}


def _set_batch(document: dict[str, Any], batch: int) -> None:
    for phase in document["pools"][0]["phases"]:
        phase["max_batch"] = dict.fromkeys(phase["max_batch"], batch)


@pytest.mark.parametrize("what", TAMPERED)
def test_the_validator_finds_what_was_changed(what: str, document: dict[str, Any]) -> None:
    change, id = TAMPERED[what]
    changed = copy.deepcopy(document)
    change(changed)
    assert id in {fault.id for fault in check_plan(changed)}


def test_a_plan_of_nonsense_is_refused_without_a_traceback(document: dict[str, Any]) -> None:
    for key in ("batch", "pools", "placements", "inputs", "objective"):
        for nonsense in (None, {}, [], "x", 3):
            assert check_plan({**document, key: nonsense}) or nonsense == []


@pytest.mark.parametrize(
    ("size", "deadline", "concurrency", "said"),
    [
        ("2000000", "1 h", "64", r"`ask` alone needs a `concurrency` of 223, and has 64"),
        ("2000000", "30 min", "100000", r"\d+ of `h100` and \d+ of `l40s` take [\d,]+ s"),
        ("5000", "20 s", "64", r"no number of devices meets it: engines start and one instance runs in \d+ s"),
    ],
)
def test_a_deadline_that_nobody_meets_says_what_is_missing(
    tmp_path: Path, size: str, deadline: str, concurrency: str, said: str
) -> None:
    with pytest.raises(Infeasible, match=said) as caught:
        plan(chain(tmp_path, size, deadline, "concurrency: 64", f"concurrency: {concurrency}"))
    assert re.search(r"none takes less than [\d,]+ s; [\d,]+ s are asked", str(caught.value))
    assert caught.value.conflict == ("workload.batch.deadline",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: 5000", "size: 0", "`size` must be at least 1|size.*0"),
        ("size: 5000", "size: 2.5", "whole number"),
        ("size: 5000", "size: 1000000001", "size"),
        ("deadline: 20 min", "deadline: 0 s", "deadline"),
        ("{batch:", "{rate: 2 req/s, batch:", "a batch is there at once"),
        ("continues: first", "continues: ask", "no llm node"),
        ("continues: first", "continues: last", "does not come before"),
        ("prompt_tokens: 1400", "prompt_tokens: 900", "shorter than what `first` reads and writes"),
        ("objective: cost", "objective: energy", "`energy` of a batch is not supported yet"),
        ("    host: {model: epyc-9554, count: 1, price: {rent: 1 USD/h}}\n", "", "no CPU host"),
    ],
)
def test_bad_batches_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DovetailError, match=message):
        plan(chain(tmp_path, old=old, new=new))


UNHEEDED = [
    ("kind: llm", "kind: llm, slo: {tbt: 20 ms}", "a bound on one node"),
    ("kind: llm", "kind: llm, priority: 2", "a priority"),
    ("kind: llm", "kind: llm, parallel: {tp: 2}", "a stated degree of parallelism"),
    ("objective: cost", "objective: cost\npriority: 3", "a priority"),
    ("kind: tool", "kind: tool, place: {apart: first}", "nodes that are placed apart"),
    ("fleet:\n", "fleet:\n  survive: {replicas: 1}\n", "the loss of replicas or zones"),
    ("fleet:\n", "fleet:\n  limits: {usd_per_hour: 100}\n", "a limit of the fleet"),
    ("h100: {", "h100: {rack: r, ", "a power limit of a rack"),
    ("h100: {", "h100: {region: eu, ", "a choice of regions"),
    ("h100: {", "h100: {scale: {min_replicas: 0, keep_alive: 5 min}, cold_start: 30 s, ", "goes down when it is idle"),
    ("h100: {", "h100: {split: [50 %], ", "a split of a device"),
    ("h100: {", "h100: {tiers: {dram: {size: 512 GB, bandwidth: 50 GB/s}}, ", "memory beyond the device's own"),
    ("h100: {", "h100: {chassis: 2, sold_by: chassis, ", "sold by the chassis"),
    ("price: {rent: 1 USD/h}", "price: {rent: 1 USD/h, interruptions: 0.1 per hour}", "taken back"),
]
ALSO = {"a power limit of a rack": "  racks: {r: {power: 9 kW}}\n", "a choice of regions": "  sites: {eu: {}}\n"}


@pytest.mark.parametrize(("old", "new", "message"), UNHEEDED)
def test_what_a_batch_does_not_heed_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    graph = chain(tmp_path)
    text = graph.read_text().replace(old, new, 1).replace("fleet:\n", "fleet:\n" + ALSO.get(message, ""), 1)
    graph.write_text(text)
    with pytest.raises(InputError, match=f"{message}.*in a batch is not supported yet") as caught:
        plan(graph)
    assert all(fault.labels for fault in caught.value.diagnostics)


def test_the_command_writes_what_the_validator_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = chain(tmp_path)
    assert main(["plan", str(graph), "-o", str(tmp_path / "out")]) == 0
    assert "5,000 instances in" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "out")]) == 0


def test_what_asks_why_of_a_batch_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = chain(tmp_path)
    found = plan(graph)
    found.write(tmp_path / "out")
    for ask in (found.with_explanation, found.with_sensitivity):
        with pytest.raises(InputError, match="of a batch are not supported yet"):
            ask()
    assert main(["explain", str(tmp_path / "out")]) == 1
    assert "error[unsupported]: an explanation and the sensitivity of a batch" in capsys.readouterr().err
