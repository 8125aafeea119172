"""Every hand-over of two examples, as text: the module, the lowered module, the problem, the plan, and its files.

Golden text shows change; what proves the plans right are the validator, which every plan passes before it is handed
out, brute force on small problems, and the numbers worked by hand in `test_examples.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backends import EmitContext, emit_all
from dovetail.ir.agent import graph_of
from dovetail.ir.read.inputs import read_inputs
from dovetail.ir.text import print_module
from dovetail.passes import run_pipeline
from dovetail.planner.placement.problem import Option, PlacementProblem
from dovetail.planner.posing.pose import pose

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("table3", "voice_agent")
Golden = Callable[[str, str], None]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def plan(name: str) -> dovetail.Plan:
    return dovetail.plan(EXAMPLES / name)


def six(value: Any) -> Any:
    """Figures to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: six(item) for key, item in value.items()}
    return [six(item) for item in value] if isinstance(value, list) else value


def test_the_module_that_is_read(name: str, golden: Golden) -> None:
    graph, _ = read_inputs(EXAMPLES / name)
    golden(f"{name}/1-agent.mlir", print_module(graph.module))


def test_the_module_that_is_planned(name: str, golden: Golden) -> None:
    graph, _ = read_inputs(EXAMPLES / name)
    run_pipeline(graph.module)
    golden(f"{name}/2-lowered.mlir", print_module(graph.module))
    assert graph_of(graph.module).sym_name.data in ("voice-agent", "table-3")


def test_the_problem(name: str, golden: Golden) -> None:
    graph, fleet = read_inputs(EXAMPLES / name)
    golden(f"{name}/3-problem.txt", problem_text(pose(graph, fleet, EXAMPLES / name).problem))


def test_the_plan(name: str, plan: dovetail.Plan, golden: Golden) -> None:
    document = {key: value for key, value in plan.document.items() if key not in ("inputs", "solve")}
    golden(f"{name}/4-plan.json", json.dumps(six(document), indent=1, sort_keys=True) + "\n")


def test_the_text_of_the_plan(name: str, plan: dovetail.Plan, golden: Golden) -> None:
    golden(f"{name}/5-plan.txt", plan.to_text())


def test_the_manifests(name: str, plan: dovetail.Plan, golden: Golden) -> None:
    files = emit_all(plan.document, EmitContext(plan.base_dir))
    kept = [file for file in files if file.path.startswith("manifests/")]
    assert kept
    golden(f"{name}/6-manifests.yaml", "".join(f"# {file.path}\n{file.content}" for file in kept))


def problem_text(problem: PlacementProblem) -> str:
    """The problem by device and configuration: how many options, and the spread of their figures."""
    pools = {pool.id: pool for pool in problem.pools}
    groups: dict[str, list[Option]] = {}
    for option in problem.options:
        pool = pools[option.pool]
        groups.setdefault(f"{option.piece} at {pool.location} tp {pool.tp}", []).append(option)
    lines = [f"{bound.name} {bound.limit_s:.6g} s, {bound.percentile or 'mean'}" for bound in problem.bounds]
    lines += [f"{p.id} x {p.visits_per_request:.6g}, memory of {p.memory_key or 'its own'}" for p in problem.pieces]
    lines += [f"{s.probability:.6g} {' '.join(step.id for step in s.steps)}" for s in problem.scenarios]
    lines += [f"{d.name} {d.min_count}..{d.max_count} {d.usd_per_hour} idle {d.idle_w:.6g} W" for d in problem.devices]
    for group, options in sorted(groups.items()):
        figures = {
            "load": [option.load for option in options],
            "visit": [option.visits[0].total.mean for option in options],
            "bytes": [option.weight_bytes + option.state_bytes for option in options],
            "usd": [option.usd_per_request for option in options],
        }
        spread = ", ".join(f"{key} {min(v):.6g}..{max(v):.6g}" for key, v in figures.items())
        lines.append(f"{group}: {len(options)} options, {spread}")
    for transfer in problem.transfers:
        seconds = [route.latency_s for route in transfer.routes]
        spread = f"{min(seconds):.6g}..{max(seconds):.6g} s" if seconds else "no route"
        lines.append(f"{transfer.from_piece} to {transfer.to_piece}: {len(seconds)} routes, {spread}")
    return "\n".join(lines) + "\n"
