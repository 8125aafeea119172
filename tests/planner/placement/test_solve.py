"""Whole answers of the placement planner on problems written by hand."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import replace
from threading import Timer

import pytest

from dovetail.cli.interrupts import raise_interrupts
from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import (
    Bound,
    DeviceType,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    Route,
    Scenario,
    Step,
    Transfer,
    VisitTime,
)
from dovetail.planner.placement.search.clock import Clock, TimeUp
from dovetail.planner.placement.search.solve import objective_within, solve
from dovetail.planner.placement.times.judge import Judge

SOLVERS = ("highs", "cbc")


def constant(total_s: float, first_s: float = 0.0) -> tuple[VisitTime, ...]:
    return (VisitTime(Distribution.point(first_s), Distribution.point(total_s)),)


def table3(limit_s: float = 0.120) -> PlacementProblem:
    """Table 3 of arXiv 2507.19635: prefill and decode on a fast, dear device (HP) or a slow, cheap one (CO)."""
    pieces = (Piece("llm.prefill", "llm", "prefill", 1.0), Piece("llm.decode", "llm", "decode", 1.0))
    figures = {("llm.prefill", "HP"): (0.045, 0.05), ("llm.prefill", "CO"): (0.080, 0.025)}
    figures |= {("llm.decode", "HP"): (0.060, 0.06), ("llm.decode", "CO"): (0.065, 0.04)}
    return PlacementProblem(
        pieces=pieces,
        pools=(Pool("HP", "HP", "HP"), Pool("CO", "CO", "CO")),
        options=tuple(Option(q, g, constant(s), 0.0, usd_per_request=usd) for (q, g), (s, usd) in figures.items()),
        devices=(DeviceType("HP", 0, 8), DeviceType("CO", 0, 8)),
        transfers=(Transfer("llm.prefill", "llm.decode", 1e6, (Route("HP", "CO", 0.010, 0.005),)),),
        scenarios=(Scenario(1.0, (Step("llm@1", ("llm.prefill", "llm.decode"), 1, ()),), ("llm@1",)),),
        bounds=(Bound("slo.end_to_end", "end_to_end", limit_s),),
        rate_per_s=None,
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_table_3_of_the_paper(solver: str) -> None:
    result = solve(table3(), solver=solver)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.095)
    assert result.placements == {"llm.prefill": "HP", "llm.decode": "CO"}
    assert result.latency.end_to_end["mean"] == pytest.approx(0.120)
    assert result.cost["calls"] == pytest.approx(0.090)
    assert result.cost["transfer"] == pytest.approx(0.005)
    assert result.binding == ("slo.end_to_end",)
    assert result.unit == "USD/request"


def test_the_fastest_plan_of_table_3() -> None:
    result = solve(replace(table3(), objective="latency"))
    assert result.objective == pytest.approx(0.105)
    assert result.placements == {"llm.prefill": "HP", "llm.decode": "HP"}


def test_a_bound_that_nothing_keeps_is_the_conflict() -> None:
    result = solve(table3(0.100))
    assert result.status == "infeasible"
    assert result.conflict == ("slo.end_to_end",)
    assert result.objective is None


def test_an_unknown_solver_is_refused() -> None:
    with pytest.raises(ValueError, match="none of highs, cbc"):
        solve(table3(), solver="gurobi")


def chain(count: int, options: int, seed: int, percentile: float | None) -> PlacementProblem:
    """A chain of nodes whose options trade a random time against a price."""
    r = random.Random(seed)
    nodes = [f"n{i}" for i in range(count)]
    made = []
    for q in nodes:
        for g in range(options):
            mean = r.uniform(0.1, 1.0)
            price = 1 / mean + r.uniform(0, 0.5)
            law = Distribution.lognormal_mean_p95(mean, mean * r.uniform(1.2, 2.5))
            made.append(Option(q, f"g{g}", (VisitTime(Distribution.point(0.0), law),), 0.0, usd_per_request=price))
    steps = tuple(
        Step(f"{q}@1", (q,), 1, ((f"{before}@1", False),) if before else ())
        for q, before in zip(nodes, [None, *nodes], strict=False)
    )
    return PlacementProblem(
        pieces=tuple(Piece(q, q, "run", 1.0) for q in nodes),
        pools=tuple(Pool(f"g{g}", f"d{g}", f"l{g}") for g in range(options)),
        options=tuple(made),
        devices=tuple(DeviceType(f"d{g}", 0, 8) for g in range(options)),
        transfers=(),
        scenarios=(Scenario(1.0, steps, (f"{nodes[-1]}@1",)),),
        bounds=(Bound("slo.end_to_end", "end_to_end", 0.5 * count, percentile),),
        rate_per_s=None,
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_percentile_that_the_relaxation_misses_is_found_by_cuts(solver: str) -> None:
    p = chain(3, 4, seed=1, percentile=0.95)
    result = solve(p, solver=solver)
    assert result.status == "optimal"
    assert result.stats.cuts > 0
    assert result.latency.bounds["slo.end_to_end"] <= 1.5
    mean_only = solve(chain(3, 4, seed=1, percentile=None))
    assert mean_only.objective is not None
    assert result.objective is not None
    assert mean_only.objective < result.objective


def test_out_of_time_gives_the_best_known_plan_with_its_gap() -> None:
    p = hard_packing()
    result = solve(p, time_limit_s=2.0)
    assert result.status == "feasible"
    assert result.objective is not None
    assert result.bound is not None
    assert result.gap is not None
    assert result.bound < result.objective
    assert result.gap == pytest.approx((result.objective - result.bound) / result.objective)
    assert len(result.placements) == len(p.pieces)


def hard_packing(count: int = 40, pools: int = 20) -> PlacementProblem:
    """Pieces of odd sizes that nearly fill pools which are bought whole: bin packing, hard to prove."""
    r = random.Random(3)
    sizes = [r.uniform(0.25, 0.45) for _ in range(count)]
    return PlacementProblem(
        pieces=tuple(Piece(f"p{i}", f"p{i}", "run", 1.0) for i in range(count)),
        pools=tuple(Pool(f"g{g}", f"d{g}", "l", memory_bytes=1.0, capacity=(1e3,)) for g in range(pools)),
        options=tuple(
            Option(f"p{i}", f"g{g}", constant(0.1), 0.1, state_bytes=size, energy_j_per_request=r.uniform(0, 1))
            for i, size in enumerate(sizes)
            for g in range(pools)
        ),
        devices=tuple(
            DeviceType(f"d{g}", 0, 8, usd_per_hour=(("rent", 1 + r.random()),), usd_per_joule=1e-4)
            for g in range(pools)
        ),
        transfers=(),
        scenarios=(Scenario(1.0, (Step("p0@1", ("p0",), 1, ()),), ("p0@1",)),),
        bounds=(),
        rate_per_s=1.0,
    )


def test_no_time_at_all_is_unknown() -> None:
    result = solve(table3(), time_limit_s=0.0)
    assert result.status == "unknown"
    assert result.placements == {}


def test_ctrl_c_gives_the_best_known_plan() -> None:
    calls = 0

    def stop_at_the_first_plan(value: float | None, bound: float | None, of: str = "") -> None:
        nonlocal calls
        calls += 1
        if value is not None:
            raise KeyboardInterrupt

    result = solve(chain(3, 4, seed=1, percentile=0.95), on_progress=stop_at_the_first_plan)
    assert calls > 0
    assert result.status in ("optimal", "feasible")
    assert result.objective is not None


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_within_the_solver_is_not_lost(asked: signal.Signals) -> None:
    """The signal comes while HiGHS runs, which would go on for minutes."""
    # As the commands have it; SIGINT is ignored where a shell started the tests in the background.
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        raise_interrupts()  # a plain KeyboardInterrupt within a callback of the garbage collector would be lost
        handler = signal.getsignal(asked)
        Timer(1.0, lambda: os.kill(os.getpid(), asked)).start()
        result = solve(hard_packing())
        assert signal.getsignal(asked) is handler
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert result.status == "feasible"
    assert result.objective is not None
    assert result.bound is not None


def test_clock_that_is_stopped_stops_those_made_of_it() -> None:
    clock = Clock(None)
    later = clock.at_most(60.0)
    assert not later.over
    clock.stop()
    assert later.over
    assert later.left == 0.0


def test_ties_go_to_the_faster_plan_and_equal_inputs_give_equal_answers() -> None:
    p = table3(1.0)
    same = tuple(replace(o, usd_per_request=0.05) for o in p.options)
    first, second = (solve(replace(p, options=same)) for _ in range(2))
    assert first.placements == {"llm.prefill": "HP", "llm.decode": "HP"}
    assert replace(first, stats=second.stats) == second


def test_judging_stops_with_its_clock() -> None:
    p = chain(3, 2, seed=1, percentile=0.95)
    plan = {q.id: next(o.pool for o in p.options if o.piece == q.id) for q in p.pieces}
    with pytest.raises(TimeUp):
        Judge(p, p.options, clock=Clock(0.0)).broken(plan)


def test_long_scenario_is_no_deep_recursion() -> None:
    """A thousand visits in a row, one after the other, in one model."""
    one = VisitTime(Distribution.point(1e-3), Distribution.point(1e-3))
    steps = tuple(Step(f"p0@{k}", ("p0",), k, ((f"p0@{k - 1}", False),) if k > 1 else ()) for k in range(1, 1001))
    p = PlacementProblem(
        pieces=(Piece("p0", "p0", "run", 1000.0),),
        pools=(Pool("g", "d", "d"),),
        options=(Option("p0", "g", (one,) * 1000, load=1.0, usd_per_request=1.0),),
        devices=(DeviceType("d", 0, 1),),
        transfers=(),
        scenarios=(Scenario(1.0, steps, ("p0@1000",)),),
        bounds=(Bound("slo.end_to_end", "end_to_end", 2.0),),
        rate_per_s=None,
    )
    result = solve(p)
    assert result.status == "optimal"
    assert result.latency.end_to_end["mean"] == pytest.approx(1.0)


def test_objective_within_a_time_is_that_of_the_whole_answer() -> None:
    p = chain(3, 2, seed=1, percentile=0.95)
    assert objective_within(p, None) == pytest.approx(solve(p).objective)
    assert objective_within(p, 0.0) is None
