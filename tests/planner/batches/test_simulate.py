"""The simulation against cases that are worked out by hand, and against the planner's own estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.ir.agent import graph_of
from dovetail.ir.distribution import Distribution
from dovetail.ir.read.inputs import read_inputs
from dovetail.planner.batches.phases import Phases, solve_phases
from dovetail.planner.batches.pose import BatchSetting, pose_batch
from dovetail.planner.batches.problem import BatchProblem, Call, Rate, Setup, Tool, Workers
from dovetail.planner.batches.simulate import simulate
from dovetail.planner.batches.solve import fastest
from dovetail.planner.posing.pose import resolve_files

EXAMPLES = Path(__file__).parents[3] / "examples"
POINT = Distribution.point


def one_worker(size: int, calls: tuple[Call, ...], edges: tuple[tuple[str, str], ...], **more: object) -> BatchProblem:
    """A worker that starts in 5 s, reads a prompt in 1 s (0.25 s of one that is continued) and writes at 0.1 s."""
    rates = {call.name: Rate(2.0, 1.25, 3.0, (1.0, 0.25)) for call in calls}
    setup = Setup(("m",), rates, {"m": 2})
    kind = Workers("gpu", 1, 1, (Setup(()), setup), {"m": 5.0}, {"m": 1.0}, steps={"m": ((1, 0.1), (2, 0.1))})
    return BatchProblem(size, calls, edges=edges, workers=(kind,), **{"tools": (), **more})  # type: ignore[arg-type]


def planned(p: BatchProblem, phases: int = 1) -> Phases:
    found = solve_phases(p, phases)
    assert found is not None
    return found


def test_one_visit() -> None:
    p = one_worker(1, (Call("c", "m", POINT(10), POINT(11)),), ())
    assert simulate(planned(p)).makespan_s == pytest.approx(5 + 1 + 10 * 0.1)


def test_prompts_hold_up_what_is_being_written() -> None:
    """Two slots: both prompts are read, then both write their ten tokens side by side."""
    p = one_worker(2, (Call("c", "m", POINT(10), POINT(11)),), ())
    assert simulate(planned(p)).makespan_s == pytest.approx(5 + 2 + 1)


def test_a_call_that_continues_another_finds_its_cache() -> None:
    calls = (Call("a", "m", POINT(10), POINT(11)), Call("b", "m", POINT(40), POINT(11), continues="a"))
    run = simulate(planned(one_worker(1, calls, (("a", "b"),))))
    assert run.makespan_s == pytest.approx(5 + (1 + 1) + (0.25 + 1))
    assert run.reused == 1


def test_a_tool_keeps_to_its_concurrency_and_delays_what_waits_for_it() -> None:
    tool = Tool("t", POINT(3.0), concurrency=1)
    p = one_worker(2, (Call("c", "m", POINT(10), POINT(11)),), (("t", "c"),), tools=(tool,))
    assert simulate(planned(p)).makespan_s == pytest.approx(6 + 1 + 1)  # the second is ready at 6 s, the engine at 5 s


def test_ways_go_by_their_probabilities() -> None:
    tools = (Tool("t", POINT(1.0)), Tool("u", POINT(1.0), visits=0.25))
    call = Call("c", "m", POINT(10), POINT(11), visits=0.75)
    p = one_worker(400, (call,), (("t", "c"), ("t", "u")), tools=tools, odds={("t", "c"): 0.75})
    busy = simulate(planned(p)).busy_s[0]
    assert busy == pytest.approx(400 * 0.75 * 1.5, rel=0.1)  # 1 s to read, and half of a second of two that write


def test_equal_seeds_give_equal_runs() -> None:
    tool = Tool("t", Distribution.exponential(30.0))
    p = one_worker(20, (Call("c", "m", POINT(10), POINT(11)),), (("t", "c"),), tools=(tool,))
    plan = planned(p)
    assert simulate(plan, 1) == simulate(plan, 1) != simulate(plan, 2)


@pytest.mark.parametrize("name", ["halo_w1", "halo_w6"])
def test_simulated_batches_take_about_what_the_plan_says(name: str) -> None:
    """Within a tenth, and never less than the bound."""
    graph, fleet = read_inputs(EXAMPLES / name)
    resolved = resolve_files(graph, fleet, EXAMPLES / name)
    setting = BatchSetting(graph_of(graph.module), fleet.spec, resolved.devices, resolved.llms)
    result = fastest([replace(p, size=512) for p in pose_batch(setting)])
    assert result is not None
    run = simulate(result.phases)
    assert run.makespan_s >= result.bound_s * (1 - 1e-6)
    assert run.makespan_s == pytest.approx(result.makespan_s, rel=0.1)
