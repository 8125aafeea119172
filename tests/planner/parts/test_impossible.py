"""What relaxations of a large graph exclude no plan of the whole problem has; and it is told with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dovetail import driver
from dovetail.ir.diagnostics import Infeasible
from dovetail.planner.candidates.setting import Setting
from dovetail.planner.parts import large
from dovetail.planner.parts.alone.part import parts_of
from dovetail.planner.parts.without_plan.at_best import at_best
from dovetail.planner.parts.without_plan.impossible import impossible
from dovetail.planner.parts.without_plan.too_few import TooFew
from dovetail.planner.placement.problem import UNLIMITED
from dovetail.planner.placement.search.clock import Clock
from dovetail.planner.placement.search.solve import best_plan
from dovetail.planner.placement.times.summary import summarise
from dovetail.planner.posing.pose import Posed
from dovetail.planner.posing.to_problem import frame

from .test_by_parts import posed

NO_LIMIT = Clock(None)
HURRIED = """\
version: 1
nodes:
  ask: {kind: llm, model: qwen3-8b, prompt_tokens: 500, output_tokens: 100}
  look: {kind: tool, latency: {mean: 100 ms, p95: 300 ms}}
  tell: {kind: llm, model: qwen3-8b, prompt_tokens: 500, output_tokens: 100, place: {on: [slow]}}
edges: [ask -> look, look -> tell]
workload: {rate: 2 req/s}
slo: {end_to_end: 900 ms, percentile: 95}
fleet: fleet.yaml
objective: cost
"""
FLEET = """\
devices:
  fast: {model: h100-sxm, count: 0..2, price: {rent: 2 USD/h}}
  slow: {model: l4, price: {rent: 0.5 USD/h}}
  host: {model: epyc-9554, price: {rent: 2 USD/h}}
site: {electricity: 0.2 USD/kWh}
"""


def written(folder: Path, graph: str = HURRIED, fleet: str = FLEET) -> Path:
    (folder / "graph.yaml").write_text(graph)
    (folder / "fleet.yaml").write_text(fleet)
    return folder


def test_no_plan_is_faster_than_everything_at_its_best() -> None:
    near = 0
    for seed in range(16):
        it = posed(seed)
        result = best_plan(replace(it.problem, objective="latency"), 20.0)
        if result.objective is None:
            continue
        bare = frame(it.setting, it.works, "cost")
        best = at_best(parts_of(it.setting, bare), bare, frozenset(), NO_LIMIT)
        reached = summarise(it.problem, result.placements).end_to_end
        (b,) = (b for b in bare.bounds if b.kind == "end_to_end")
        mean, late = best.least_s(replace(b, percentile=None)), best.least_s(b)
        assert 0 < mean <= reached["mean"] * (1 + 1e-3), seed
        assert mean * 0.9 <= late <= reached["p95"] * (1 + 1e-3), seed
        near += late > 0.7 * reached["p95"]
    assert near > 5


def test_bound_under_the_fastest_excludes_every_plan() -> None:
    planned = 0
    for seed in range(12):
        it = posed(seed)
        bare = frame(it.setting, it.works, "cost")
        parts = parts_of(it.setting, bare)
        (b,) = (b for b in bare.bounds if b.kind == "end_to_end")
        least_s = at_best(parts, bare, frozenset(), NO_LIMIT).least_s(b)
        for factor in (0.98, 1.02):
            at = tuple(replace(each, limit_s=least_s * factor) if each is b else each for each in bare.bounds)
            found = impossible(it.setting, parts, replace(bare, bounds=at), "highs", NO_LIMIT)
            assert (found is not None and found.conflict[0] == b.name) == (factor < 1), seed
        hurried = replace(it.problem, bounds=(replace(b, limit_s=least_s * 0.98),))
        assert best_plan(hurried, 20.0).status == "infeasible", seed
        planned += 1
    assert planned == 12


def with_count(it: Posed, device: str, count: int) -> Setting:
    devices = (replace(d, max_count=count) if d.name == device else d for d in it.setting.fleet.devices)
    return replace(it.setting, fleet=replace(it.setting.fleet, devices=tuple(devices)))


def test_counts_that_are_too_small_exclude_every_plan() -> None:
    """And every plan has as many devices as are said to be needed, and no higher rate."""
    short = 0
    for seed in range(12):
        it = posed(seed)
        it = replace(it, setting=replace(it.setting, at_rate_per_s=40.0))
        bare = frame(it.setting, it.works, "cost")
        few = TooFew(parts_of(it.setting, bare), bare, "highs", NO_LIMIT)
        if few.serves(()) is not False:
            continue
        short += 1
        assert best_plan(it.problem, 20.0).status == "infeasible", seed
        conflict = few.conflict()
        assert few.serves([name for name in (*few.bounds, *few.sizes) if name not in conflict]) is False
        assert all(
            few.serves([name for name in (*few.bounds, *few.sizes) if name not in conflict] + [each])
            for each in conflict
        ), seed
        for name, least in few.needed(conflict).items():
            if name == "rate":
                slower = replace(it, setting=replace(it.setting, at_rate_per_s=least * 1.001))
            else:
                device = name.removeprefix("count[").removesuffix("]")
                slower = replace(it, setting=with_count(it, device, int(least) - 1))
            assert best_plan(slower.problem, 20.0).status == "infeasible", (seed, name)
    assert short > 2


def test_counts_are_shared_by_all_parts() -> None:
    """Devices that are enough for any part by itself are too few for two."""
    for seed in range(60):
        it = posed(seed)
        bare = frame(it.setting, it.works, "cost")
        parts = parts_of(it.setting, bare)
        counted = replace(
            bare,
            devices=tuple(
                replace(d, max_count=min(1, d.max_count)) if d.max_count < UNLIMITED else d for d in bare.devices
            ),
        )
        alone = [TooFew([part], counted, "highs", NO_LIMIT).serves(()) for part in parts]
        if all(alone) and TooFew(parts, counted, "highs", NO_LIMIT).serves(()) is False:
            return
    pytest.fail("no graph is short of devices for its parts together alone")


@pytest.mark.parametrize(
    ("slo", "named", "said"),
    [
        ("end_to_end: 150 ms, percentile: 95", ["slo.end_to_end"], "`slo.end_to_end` is "),
        ("end_to_end: 1.5 s, percentile: 95", ["slo.end_to_end", "place[tell]"], "`slo.end_to_end` is "),
    ],
)
def test_bound_is_told_with_its_place(
    slo: str, named: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "LARGE", 0)
    graph = HURRIED.replace("end_to_end: 900 ms, percentile: 95", slo)
    with pytest.raises(Infeasible) as raised:
        driver.plan(written(tmp_path, graph), time_limit_s=60.0)
    (fault,) = raised.value.diagnostics
    assert list(raised.value.conflict) == named
    text = fault.render()
    assert "graph.yaml:8:19" in text
    assert said in (fault.help or "")
    assert "at its fastest" in (fault.help or "")


def test_counts_are_told_with_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE", 0)
    graph = HURRIED.replace("900 ms", "60 s").replace(", place: {on: [slow]}", "").replace("2 req/s", "900 req/s")
    fleet = FLEET.replace("model: l4,", "model: l4, count: 0..3,")
    with pytest.raises(Infeasible) as raised:
        driver.plan(written(tmp_path, graph, fleet), time_limit_s=60.0)
    (fault,) = raised.value.diagnostics
    assert set(raised.value.conflict) == {"count[fast]", "count[slow]", "rate"}
    text = fault.render()
    for file, content, what in (("fleet", fleet, "0..2"), ("fleet", fleet, "0..3"), ("graph", graph, "900 req/s")):
        line = content[: content.index(what)].count("\n")
        assert f"{file}.yaml:{line + 1}:{content.splitlines()[line].index(what) + 1}" in text
    assert "of fast (`count[fast]`)" in (fault.help or "")
    assert "a `rate` of no more than" in (fault.help or "")
    many = int((fault.help or "").split(" of fast")[0].split()[-1].replace(",", ""))
    assert 2 < many < 2000
